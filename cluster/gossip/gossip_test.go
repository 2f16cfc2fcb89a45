package gossip

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/trackmesh/trackmesh/cluster"
	"github.com/trackmesh/trackmesh/internal/logtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type node struct {
	*Gossip
	log *logtest.Log
}

func start(t testing.TB, o Options) *node {
	t.Helper()
	n := &node{}
	if o.BindAddr == "" {
		o.BindAddr = "127.0.0.1:0"
	}
	if o.Boot == "" {
		o.Boot = "boot-1"
	}
	o.HTTP, o.RPC = "127.0.0.1:80", "127.0.0.1:90"
	o.Logger, n.log = logtest.New()
	g, err := New(o)
	require.NoError(t, err)
	require.NoError(t, g.Start(t.Context()))
	n.Gossip = g
	t.Cleanup(func() { n.kill(t) })
	return n
}

// kill ends it without a goodbye.
func (n *node) kill(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	require.NoError(t, n.Stop(ctx))
}

// calm timings take nobody for dead on a machine that is busy with other tests.
func calm(c *memberlist.Config) {
	c.ProbeInterval, c.ProbeTimeout, c.SuspicionMult = 2*time.Second, 1900*time.Millisecond, 8
	c.TCPTimeout = 20 * time.Second
}

func startAll(t testing.TB, tune func(*memberlist.Config), names ...string) []*node {
	t.Helper()
	var nodes []*node
	for _, name := range names {
		n := start(t, Options{Name: name, tune: tune})
		if len(nodes) > 0 {
			require.NoError(t, n.Join(t.Context(), []string{nodes[0].Addr()}))
		}
		nodes = append(nodes, n)
	}
	return nodes
}

func (n *node) names() (names []string) {
	for _, m := range n.Members() {
		names = append(names, m.Name)
	}
	return names
}

func (n *node) member(name string) cluster.Member {
	for _, m := range n.Members() {
		if m.Name == name {
			return m
		}
	}
	return cluster.Member{}
}

const soon, tick = 10 * time.Second, 20 * time.Millisecond

func eventuallySees(t testing.TB, n *node, names ...string) {
	t.Helper()
	require.Eventually(t, func() bool { return slices.Equal(n.names(), names) }, soon, tick, "%v sees %v, not %v\n%s", n.opts.Name, n.names(), names, n.log)
}

func TestEverybodyKnowsWhatEachSaysOfItself(t *testing.T) {
	t.Parallel()
	nodes := startAll(t, calm, "a", "b", "c")
	for _, n := range nodes {
		eventuallySees(t, n, "a", "b", "c")
	}
	running := []cluster.Running{{Partition: 7, Term: 3}, {Partition: 2, Term: 9}}
	nodes[0].SetRunning(running)
	nodes[0].SetStatus(cluster.Draining)
	want := []cluster.Running{{Partition: 2, Term: 9}, {Partition: 7, Term: 3}}
	require.Equal(t, want, nodes[0].Self().Running, "at once for itself, by partition")
	require.EqualValues(t, 7, running[0].Partition, "the caller's list is its own")
	for _, n := range nodes {
		require.Eventually(t, func() bool {
			m := n.member("a")
			return slices.Equal(m.Running, want) && m.Status == cluster.Draining
		}, soon, tick)
		m := n.member("a")
		require.Equal(t, cluster.Member{
			Name: "a", Boot: "boot-1", HTTP: "127.0.0.1:80", RPC: "127.0.0.1:90", Gossip: nodes[0].Addr(), Status: cluster.Draining, Since: m.Since, Running: want,
		}, m)
		require.WithinDuration(t, time.Now(), m.Since, time.Minute)
	}
}

func TestWatchersAreCalledUntilTheyCancel(t *testing.T) {
	t.Parallel()
	a := start(t, Options{Name: "a"})
	calls := make(chan struct{}, 100)
	cancel := a.Watch(func() { calls <- struct{}{} })
	other := make(chan struct{}, 100)
	a.Watch(func() { other <- struct{}{} })
	a.SetStatus(cluster.Sick)
	receive(t, calls)
	receive(t, other)
	b := start(t, Options{Name: "b"})
	require.NoError(t, b.Join(t.Context(), []string{a.Addr()}))
	receive(t, calls)
	cancel()
	eventuallySees(t, a, "a", "b")
	for len(other) > 0 {
		<-other
	}
	a.SetStatus(cluster.Alive)
	a.SetStatus(cluster.Alive)
	receive(t, other)
}

func receive(t *testing.T, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(soon):
		t.Fatal("nothing came")
	}
}

func TestADeathIsSeenWithinSeconds(t *testing.T) {
	t.Parallel()
	nodes := startAll(t, nil, "a", "b", "c", "d")
	for _, n := range nodes {
		eventuallySees(t, n, "a", "b", "c", "d")
	}
	killed := time.Now()
	nodes[3].kill(t)
	eventuallySees(t, nodes[0], "a", "b", "c")
	t.Logf("seen after %v: 1.3 to 1.6 s where there is a processor to be had", time.Since(killed))
	require.Contains(t, nodes[0].log.String(), "did not say goodbye\" member=d")
}

