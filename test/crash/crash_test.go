//go:build real

package crash

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/broker"
	"github.com/trackmesh/trackmesh/broker/embedded"
	"github.com/trackmesh/trackmesh/broker/kafka"
	"github.com/trackmesh/trackmesh/history"
	"github.com/trackmesh/trackmesh/sinks/sqlite"
	"github.com/trackmesh/trackmesh/test/checker"
	"github.com/trackmesh/trackmesh/test/servers"
)

const (
	partitions = 4
	vehicles   = 40
	lineBatch  = 50
)

// seeded returns the schedule's random source; the seed is printed, SEED repeats it.
func seeded(t *testing.T) (*rand.Rand, uint64) {
	t.Helper()
	seed := uint64(envInt(t, "SEED", int(time.Now().Unix()%100_000)))
	t.Logf("SEED=%d KILLS=%d", seed, envInt(t, "KILLS", 10))
	return rand.New(rand.NewPCG(seed, 2)), seed
}

func embeddedOptions(dir string) embedded.Options {
	return embedded.Options{Dir: dir, OpenOptions: broker.OpenOptions{Topic: "positions", Group: "trackmesh", Partitions: partitions, Enriched: true}}
}

// outcomeOf reads everything that was committed.
func outcomeOf(t *testing.T, log broker.Log) checker.Outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	o, err := checker.Read(ctx, log)
	require.NoError(t, err)
	return o
}

// undisturbed runs the load once through a node that nobody kills, on the embedded log.
func undisturbed(t *testing.T, binary string, load []checker.Record) checker.Outcome {
	t.Helper()
	dir := t.TempDir()
	p := newProcess(t, binary, "--data-dir", dir, "--partitions", strconv.Itoa(partitions))
	p.start()
	p.insist(http.MethodPost, "/api/v1/fences/import?wait=10s", "application/geo+json", checker.Fences, nil)
	for i := 0; i < len(load); i += 5000 {
		p.insist(http.MethodPost, "/api/v1/positions", "application/x-ndjson", ndjson(load[i:min(i+5000, len(load))]), nil)
	}
	p.settled(stored(load))
	p.stop()
	log, err := embedded.Open(context.Background(), embeddedOptions(dir))
	require.NoError(t, err)
	defer log.Close()
	return outcomeOf(t, log)
}

// stored is how many records of a load the ingest takes: it refuses lines whose vehicle it cannot read.
func stored(load []checker.Record) (n int64) {
	for _, r := range load {
		if readable(r) {
			n++
		}
	}
	return n
}

func readable(r checker.Record) bool { return json.Valid([]byte(r.Value)) }

func ndjson(load []checker.Record) string {
	var b strings.Builder
	for _, r := range load {
		b.WriteString(r.Value)
		b.WriteByte('\n')
	}
	return b.String()
}

func TestKillMinusNineOnEmbeddedDefaults(t *testing.T) {
	random, seed := seeded(t)
	kills := envInt(t, "KILLS", 10)
	binary := buildNode(t)
	load := checker.Load(seed, vehicles, max(60, kills*12))
	want := undisturbed(t, binary, load)
	require.NotEmpty(t, want.Events)

	dir := t.TempDir()
	p := newProcess(t, binary, "--data-dir", dir, "--partitions", strconv.Itoa(partitions))
	p.start()
	p.insist(http.MethodPost, "/api/v1/fences/import?wait=10s", "application/geo+json", checker.Fences, nil)
	batches := (len(load) + lineBatch - 1) / lineBatch
	killed := 0
	for i := range batches {
		body := ndjson(load[i*lineBatch : min((i+1)*lineBatch, len(load))])
		header := map[string]string{"Trackmesh-Producer": "crash", "Trackmesh-Sequence": strconv.Itoa(i*lineBatch + 1)}
		if (i+1)*kills/batches > killed { // in the middle of this request, of a commit, or of a start
			killed++
			timer := time.AfterFunc(time.Duration(random.IntN(60))*time.Millisecond, func() { p.kill() })
			_, _ = p.ask(http.MethodPost, "/api/v1/positions", "application/x-ndjson", body, header)
			<-p.exited
			timer.Stop()
			p.start()
			if random.IntN(4) == 0 {
				time.AfterFunc(time.Duration(random.IntN(400))*time.Millisecond, p.kill)
				<-p.exited
				p.start()
			}
		}
		p.insist(http.MethodPost, "/api/v1/positions", "application/x-ndjson", body, header)
	}
	p.settled(stored(load))
	p.stop()
	log, err := embedded.Open(context.Background(), embeddedOptions(dir))
	require.NoError(t, err)
	defer log.Close()
	got := outcomeOf(t, log)
	t.Logf("%d records, %d kills: %d documents, %d events, %d dead letters", len(load), killed, len(got.Documents), len(got.Events), len(got.Dead))
	require.Empty(t, checker.Check(want, got))
	checkSQLite(t, dir, got)
}

