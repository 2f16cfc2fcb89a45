package gossip

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/trackmesh/trackmesh/cluster"
)

func lists(t *rapid.T) []cluster.Running {
	var out []cluster.Running
	n := rapid.IntRange(0, 450).Draw(t, "partitions")
	for p := int32(0); len(out) < n; {
		p += rapid.Int32Range(1, 1000).Draw(t, "gap")
		out = append(out, cluster.Running{Partition: p - 1, Term: rapid.Uint64().Draw(t, "term")})
	}
	return out
}

func TestMetadataComesBackAsItWentAndFits(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringN(0, 40, 80)
		m := meta{
			status: rapid.SampledFrom([]cluster.Status{cluster.Alive, cluster.Draining, cluster.Sick}).Draw(t, "status"),
			boot:   text.Draw(t, "boot"), http: text.Draw(t, "http"), rpc: text.Draw(t, "rpc"),
			listVersion: rapid.Uint64().Draw(t, "version"), running: lists(t),
		}
		b := m.encode(metaLimit)
		require.LessOrEqual(t, len(b), metaLimit)
		got, err := decodeMeta(b)
		require.NoError(t, err)
		if m.elsewhere {
			m.running = nil
		}
		require.Equal(t, m, got)
	})
}

func TestListsComeBackWholeOrInParts(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		l := list{name: "n", boot: "b", version: rapid.Uint64Min(1).Draw(t, "version"), parts: 1, running: lists(t)}
		got, err := decodeList(l.encode())
		require.NoError(t, err)
		require.Equal(t, l, got)
		table := newTable()
		table.heard("n", "", meta{boot: "b", listVersion: l.version, elsewhere: true}, time.Now())
		parts := split(l)
		if len(parts) > 0 {
			parts = rapid.Permutation(parts).Draw(t, "order")
			parts = append(parts, parts...) // broadcasts come more than once
		}
		for _, p := range parts {
			p, err := decodeList(p.encode())
			require.NoError(t, err)
			table.listed(p)
		}
		require.Equal(t, l.running, table.members()[0].Running)
	})
}

// TestWhatFitsTheMetadata says how far 512 bytes go: 64 partitions a node are supported, and 500 nodes with 10,000 partitions
// have 20 each.
func TestWhatFitsTheMetadata(t *testing.T) {
	t.Parallel()
	m := func(partitions, of int) *meta {
		rng := rand.New(rand.NewPCG(1, 1))
		m := &meta{boot: "18f3a1b2c4d5e6f7", http: "mesos-agent-0123.example.org:31005", rpc: "mesos-agent-0123.example.org:31006", listVersion: 100_000}
		for i := range partitions {
			m.running = append(m.running, cluster.Running{Partition: int32(i * of / partitions), Term: 1000 + rng.Uint64N(50)})
		}
		return m
	}
	for _, c := range []struct {
		partitions, of int
		elsewhere      bool
	}{{20, 10_000, false}, {64, 10_000, false}, {150, 10_000, false}, {200, 400, false}, {1000, 10_000, true}, {10_000, 10_000, true}} {
		t.Run(fmt.Sprintf("%d of %d", c.partitions, c.of), func(t *testing.T) {
			t.Parallel()
			m := m(c.partitions, c.of)
			b := m.encode(metaLimit)
			t.Logf("%d bytes", len(b))
			require.LessOrEqual(t, len(b), metaLimit)
			require.Equal(t, c.elsewhere, m.elsewhere)
		})
	}
	for _, p := range split(list{name: strings.Repeat("n", maxText), boot: "18f3a1b2c4d5e6f7", version: 1 << 40, running: m(10_000, 10_000).running}) {
		require.Less(t, len(p.encode()), 1000, "a part fits a packet")
	}
}

func TestALongListReachesEverybody(t *testing.T) {
	t.Parallel()
	nodes := startAll(t, calm, "a", "b", "c")
	long := make([]cluster.Running, 10_000)
	for i := range long {
		long[i] = cluster.Running{Partition: int32(i), Term: 1}
	}
	nodes[0].SetRunning(long[:10])
	eventuallyRuns(t, nodes, 10, 1)
	nodes[0].SetRunning(long)
	eventuallyRuns(t, nodes, 10_000, 1)
	next := make([]cluster.Running, 9_000)
	for i := range next {
		next[i] = cluster.Running{Partition: int32(i), Term: 2}
	}
	nodes[0].SetRunning(next)
	eventuallyRuns(t, nodes, 9_000, 2)
	late := start(t, Options{Name: "d", tune: calm})
	require.NoError(t, late.Join(t.Context(), []string{nodes[1].Addr()}))
	eventuallyRuns(t, []*node{late}, 9_000, 2)
	nodes[0].SetRunning(long[:3])
	eventuallyRuns(t, append(nodes, late), 3, 1)
}