func TestALeaveIsToldFromADeath(t *testing.T) {
	t.Parallel()
	nodes := startAll(t, calm, "a", "b", "c")
	for _, n := range nodes {
		eventuallySees(t, n, "a", "b", "c")
	}
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	require.NoError(t, nodes[2].Leave(ctx))
	nodes[2].kill(t)
	require.NoError(t, nodes[2].Leave(ctx), "again is no error")
	for _, n := range nodes[:2] {
		eventuallySees(t, n, "a", "b")
		require.Contains(t, n.log.String(), "msg=\"member left\" member=c")
		require.NotContains(t, n.log.String(), "did not say goodbye")
	}
}

func TestADirectPingTellsTheLivingFromTheDead(t *testing.T) {
	t.Parallel()
	nodes := startAll(t, nil, "a", "b", "c")
	eventuallySees(t, nodes[0], "a", "b", "c")
	require.Eventually(t, func() bool { return nodes[0].Ping(t.Context(), "b") == nil }, soon, tick)
	nodes[2].kill(t)
	require.Error(t, nodes[0].Ping(t.Context(), "c"))
	eventuallySees(t, nodes[0], "a", "b")
	require.Error(t, nodes[0].Ping(t.Context(), "c"), "also when gossip has declared it dead")
	require.ErrorIs(t, nodes[0].Ping(t.Context(), "never-seen"), ErrUnknownMember)
	require.Eventually(t, func() bool {
		missed := nodes[0].Missed(t.Context(), []string{"b", "c", "never-seen"})
		return missed["b"] == 0 && missed["c"] == 2 && missed["never-seen"] == 2
	}, soon, tick)
}

// TestManyNodesConverge runs by itself: 50 nodes in one process leave little of two cores for others.
func TestManyNodesConverge(t *testing.T) { //nolint:paralleltest // see above
	if testing.Short() {
		return
	}
	const n = many
	began := time.Now()
	var nodes []*node
	for i := range n {
		m := start(t, Options{Name: fmt.Sprintf("n%02d", i), tune: calm})
		m.SetRunning([]cluster.Running{{Partition: int32(i), Term: 1}})
		if i > 0 {
			require.Eventually(t, func() bool { return m.Join(t.Context(), []string{nodes[0].Addr()}) == nil }, 60*time.Second, tick)
		}
		nodes = append(nodes, m)
	}
	unknown := func(g *node) (missing []string) {
		members := g.Members()
		for p := range int32(n) {
			if owner, _, ok := cluster.Owner(members, p); !ok || owner.Name != nodes[p].opts.Name {
				missing = append(missing, nodes[p].opts.Name)
			}
		}
		return missing
	}
	for _, g := range nodes {
		require.Eventually(t, func() bool { return len(unknown(g)) == 0 }, 60*time.Second, tick, "%s does not know the owners %v\n%s", g.opts.Name, unknown(g), g.log)
	}
	t.Logf("%d nodes know of each other and of all partitions %v after the first started", n, time.Since(began))
}

func TestANameThatIsTakenIsSaidClearly(t *testing.T) {
	t.Parallel()
	nodes := startAll(t, calm, "a", "b")
	twin := start(t, Options{Name: "b", Boot: "boot-2", tune: calm})
	err := twin.Join(t.Context(), []string{nodes[0].Addr()})
	var taken *NameTakenError
	require.ErrorAs(t, err, &taken)
	require.Equal(t, nodes[1].Addr(), taken.Addr)
	require.ErrorContains(t, err, "--node-name")
	require.Contains(t, twin.log.String(), "another live node has this node's name")
	require.Eventually(t, func() bool { return strings.Contains(nodes[0].log.String(), "two nodes have the same name") }, soon, tick)
}

func TestADeadNameComesBackFromAnotherAddress(t *testing.T) {
	t.Parallel()
	nodes := startAll(t, nil, "a", "b", "c")
	eventuallySees(t, nodes[0], "a", "b", "c")
	nodes[2].kill(t)
	again := start(t, Options{Name: "c", Boot: "boot-2"})
	require.Eventually(t, func() bool { return again.Join(t.Context(), []string{nodes[0].Addr()}) == nil }, soon, 200*time.Millisecond)
	for _, n := range nodes[:2] {
		require.Eventually(t, func() bool { m := n.member("c"); return m.Boot == "boot-2" && m.Gossip == again.Addr() }, soon, tick, "%s\n%s\n%s", n.log, nodes[0].log, again.log)
	}
}

func TestANodeThatRestartsBeforeItIsMissedIsAnotherStart(t *testing.T) {
	t.Parallel()
	nodes := startAll(t, calm, "a", "b")
	nodes[1].SetRunning([]cluster.Running{{Partition: 1, Term: 1}})
	require.Eventually(t, func() bool { return len(nodes[0].member("b").Running) == 1 }, soon, tick)
	addr := nodes[1].Addr()
	nodes[1].kill(t)
	again := start(t, Options{Name: "b", Boot: "boot-2", BindAddr: addr, tune: calm})
	require.NoError(t, again.Join(t.Context(), []string{nodes[0].Addr()}))
	require.Eventually(t, func() bool { m := nodes[0].member("b"); return m.Boot == "boot-2" && len(m.Running) == 0 }, soon, tick)
	require.Contains(t, nodes[0].log.String(), "member restarted")
}

