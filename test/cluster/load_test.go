//go:build real && linux

package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/trackmesh/trackmesh/broker"
	"github.com/trackmesh/trackmesh/broker/embedded"
	"github.com/trackmesh/trackmesh/test/checker"
)

// load is what a run is fed with. Each partition has one source, so that its records always are in the same order: what the
// partition's event clock shows depends on it.
type load struct {
	kafka  []checker.Record // partitions 0 to 2: any producer
	http   []checker.Record // partitions 3 and 4: ingest at random nodes, repeated when no answer comes
	script []checker.Step   // partition 5: a client that waits for each acknowledgement
}

const (
	scripted  = partitions - 1
	loadCars  = 60
	httpBatch = 40
)

func newLoad(seed uint64, fixes, steps int) load {
	var l load
	for _, rec := range checker.Load(seed, loadCars, fixes) {
		if !json.Valid([]byte(rec.Value)) { // ingest refuses what Kafka takes
			continue
		}
		switch p := home(rec.Vehicle); {
		case p < 3:
			l.kafka = append(l.kafka, rec)
		case p < scripted:
			l.http = append(l.http, rec)
		}
	}
	var vans []string
	for i := 0; len(vans) < 4; i++ {
		if name := fmt.Sprintf("van-%d", i); home(name) == scripted {
			vans = append(vans, name)
		}
	}
	l.script = checker.Script(seed, vans, steps)
	return l
}

func home(vehicle string) int32 { return broker.Murmur2([]byte(vehicle), partitions) }

func lines(records []checker.Record) string {
	var b strings.Builder
	for _, r := range records {
		b.WriteString(r.Value)
		b.WriteByte('\n')
	}
	return b.String()
}

// asks is how a client reaches a node that answers.
type asks func(ctx context.Context, method, path, contentType, body string, header map[string]string) (string, error)

// undisturbed runs the load through one node on the embedded log, which nobody disturbs.
func (w *world) undisturbed(ctx context.Context, l load) (checker.Outcome, error) {
	var o checker.Outcome
	w.runs++
	dir := filepath.Join(w.dir, fmt.Sprintf("undisturbed%d", w.runs))
	n := newNode(0, w.network.nodes[0], w.binary, w.dir)
	defer n.close()
	n.args = []string{"--http-addr", httpAddr, "--demo=off", "--quiet-clock=off", "--commit-interval=5ms", "--data-dir", dir, "--partitions", strconv.Itoa(partitions)}
	if err := n.start(); err != nil {
		return o, err
	}
	r := &run{world: w, nodes: []*node{n}}
	if err := fences(ctx, r.insist); err != nil {
		return o, err
	}
	const chunk = 5000
	for _, records := range [][]checker.Record{l.kafka, l.http} {
		for i := 0; i < len(records); i += chunk {
			if _, err := r.insist(ctx, http.MethodPost, "/api/v1/positions", "application/x-ndjson", lines(records[i:min(i+chunk, len(records))]), nil); err != nil {
				return o, err
			}
		}
	}
	if err := play(ctx, r.insist, "positions", l.script); err != nil {
		return o, err
	}
	handled := int64(len(l.kafka) + len(l.http))
	err := until(ctx, 50*time.Millisecond, func() error {
		s, err := n.state(ctx)
		sum := int64(0)
		for _, p := range s.Partitions {
			if p.Partition != scripted {
				sum += p.InputOffset
			}
		}
		if err == nil && sum < handled {
			err = fmt.Errorf("%d of %d records handled", sum, handled)
		}
		return err
	})
	if err != nil {
		return o, err
	}
	if err := n.term(); err != nil {
		return o, err
	}
	log, err := embedded.Open(ctx, embedded.Options{Dir: dir, OpenOptions: broker.OpenOptions{Topic: "positions", Group: "trackmesh", Partitions: partitions, Enriched: true}})
	if err != nil {
		return o, err
	}
	defer log.Close()
	return checker.Read(ctx, log)
}

func fences(ctx context.Context, ask asks) error {
	_, err := ask(ctx, http.MethodPost, "/api/v1/fences/import?wait=10s", "application/geo+json", checker.Fences, nil)
	return err
}

// feed sends everything, spread over a time, and returns when all of it is acknowledged.
func (r *run) feed(ctx context.Context, l load, over time.Duration) error {
	errs := make(chan error, 3)
	go func() { errs <- r.feedKafka(ctx, l.kafka, over) }()
	go func() { errs <- r.feedHTTP(ctx, l.http, over) }()
	go func() { errs <- play(ctx, r.insist, r.topic, l.script) }()
	for range cap(errs) {
		if err := <-errs; err != nil {
			return err
		}
	}
	return nil
}

