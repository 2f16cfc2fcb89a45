//go:build real && linux

package cluster

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/trackmesh/trackmesh/broker"
	"github.com/trackmesh/trackmesh/broker/kafka"
	"github.com/trackmesh/trackmesh/test/checker"
	"github.com/trackmesh/trackmesh/test/servers"
)

const partitions = 6

// world is what all runs share: the networks, Kafka, Elasticsearch and the binary.
type world struct {
	network *network
	kafka   *servers.KafkaServer
	elastic *servers.ElasticsearchServer // nil: SQLite
	binary  string
	dir     string
	runs    int
	brokers sync.Mutex // one fault of Kafka at a time
	logf    func(format string, args ...any)
	tails   string // of the nodes' logs, of the last round
}

// run is one cluster with topics of its own.
type run struct {
	*world
	topic string
	dir   string
	nodes []*node
	log   *kafka.Log
	began time.Time
}

// newRun makes the nodes and the topics; no process runs yet. extra are further flags of the nodes.
func (w *world) newRun(ctx context.Context, nodes int, extra ...string) (*run, error) {
	w.runs++
	r := &run{world: w, topic: fmt.Sprintf("run%d", w.runs), began: time.Now()}
	r.dir = filepath.Join(w.dir, r.topic)
	if err := os.MkdirAll(r.dir, 0o755); err != nil {
		return nil, err
	}
	// Making topics takes a busy broker longer than a node would wait, now and then.
	err := until(ctx, 100*time.Millisecond, func() (err error) {
		r.log, err = kafka.Open(ctx, kafka.Options{Brokers: w.kafka.Brokers, OpenOptions: broker.OpenOptions{
			Topic: r.topic, Group: r.topic, Partitions: partitions, Enriched: true,
		}})
		return err
	})
	if err != nil {
		return nil, err
	}
	var joins []string
	for i := range nodes {
		joins = append(joins, "--join", net.JoinHostPort(w.network.nodes[i].addr, gossipPort))
	}
	for i := range nodes {
		n := newNode(i, w.network.nodes[i], w.binary, r.dir)
		r.nodes = append(r.nodes, n)
		n.args = slices.Concat(r.flags(n), joins, extra)
		if err := r.openDoors(n); err != nil {
			r.close()
			return nil, err
		}
	}
	return r, nil
}

func (r *run) flags(n *node) []string {
	flags := []string{
		"--node-name", n.name, "--http-addr", httpAddr,
		"--gossip-addr", net.JoinHostPort(n.space.addr, gossipPort), "--rpc-addr", net.JoinHostPort(n.space.addr, rpcPort),
		"--kafka-brokers", strings.Join(r.kafka.Brokers, ","), "--topic", r.topic, "--group", r.topic,
		"--quiet-clock=off", "--commit-interval", "50ms", "--data-dir", filepath.Join(r.dir, n.name), "--drain-timeout", "20s",
	}
	if r.elastic != nil {
		flags = append(flags, "--elasticsearch-urls", r.elastic.URL, "--elasticsearch-index-prefix", r.topic, "--elasticsearch-bulk-age", "200ms")
	}
	return flags
}

func (r *run) openDoors(n *node) error {
	for _, addr := range r.kafka.Brokers {
		d, err := newDoor(n.space, addr)
		if err != nil {
			return err
		}
		n.kafka = append(n.kafka, d)
	}
	if r.elastic == nil {
		return nil
	}
	u, err := url.Parse(r.elastic.URL)
	if err != nil {
		return err
	}
	d, err := newDoor(n.space, u.Host)
	n.stores = append(n.stores, d)
	return err
}

// close ends everything of the run at once.
func (r *run) close() {
	for _, n := range r.nodes {
		n.close()
		_ = n.space.cut(false)
	}
	_ = r.log.Close()
}

// running are the nodes with a process.
func (r *run) running() []*node {
	return slices.DeleteFunc(slices.Clone(r.nodes), func(n *node) bool { return !n.running() })
}

// any is a random node that may answer.
func (r *run) any() *node {
	if up := r.running(); len(up) > 0 {
		return up[rand.IntN(len(up))]
	}
	return r.nodes[0]
}