func TestWhatCannotStartSaysWhichFlag(t *testing.T) {
	t.Parallel()
	a := start(t, Options{Name: "a"})
	for want, o := range map[string]Options{
		"--gossip-addr":    {Name: "b", BindAddr: a.Addr()},
		"--gossip-addr: ":  {Name: "b", BindAddr: "nonsense"},
		"--advertise-host": {Name: "b", BindAddr: "127.0.0.1:0", AdvertiseHost: "no.such.host.invalid"},
	} {
		o.Logger = slog.New(slog.DiscardHandler)
		g, err := New(o)
		require.NoError(t, err)
		require.ErrorContains(t, g.Start(t.Context()), want)
		require.NoError(t, g.Stop(t.Context()))
	}
	for want, o := range map[string]Options{
		"--node-name":      {},
		"--advertise-host": {Name: "b", HTTP: strings.Repeat("h", 240), RPC: strings.Repeat("r", 240), Boot: strings.Repeat("b", 60)},
	} {
		_, err := New(o)
		require.ErrorContains(t, err, want)
	}
}

func TestWhatOthersAreToldIsWhereTheyReachUs(t *testing.T) {
	t.Parallel()
	for _, c := range [][3]string{
		{"127.0.0.1:80", "", "127.0.0.1:80"},
		{"10.0.0.1:80", "agent-7", "agent-7:80"},
		{"0.0.0.0:80", "10.1.2.3", "10.1.2.3:80"},
		{"node-a:80", "", "node-a:80"},
		{"[::]:80", "fd00::1", "[fd00::1]:80"},
	} {
		got, err := Reachable(c[0], c[1])
		require.NoError(t, err)
		require.Equal(t, c[2], got)
	}
	_, err := Reachable("nonsense", "")
	require.Error(t, err)
	addr := func(cidr string) net.Addr {
		ip, network, err := net.ParseCIDR(cidr)
		require.NoError(t, err)
		network.IP = ip
		return network
	}
	ip, ok := own([]net.Addr{addr("127.0.0.1/8"), addr("fe80::1/64"), addr("fd00::1/64"), addr("8.8.8.8/24"), addr("10.0.0.9/24"), addr("10.0.0.10/24")})
	require.True(t, ok)
	require.Equal(t, "10.0.0.9", ip.String(), "the first private one")
	_, ok = own([]net.Addr{addr("127.0.0.1/8")})
	require.False(t, ok)
	a := start(t, Options{Name: "a", BindAddr: "0.0.0.0:0", AdvertiseHost: "127.0.0.1"})
	require.Contains(t, a.log.String(), "other machines cannot reach this node")
	require.True(t, strings.HasPrefix(a.Addr(), "127.0.0.1:"))
}

func TestStartAndStopInAnyOrderEndsEverything(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	for i := range 10 {
		g, err := New(Options{Name: "a", Boot: "b", BindAddr: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler), Registerer: registry})
		require.NoError(t, err)
		if i%3 == 0 {
			require.NoError(t, g.Stop(t.Context()))
			require.ErrorIs(t, g.Join(t.Context(), []string{"127.0.0.1:1"}), errNotRunning)
			require.ErrorIs(t, g.Ping(t.Context(), "a"), errNotRunning)
			continue
		}
		require.NoError(t, g.Start(t.Context()))
		var wait sync.WaitGroup
		for range 3 {
			wait.Go(func() { g.SetRunning([]cluster.Running{{Partition: int32(i), Term: 1}}) })
			wait.Go(func() { _ = g.Leave(t.Context()) })
			wait.Go(func() { _ = g.Join(t.Context(), []string{"127.0.0.1:1"}) })
			wait.Go(func() { require.NoError(t, g.Stop(t.Context())) })
		}
		wait.Wait()
		require.NoError(t, g.Stop(t.Context()))
	}
}

func TestMetricsCountMembersAndTheirEvents(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	a := start(t, Options{Name: "a", Registerer: registry})
	b := start(t, Options{Name: "b"})
	require.NoError(t, b.Join(t.Context(), []string{a.Addr()}))
	eventuallySees(t, a, "a", "b")
	require.NoError(t, testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP trackmesh_cluster_members Members that are not dead, this node included, by what they say of themselves.
# TYPE trackmesh_cluster_members gauge
trackmesh_cluster_members{status="alive"} 2
trackmesh_cluster_members{status="draining"} 0
trackmesh_cluster_members{status="suspect"} 0
# HELP trackmesh_cluster_member_events_total What became known of other members, by event.
# TYPE trackmesh_cluster_member_events_total counter
trackmesh_cluster_member_events_total{event="joined"} 1
`), "trackmesh_cluster_members", "trackmesh_cluster_member_events_total"))
}
