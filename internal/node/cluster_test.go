package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/api"
	"github.com/trackmesh/trackmesh/broker"
	"github.com/trackmesh/trackmesh/broker/kafka"
	"github.com/trackmesh/trackmesh/broker/kafka/dev"
)

// TestACluster takes nodes in, loses some and lets others go, under a load, and counts what came out.
func TestACluster(t *testing.T) {
	server, err := dev.Start("127.0.0.1:0", map[string]int32{"positions": 12})
	require.NoError(t, err)
	t.Cleanup(server.Close)
	checkCluster(t, server.Brokers())
}

func checkCluster(t *testing.T, brokers []string) {
	t.Helper()
	c := &testCluster{TB: t, brokers: brokers, nodes: map[string]*Node{}}
	c.start("a")
	c.settle("a")
	load := c.load()
	c.start("b", "c")
	c.settle("a", "b", "c")
	require.Equal(t, http.StatusOK, c.status("c", "/readyz"))
	if underRace {
		c.kill("a")
		c.settle("b", "c")
		c.leave("b")
		c.settle("c")
	} else {
		c.start("d", "e", "f")
		c.settle("a", "b", "c", "d", "e", "f")
		c.kill("a", "b", "c")
		c.settle("d", "e", "f")
		c.leave("d")
		c.settle("e", "f")
	}
	sent := load.stop()
	c.check(sent)
}

// testCluster are nodes of one process that share a Kafka.
type testCluster struct {
	testing.TB
	brokers []string
	nodes   map[string]*Node
}

func (c *testCluster) options(name string) Options {
	o := testOptions(c.TB)
	o.KafkaBrokers, o.Partitions, o.NodeName, o.GossipAddr, o.RPCAddr = c.brokers, 12, name, "127.0.0.1:0", "127.0.0.1:0"
	for _, n := range c.nodes {
		o.Join = append(o.Join, n.gossip.Addr())
	}
	return o
}

// start starts nodes at the same time.
func (c *testCluster) start(names ...string) {
	c.Helper()
	nodes, errs := make([]*Node, len(names)), make([]error, len(names))
	var starting sync.WaitGroup
	for i, name := range names {
		o := c.options(name)
		starting.Go(func() { nodes[i], errs[i] = Start(context.Background(), o, slog.New(slog.DiscardHandler)) })
	}
	starting.Wait()
	for i, name := range names {
		if n := nodes[i]; n != nil {
			c.Cleanup(func() { require.NoError(c, n.Stop(context.Background())) })
			c.nodes[name] = n
		}
	}
	require.NoError(c, errors.Join(errs...))
}

// kill makes nodes vanish as a crash does, as far as one process can: no goodbye to anybody, no last commit.
func (c *testCluster) kill(names ...string) {
	c.Helper()
	var dying sync.WaitGroup
	for _, name := range names {
		n := c.nodes[name]
		delete(c.nodes, name)
		dying.Go(func() {
			for p := range n.log.Layout().Partitions {
				n.host.Abandon(p)
			}
			n.group.Load().Abandon()
			_ = n.gossip.Stop(context.Background())
		})
	}
	dying.Wait()
}

// leave stops a node as SIGTERM does.
func (c *testCluster) leave(name string) {
	c.Helper()
	require.NoError(c, c.nodes[name].Stop(c.Context()))
	delete(c.nodes, name)
}

// quiet waits until no rebalance is under way: the one that moves partitions is followed by another that moves none.
func (c *testCluster) quiet() {
	c.Helper()
	for _, n := range c.nodes {
		found := 0
		require.Eventually(c, func() bool {
			state, err := n.group.Load().Group.Describe(c.Context())
			require.NoError(c, err)
			if found++; state.State != "Stable" {
				found = 0
			}
			return found >= 20
		}, 30*time.Second, 20*time.Millisecond)
	}
}

// settle waits until every node says that exactly these share the partitions, evenly.
func (c *testCluster) settle(names ...string) {
	c.Helper()
	began := time.Now()
	for _, n := range c.nodes {
		require.Eventually(c, func() bool {
			owners := map[string]int{}
			for _, p := range c.state(n).Partitions {
				if p.State == "running" {
					owners[p.Owner]++
				}
			}
			total, share := 0, int(n.log.Layout().Partitions)/len(names)
			for _, name := range names {
				if owners[name] < share || owners[name] > share+1 {
					return false
				}
				total += owners[name]
			}
			return total == int(n.log.Layout().Partitions)
		}, 30*time.Second, 10*time.Millisecond, "%v: %v", names, c.state(n).Partitions)
	}
	c.Logf("%v share the partitions after %v", names, time.Since(began))
}