// insist asks one node after the other until one answers.
func (r *run) insist(ctx context.Context, method, path, contentType, body string, header map[string]string) (string, error) {
	var last error
	for {
		asked, cancel := context.WithTimeout(ctx, 10*time.Second)
		answer, err := r.any().ask(asked, method, path, contentType, body, header)
		cancel()
		if err == nil {
			return answer, nil
		}
		last = err
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("%s %s: %w (last: %w)", method, path, ctx.Err(), last)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// until waits for a condition; what it says last is the error.
func until(ctx context.Context, every time.Duration, condition func() error) error {
	for {
		err := condition()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(every):
		}
	}
}

// owned waits until every partition runs somewhere, as each running node sees it, and no node has more than its share.
func (r *run) owned(ctx context.Context) error {
	return until(ctx, 20*time.Millisecond, func() error {
		up := r.running()
		for _, n := range up {
			if err := r.ownedBy(ctx, n, len(up)); err != nil {
				return err
			}
		}
		return nil
	})
}

func (r *run) ownedBy(ctx context.Context, n *node, nodes int) error {
	s, err := n.state(ctx)
	if err != nil {
		return err
	}
	share := map[string]int{}
	for _, p := range s.Partitions {
		if p.State != "running" || p.Owner == "" {
			return fmt.Errorf("%s: partition %d is %s at %q: %s", n.name, p.Partition, p.State, p.Owner, p.Error)
		}
		share[p.Owner]++
	}
	if len(s.Partitions) != partitions || len(share) != min(nodes, partitions) {
		return fmt.Errorf("%s: %d partitions, shares %v of %d nodes", n.name, len(s.Partitions), share, nodes)
	}
	for owner, n := range share {
		if n > (partitions+nodes-1)/nodes {
			return fmt.Errorf("%s has %d of %d partitions, with %d nodes", owner, n, partitions, nodes)
		}
	}
	return nil
}

// settled waits until all input is handled and committed. It asks the log where the input ends: what nodes know may be old.
func (r *run) settled(ctx context.Context) error {
	return until(ctx, 50*time.Millisecond, func() error {
		s, err := r.any().state(ctx)
		if err != nil {
			return err
		}
		if len(s.Partitions) != partitions {
			return fmt.Errorf("%d partitions", len(s.Partitions))
		}
		for _, p := range s.Partitions {
			_, end, err := r.log.Bounds(ctx, broker.Input, p.Partition)
			if err != nil {
				return err
			}
			if p.State != "running" || p.InputOffset < end {
				return fmt.Errorf("partition %d is %s at %d of %d: %s", p.Partition, p.State, p.InputOffset, end, p.Error)
			}
		}
		return nil
	})
}

// stored waits until no sink is behind.
func (r *run) stored(ctx context.Context) error {
	return until(ctx, 50*time.Millisecond, func() error {
		for _, n := range r.running() {
			s, err := n.state(ctx)
			if err != nil {
				return err
			}
			if len(s.Sinks) == 0 {
				return errors.New("no sinks yet")
			}
			for _, sink := range s.Sinks {
				if sink.Lag > 0 || sink.Error != "" {
					return fmt.Errorf("%s at %s is %d behind: %s", sink.Name, n.name, sink.Lag, sink.Error)
				}
			}
		}
		return nil
	})
}

// each does the same to all nodes at once.
func (r *run) each(nodes []*node, do func(*node) error) error {
	errs := make([]error, len(nodes))
	var all sync.WaitGroup
	for i, n := range nodes {
		all.Go(func() { errs[i] = do(n) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// outcome stops every node cleanly and reads what was made. A node alone first lets the sinks catch up.
func (r *run) outcome(ctx context.Context) (checker.Outcome, []string, error) {
	var o checker.Outcome
	if err := r.each(r.running(), (*node).clean); err != nil {
		return o, nil, err
	}
	o, err := checker.Read(ctx, r.log)
	if err != nil || r.elastic == nil {
		return o, nil, err
	}
	if err := r.nodes[0].start(); err != nil {
		return o, nil, err
	}
	if err := errors.Join(r.owned(ctx), r.stored(ctx), r.nodes[0].clean()); err != nil {
		return o, nil, err
	}
	found, err := checker.CheckElasticsearch(ctx, r.elastic.URL, r.topic, o)
	return o, found, err
}

// tails are the ends of the nodes' logs.
func (r *run) tails() string {
	var b strings.Builder
	for _, n := range r.nodes {
		fmt.Fprintf(&b, "%s (%s):\n%s\n", n.name, n.log, n.tail())
	}
	return b.String()
}