func eventuallyRuns(t *testing.T, nodes []*node, n int, term uint64) {
	t.Helper()
	began := time.Now()
	defer func() { t.Logf("%d partitions known to all after %v", n, time.Since(began)) }()
	for _, node := range nodes {
		require.Eventually(t, func() bool {
			r := node.member("a").Running
			return len(r) == n && r[0].Term == term
		}, 30*time.Second, tick, "%s knows of %d", node.opts.Name, len(node.member("a").Running))
	}
}

func TestTheTableByEvent(t *testing.T) {
	t.Parallel()
	now := time.Now()
	table := newTable()
	listed := func(l list) happening {
		what, _ := table.listed(l)
		return what
	}
	require.Equal(t, nothing, table.lost("a", now), "never seen")
	require.Equal(t, nothing, listed(list{name: "a", parts: 1}), "never seen")
	require.Equal(t, joined, table.heard("a", "h:1", meta{boot: "1", listVersion: 1, running: []cluster.Running{{Partition: 4, Term: 1}}}, now))
	require.Equal(t, changed, table.heard("a", "h:1", meta{boot: "1", listVersion: 2, elsewhere: true}, now))
	require.Len(t, table.members()[0].Running, 1, "what it ran before counts until the new list comes")
	require.Equal(t, nothing, listed(list{name: "a", boot: "0", version: 9, parts: 1}), "of an earlier start")
	require.Equal(t, nothing, listed(list{name: "a", boot: "1", version: 3, parts: 2}), "half of it")
	require.Equal(t, changed, listed(list{name: "a", boot: "1", version: 4, parts: 1}), "a newer one overtakes")
	require.Empty(t, table.members()[0].Running)
	require.Equal(t, nothing, listed(list{name: "a", boot: "1", version: 3, part: 1, parts: 2}), "too late")
	require.Equal(t, restarted, table.heard("a", "h:2", meta{boot: "2"}, now))
	require.Equal(t, died, table.lost("a", now))
	addr, ok := table.address("a")
	require.True(t, ok)
	require.Equal(t, "h:2", addr)
	table.heard("b", "h:3", meta{status: cluster.Draining}, now)
	require.Equal(t, left, table.lost("b", now))
	for i := range maxGone + 10 {
		name := fmt.Sprint("n", i)
		table.heard(name, "", meta{}, now)
		table.lost(name, now.Add(time.Duration(i)*time.Second))
	}
	require.Len(t, table.gone, maxGone)
	_, ok = table.address("a")
	require.False(t, ok, "the oldest are forgotten")
}

func FuzzDecode(f *testing.F) {
	m := meta{boot: "b", http: "h:1", rpc: "h:2", listVersion: 3, running: []cluster.Running{{Partition: 1, Term: 2}, {Partition: 9, Term: 1}}}
	l := list{name: "n", boot: "b", version: 3, parts: 1, running: m.running}
	f.Add(m.encode(metaLimit))
	f.Add(m.encode(10))
	f.Add(l.encode())
	f.Add(goodbye("n", "b"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := decodeMeta(b); err == nil {
			again, err := decodeMeta(m.encode(1 << 20))
			require.NoError(t, err)
			if !m.elsewhere {
				require.Equal(t, m, again)
			}
		}
		if l, err := decodeList(b); err == nil {
			again, err := decodeList(l.encode())
			require.NoError(t, err)
			require.Equal(t, l, again)
		}
		g := &Gossip{inbox: newInbox(), table: newTable(), broadcasts: &memberlist.TransmitLimitedQueue{NumNodes: func() int { return 1 }}}
		g.table.heard("n", "", meta{boot: "b"}, time.Time{})
		delegate{g}.MergeRemoteState(b, true)
		delegate{g}.NotifyMsg(b)
		for _, e := range g.inbox.take() {
			g.takeIn(e)
		}
	})
}

func BenchmarkMeta(b *testing.B) {
	m := meta{boot: "18f3a1b2c4d5e6f7", http: "10.0.0.1:31005", rpc: "10.0.0.1:31006", listVersion: 1000}
	for p := range int32(64) {
		m.running = append(m.running, cluster.Running{Partition: p * 3, Term: 1000 + uint64(p)})
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := decodeMeta(m.encode(metaLimit)); err != nil {
			b.Fatal(err)
		}
	}
}