// feedKafka is a producer that tries until Kafka has it, in order and once.
func (r *run) feedKafka(ctx context.Context, records []checker.Record, over time.Duration) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(r.kafka.Brokers...), kgo.DefaultProduceTopic(r.topic),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.RequiredAcks(kgo.AllISRAcks()), kgo.DisableClientMetrics())
	if err != nil {
		return err
	}
	defer client.Close()
	const chunk = 25
	pace := newPace(over, len(records)/chunk+1)
	for i := 0; i < len(records); i += chunk {
		var batch []*kgo.Record
		for _, rec := range records[i:min(i+chunk, len(records))] {
			batch = append(batch, &kgo.Record{Key: []byte(rec.Vehicle), Value: []byte(rec.Value), Partition: home(rec.Vehicle)})
		}
		if err := client.ProduceSync(ctx, batch...).FirstErr(); err != nil {
			return fmt.Errorf("producing: %w", err)
		}
		pace.wait(ctx)
	}
	return nil
}

func (r *run) feedHTTP(ctx context.Context, records []checker.Record, over time.Duration) error {
	pace := newPace(over, len(records)/httpBatch+1)
	for i := 0; i < len(records); i += httpBatch {
		header := map[string]string{"Trackmesh-Producer": "http", "Trackmesh-Sequence": strconv.Itoa(i + 1)}
		body := lines(records[i:min(i+httpBatch, len(records))])
		if _, err := r.insist(ctx, http.MethodPost, "/api/v1/positions", "application/x-ndjson", body, header); err != nil {
			return err
		}
		pace.wait(ctx)
	}
	return nil
}

// pace spreads steps over a time.
type pace struct {
	began time.Time
	each  time.Duration
	done  int
}

func newPace(over time.Duration, steps int) *pace {
	return &pace{began: time.Now(), each: over / time.Duration(steps)}
}

func (p *pace) wait(ctx context.Context) {
	p.done++
	select {
	case <-ctx.Done():
	case <-time.After(time.Until(p.began.Add(time.Duration(p.done) * p.each))):
	}
}

// play sends a script: a fix counts as acknowledged when what it made is committed, a message when it was applied.
func play(ctx context.Context, ask asks, topic string, script []checker.Step) error {
	next := int64(0)
	sequence := 0
	for i, step := range script {
		if step.Message != "" {
			if err := send(ctx, ask, step, fmt.Sprintf("step-%d", i)); err != nil {
				return err
			}
			continue
		}
		sequence++
		header := map[string]string{"Trackmesh-Producer": "script", "Trackmesh-Sequence": strconv.Itoa(sequence)}
		if _, err := ask(ctx, http.MethodPost, "/api/v1/positions", "application/json", step.Fix, header); err != nil {
			return err
		}
		var err error
		if next, err = documented(ctx, ask, topic, next, step.Fix); err != nil {
			return err
		}
	}
	return nil
}

func send(ctx context.Context, ask asks, step checker.Step, key string) error {
	return until(ctx, 20*time.Millisecond, func() error {
		answer, err := ask(ctx, http.MethodPost, "/api/v1/tracks/"+step.Vehicle+"/messages?wait=2s", "application/json", step.Message, map[string]string{"Idempotency-Key": key})
		if err == nil && !strings.Contains(answer, `"applied":true`) {
			err = fmt.Errorf("message not applied yet: %s", answer)
		}
		return err
	})
}

// documented waits for the document of a fix in the committed log, from an offset on.
func documented(ctx context.Context, ask asks, topic string, next int64, fix string) (int64, error) {
	var sent struct{ N int }
	if err := json.Unmarshal([]byte(fix), &sent); err != nil {
		return next, err
	}
	err := until(ctx, 10*time.Millisecond, func() error {
		answer, err := ask(ctx, http.MethodGet, fmt.Sprintf("/api/v1/log/%s.enriched?partition=%d&from=%d", topic, scripted, next), "", "", nil)
		if err != nil {
			return err
		}
		for line := range strings.Lines(answer) {
			var rec struct {
				Next   *int64
				Offset int64
				Value  struct{ Attributes struct{ N int } }
			}
			if err := json.Unmarshal([]byte(line), &rec); err != nil {
				return err
			}
			if rec.Next == nil && rec.Value.Attributes.N == sent.N {
				next = rec.Offset + 1
				return nil
			}
		}
		return fmt.Errorf("no document of fix %d yet", sent.N)
	})
	return next, err
}