// checkSQLite compares the store with the log: each fix and each event once.
func checkSQLite(t *testing.T, dir string, o checker.Outcome) {
	t.Helper()
	ctx := context.Background()
	store, err := sqlite.Open(ctx, sqlite.Options{Dir: dir, Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry()})
	require.NoError(t, err)
	defer store.Close()
	events := 0
	for after := ""; ; {
		page, next, err := store.Events(ctx, history.EventQuery{Limit: 1000, After: after})
		require.NoError(t, err)
		events += len(page)
		if after = next; after == "" {
			break
		}
	}
	require.Equal(t, len(o.Events), events)
	fixes, err := store.Replay(ctx, history.ReplayQuery{Limit: 10_000_000})
	require.NoError(t, err)
	want, got := map[string]int{}, map[string]int{}
	for _, d := range o.Documents {
		var doc struct {
			At      time.Time `json:"@timestamp"`
			Vehicle string
			Flags   []string
		}
		require.NoError(t, json.Unmarshal(d, &doc))
		if len(doc.Flags) == 0 {
			want[fmt.Sprint(doc.Vehicle, doc.At.UnixMilli())]++
		}
	}
	for _, f := range fixes {
		if !f.Late {
			got[fmt.Sprint(f.Vehicle, f.Time)]++
		}
	}
	require.Equal(t, want, got)
}

func TestKillMinusNineWithKafkaAndElasticsearch(t *testing.T) {
	random, seed := seeded(t)
	kills := envInt(t, "KILLS", 10)
	binary := buildNode(t)
	load := checker.Load(seed, vehicles, max(100, kills*15))
	var clean []checker.Record // Kafka takes every line; the undisturbed run's ingest does not
	for _, r := range load {
		if readable(r) {
			clean = append(clean, r)
		}
	}
	want := undisturbed(t, binary, clean)

	broker0 := servers.Kafka(t, servers.KafkaOptions{})
	search := servers.Elasticsearch(t, servers.ElasticsearchOptions{})
	p := newProcess(t, binary, "--kafka-brokers", strings.Join(broker0.Brokers, ","), "--elasticsearch-urls", search.URL,
		"--elasticsearch-bulk-age=200ms", "--partitions", strconv.Itoa(partitions), "--data-dir", t.TempDir())
	p.start()
	p.insist(http.MethodPost, "/api/v1/fences/import?wait=10s", "application/geo+json", checker.Fences, nil)
	log, err := kafka.Open(context.Background(), kafka.Options{Brokers: broker0.Brokers, OpenOptions: broker.OpenOptions{Topic: "positions", Group: "trackmesh", Partitions: partitions, Enriched: true}})
	require.NoError(t, err)
	defer log.Close()
	produced := make(chan error, 1)
	go func() { produced <- produce(log, clean, kills) }()
	for range kills {
		select {
		case <-p.exited:
		case <-time.After(time.Duration(300+random.IntN(2500)) * time.Millisecond):
			p.kill()
		}
		p.start()
	}
	require.NoError(t, <-produced)
	p.settled(int64(len(clean)))
	p.stop()
	got := outcomeOf(t, log)
	t.Logf("%d records, %d kills: %d documents, %d events, %d dead letters", len(clean), kills, len(got.Documents), len(got.Events), len(got.Dead))
	require.Empty(t, checker.Check(want, got))
	problems, err := checker.CheckElasticsearch(context.Background(), search.URL, "trackmesh", got)
	require.NoError(t, err)
	require.Empty(t, problems)
}

// produce writes the load in order, spread over about the time that the kills take.
func produce(log broker.Log, load []checker.Record, kills int) error {
	const chunk = 200
	pause := time.Duration(kills) * 1500 * time.Millisecond / time.Duration(len(load)/chunk+1)
	for i := 0; i < len(load); i += chunk {
		var records []broker.Record
		for _, r := range load[i:min(i+chunk, len(load))] {
			key := []byte(r.Vehicle)
			records = append(records, broker.Record{Stream: broker.Input, Partition: broker.Murmur2(key, partitions), Key: key, Value: []byte(r.Value)})
		}
		if _, err := log.Produce(context.Background(), records); err != nil {
			return err
		}
		<-time.After(pause)
	}
	return nil
}