func (c *testCluster) state(n *Node) api.ClusterState {
	s, err := clusterState{n}.State(context.Background())
	require.NoError(c, err)
	return s
}

func (c *testCluster) status(name, path string) int {
	code, body := c.nodes[name].request(c.TB, http.MethodGet, path, "", "")
	c.Log(path, body)
	return code
}

// loading produces positions until it is stopped.
type loading struct {
	cancel context.CancelFunc
	done   chan struct{}
	sent   map[int32]int
}

func (c *testCluster) open() *kafka.Log {
	log, err := kafka.Open(c.Context(), kafka.Options{OpenOptions: broker.OpenOptions{Topic: "positions", Group: "trackmesh", Enriched: true}, Brokers: c.brokers})
	require.NoError(c, err)
	c.Cleanup(func() { require.NoError(c, log.Close()) })
	return log
}

func (c *testCluster) load() *loading {
	log := c.open()
	ctx, cancel := context.WithCancel(context.Background())
	l := &loading{cancel: cancel, done: make(chan struct{}), sent: map[int32]int{}}
	start := time.Now()
	go func() {
		defer close(l.done)
		for i := 0; ctx.Err() == nil; i++ {
			var batch []broker.Record
			for v := range 60 {
				vehicle := fmt.Sprintf("v%d", v)
				p := broker.Murmur2([]byte(vehicle), log.Layout().Partitions)
				at := start.Add(time.Duration(i) * 10 * time.Millisecond)
				batch = append(batch, broker.Record{Stream: broker.Input, Partition: p, Key: []byte(vehicle), Value: fmt.Appendf(nil,
					`{"vehicle":%q,"time":%d,"longitude":%f,"latitude":40.7}`, vehicle, at.UnixMilli(), -74+float64(i)*1e-6)})
				l.sent[p]++
			}
			if _, err := log.Produce(context.Background(), batch); err != nil {
				c.Errorf("producing: %v", err)
				return
			}
			select {
			case <-ctx.Done():
			case <-time.After(10 * time.Millisecond):
			}
		}
	}()
	return l
}

func (l *loading) stop() map[int32]int {
	l.cancel()
	<-l.done
	return l.sent
}

// check reads what was committed: one document for each record, each with an id of its own.
func (c *testCluster) check(sent map[int32]int) {
	c.Helper()
	log := c.open()
	reader, err := log.NewReader(broker.ReaderOptions{Name: "check"})
	require.NoError(c, err)
	defer reader.Close()
	for p := range sent {
		reader.Add(broker.Enriched, p, 0)
	}
	documents, ids := map[int32]int{}, map[string]bool{}
	ctx, cancel := context.WithTimeout(c.Context(), time.Minute)
	defer cancel()
	for !equal(documents, sent) {
		fetches, err := reader.Poll(ctx)
		require.NoError(c, err, "sent %v, found %v", sent, documents)
		for _, f := range fetches {
			for i := range f.Records {
				var d struct {
					Source struct{ Offset int64 } `json:"source"`
				}
				require.NoError(c, json.Unmarshal(f.Records[i].Value, &d))
				id := fmt.Sprint(f.Partition, "/", d.Source.Offset)
				require.False(c, ids[id], "twice: %s", id)
				ids[id] = true
				documents[f.Partition]++
			}
		}
	}
}

func equal(a, b map[int32]int) bool {
	for p, n := range b {
		if a[p] != n {
			return false
		}
	}
	return len(a) == len(b)
}

func TestNodesPlaceByWhatTheyWereGiven(t *testing.T) {
	owners := place([]kafka.GroupCandidate{
		{ID: "x", Generation: 3, Owned: []int32{0, 1, 2}},
		{ID: "y", Generation: 2, Owned: []int32{2, 3}},
		{ID: "z", Draining: true, Generation: 3, Owned: []int32{4, 5}},
		{ID: "w", Generation: -1, Warm: []int32{4}},
	}, 6)
	require.Equal(t, []int{0, 0}, owners[:2], "who has it keeps it")
	require.Equal(t, 3, owners[4], "who has its state takes it over")
	require.NotContains(t, owners, 2, "who drains takes nothing")
	require.NotContains(t, owners, -1)
	slices.Sort(owners)
	require.Equal(t, []int{0, 0, 1, 1, 3, 3}, owners)
}
