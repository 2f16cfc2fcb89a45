//go:build real

package node

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/broker"
	"github.com/trackmesh/trackmesh/test/servers"
)

// pauses watches what is committed and knows the longest silence of each partition.
type pauses struct {
	mu      sync.Mutex
	last    map[int32]time.Time
	longest map[int32]time.Duration
	end     map[int32]time.Time // when the longest silence ended
}

func (c *testCluster) pauses() *pauses {
	log := c.open()
	reader, err := log.NewReader(broker.ReaderOptions{Name: "pauses"})
	require.NoError(c, err)
	w := &pauses{last: map[int32]time.Time{}, longest: map[int32]time.Duration{}, end: map[int32]time.Time{}}
	for p := range log.Layout().Partitions {
		_, end, err := log.Bounds(c.Context(), broker.Enriched, p)
		require.NoError(c, err)
		reader.Add(broker.Enriched, p, end)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			fetches, err := reader.Poll(context.Background())
			if err != nil {
				return
			}
			for i := range fetches {
				if len(fetches[i].Records) > 0 {
					w.saw(fetches[i].Partition, time.Now())
				}
			}
		}
	}()
	c.Cleanup(func() { reader.Close(); <-done })
	return w
}

func (w *pauses) saw(p int32, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if last, ok := w.last[p]; ok && now.Sub(last) > w.longest[p] {
		w.longest[p], w.end[p] = now.Sub(last), now
	}
	w.last[p] = now
}

func (w *pauses) reset() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.longest)
}

// of are the longest silences of some partitions, shortest first, once each was heard again.
func (w *pauses) of(c *testCluster, partitions []int32) []time.Duration {
	asked := time.Now()
	var out []time.Duration
	for _, p := range partitions {
		require.Eventually(c, func() bool {
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.last[p].After(asked)
		}, 30*time.Second, 10*time.Millisecond)
		w.mu.Lock()
		out = append(out, w.longest[p])
		w.mu.Unlock()
	}
	slices.Sort(out)
	return out
}

// owners is who runs what.
func (c *testCluster) owners(n *Node) map[int32]string {
	owners := map[int32]string{}
	for _, p := range c.state(n).Partitions {
		owners[p.Partition] = p.Owner
	}
	return owners
}

// moved splits the partitions into those whose owner changed and the others.
func moved(before, after map[int32]string) (moved, stayed []int32) {
	for p, owner := range after {
		if before[p] == owner {
			stayed = append(stayed, p)
		} else {
			moved = append(moved, p)
		}
	}
	return moved, stayed
}

// BenchmarkClusterMoves has a third node come, leave and crash beside two that share a real Kafka under a load of 100 batches/s, and
// reports the silences of the committed documents: what a reader of the output sees. Each iteration is one of each.
func BenchmarkClusterMoves(b *testing.B) {
	c := &testCluster{TB: b, brokers: servers.Kafka(b, servers.KafkaOptions{}).Brokers, nodes: map[string]*Node{}}
	c.start("a") // the others join it
	c.start("b")
	c.settle("a", "b")
	load, watch := c.load(), c.pauses()
	var planned, others, crashed []time.Duration
	step := func(change func(), names ...string) (away, stayed []time.Duration) {
		c.quiet()
		watch.reset()
		before := c.owners(c.nodes["a"])
		change()
		c.settle(names...)
		went, here := moved(before, c.owners(c.nodes["a"]))
		return watch.of(c, went), watch.of(c, here)
	}
	for b.Loop() {
		away, stayed := step(func() { c.start("c") }, "a", "b", "c")
		planned, others = append(planned, away...), append(others, stayed...)
		away, stayed = step(func() { c.leave("c") }, "a", "b")
		planned, others = append(planned, away...), append(others, stayed...)
		step(func() { c.start("c") }, "a", "b", "c")
		away, stayed = step(func() { c.kill("c") }, "a", "b")
		crashed, others = append(crashed, away[len(away)-1]), append(others, stayed...)
	}
	report(b, "planned", planned)
	report(b, "others", others)
	report(b, "crash", crashed)
	c.check(load.stop())
}

func report(b *testing.B, name string, of []time.Duration) {
	slices.Sort(of)
	b.ReportMetric(of[0].Seconds(), name+"-min-s")
	b.ReportMetric(of[len(of)/2].Seconds(), name+"-median-s")
	b.ReportMetric(of[len(of)-1].Seconds(), name+"-max-s")
}
