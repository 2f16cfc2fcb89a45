package gossip

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
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
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// logged is what a node logged.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

type node struct {
	*Gossip
	log *logged
}

func start(t testing.TB, o Options) *node {
	t.Helper()
	n := &node{log: &logged{}}
	if o.BindAddr == "" {
		o.BindAddr = "127.0.0.1:0"
	}
	if o.Boot == "" {
		o.Boot = "boot-1"
	}
	o.HTTP, o.RPC = "127.0.0.1:80", "127.0.0.1:90"
	o.Logger = slog.New(slog.NewTextHandler(n.log, nil))
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

// cut is a network in which nodes can be kept apart, by their ports.
type cut struct {
	mu    sync.Mutex
	sides map[string]int // by address; those without one hear everybody
}

func (c *cut) divide(sides map[string]int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sides = sides
}

func (c *cut) apart(a, b string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	x, ok := c.sides[a]
	y, ok2 := c.sides[b]
	return ok && ok2 && x != y
}

type wire struct {
	memberlist.NodeAwareTransport
	cut  *cut
	self string
}

func (c *cut) wrap(n memberlist.NodeAwareTransport) memberlist.NodeAwareTransport {
	ip, port, err := n.FinalAdvertiseAddr("127.0.0.1", n.(*memberlist.NetTransport).GetAutoBindPort())
	if err != nil {
		panic(err)
	}
	return &wire{n, c, net.JoinHostPort(ip.String(), strconv.Itoa(port))}
}

func (w *wire) WriteToAddress(b []byte, a memberlist.Address) (time.Time, error) {
	if w.cut.apart(w.self, a.Addr) {
		return time.Now(), nil
	}
	return w.NodeAwareTransport.WriteToAddress(b, a)
}

func (w *wire) WriteTo(b []byte, addr string) (time.Time, error) {
	return w.WriteToAddress(b, memberlist.Address{Addr: addr})
}

var errCut = errors.New("cut")

func (w *wire) DialAddressTimeout(a memberlist.Address, d time.Duration) (net.Conn, error) {
	if w.cut.apart(w.self, a.Addr) {
		return nil, errCut
	}
	return w.NodeAwareTransport.DialAddressTimeout(a, d)
}

func (w *wire) DialTimeout(addr string, d time.Duration) (net.Conn, error) {
	return w.DialAddressTimeout(memberlist.Address{Addr: addr}, d)
}

func TestADividedClusterHealsByItself(t *testing.T) {
	t.Parallel()
	network := &cut{}
	var nodes []*node
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		n := start(t, Options{Name: name, wrap: network.wrap})
		if len(nodes) > 0 {
			require.NoError(t, n.Join(t.Context(), []string{nodes[0].Addr()}))
		}
		nodes = append(nodes, n)
	}
	for _, n := range nodes {
		eventuallySees(t, n, "a", "b", "c", "d", "e")
	}
	sides := map[string]int{}
	for i, n := range nodes {
		sides[n.Addr()] = min(i/3, 1)
	}
	network.divide(sides)
	for i, n := range nodes {
		if i < 3 {
			eventuallySees(t, n, "a", "b", "c")
		} else {
			eventuallySees(t, n, "d", "e")
		}
	}
	require.Error(t, nodes[0].Ping(t.Context(), "d"))
	require.Error(t, nodes[3].Join(t.Context(), []string{nodes[0].Addr()}))
	network.divide(nil)
	for _, n := range nodes { // gossip to the dead makes both sides meet; if not, re-seeding does
		eventuallySees(t, n, "a", "b", "c", "d", "e")
	}
}

// TestFiftyNodesConverge runs by itself: 50 nodes in one process leave little of two cores for others.
func TestFiftyNodesConverge(t *testing.T) { //nolint:paralleltest // see above
	if testing.Short() {
		return
	}
	const n = 50
	began := time.Now()
	var nodes []*node
	for i := range n {
		m := start(t, Options{Name: fmt.Sprintf("n%02d", i), tune: calm})
		m.SetRunning([]cluster.Running{{Partition: int32(i), Term: 1}})
		if i > 0 {
			require.NoError(t, m.Join(t.Context(), []string{nodes[0].Addr()}))
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

func keyFile(t *testing.T, keys ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "keys")
	writeKeys(t, file, keys...)
	return file
}

func writeKeys(t *testing.T, file string, keys ...string) {
	t.Helper()
	require.NoError(t, os.WriteFile(file, []byte("# gossip keys\n\n"+strings.Join(keys, "\n")+"\n"), 0o600))
}

func newKey(t *testing.T) string {
	t.Helper()
	key := make([]byte, 32)
	_, err := rand.Read(key)
	require.NoError(t, err)
	return base64.StdEncoding.EncodeToString(key)
}

func keysOf(t *testing.T, file string) *Keys {
	t.Helper()
	k, err := ReadKeys(file)
	require.NoError(t, err)
	return k
}

func TestNodesWithWrongKeysNeverJoinAndSayWhy(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	for name, keys := range map[string][2]string{"other keys": {key, newKey(t)}, "we have none": {key, ""}, "they have none": {"", key}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var nodes []*node
			for i, k := range keys {
				o := Options{Name: fmt.Sprint("n", i)}
				if k != "" {
					o.Keys = keysOf(t, keyFile(t, k))
				}
				nodes = append(nodes, start(t, o))
			}
			err := nodes[1].Join(t.Context(), []string{nodes[0].Addr()})
			require.ErrorContains(t, err, "--gossip-key-file")
			require.Eventually(t, func() bool { return strings.Contains(nodes[0].log.String(), "--gossip-key-file") }, soon, tick)
			require.NotContains(t, err.Error()+nodes[0].log.String(), key)
			require.Equal(t, []string{"n0"}, nodes[0].names())
			require.Equal(t, []string{"n1"}, nodes[1].names())
		})
	}
}

func TestNodesOfAnotherClusterNeverJoin(t *testing.T) {
	t.Parallel()
	a, b := start(t, Options{Name: "a", Cluster: "one"}), start(t, Options{Name: "b", Cluster: "two"})
	require.ErrorContains(t, b.Join(t.Context(), []string{a.Addr()}), "--group")
	require.Eventually(t, func() bool { return strings.Contains(a.log.String(), "gossip of another cluster refused") }, soon, tick)
	require.Len(t, a.Members(), 1)
}

func TestKeysRotateWithoutLosingAMember(t *testing.T) {
	t.Parallel()
	older, newer := newKey(t), newKey(t)
	var files []string
	var nodes []*node
	for _, name := range []string{"a", "b", "c"} {
		file := keyFile(t, older)
		n := start(t, Options{Name: name, Keys: keysOf(t, file), tune: calm})
		if len(nodes) > 0 {
			require.NoError(t, n.Join(t.Context(), []string{nodes[0].Addr()}))
		}
		files, nodes = append(files, file), append(nodes, n)
	}
	for step, keys := range [][]string{{older, newer}, {newer, older}, {newer}} {
		for i, n := range nodes {
			writeKeys(t, files[i], keys...)
			n.ReloadKeys()
		}
		nodes[step].SetRunning([]cluster.Running{{Partition: int32(step), Term: 5}})
		for _, n := range nodes {
			require.Eventually(t, func() bool {
				owner, _, ok := cluster.Owner(n.Members(), int32(step))
				return ok && owner.Name == nodes[step].opts.Name
			}, soon, tick)
		}
	}
	for _, n := range nodes {
		require.Equal(t, []string{"a", "b", "c"}, n.names())
		require.NotContains(t, n.log.String(), "died")
		require.Contains(t, n.log.String(), "gossip keys changed")
	}
	late := start(t, Options{Name: "d", Keys: keysOf(t, keyFile(t, older))})
	require.Error(t, late.Join(t.Context(), []string{nodes[0].Addr()}), "the old key opens nothing any more")
}

func TestABadKeyFileIsNamedByItsLineAndChangesNothing(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	for text, want := range map[string]string{
		"":                        "there is no key",
		"# only words\n":          "there is no key",
		key + "\n???":             "line 2: not base64",
		"c2hvcnQ=":                "line 1: 5 bytes",
		"# x\n\n" + key[:20] + "": "line 3",
	} {
		file := filepath.Join(t.TempDir(), "keys")
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		_, err := ReadKeys(file)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), key)
	}
	_, err := ReadKeys(filepath.Join(t.TempDir(), "none"))
	require.ErrorIs(t, err, os.ErrNotExist)
	file := keyFile(t, key)
	a := start(t, Options{Name: "a", Keys: keysOf(t, file)})
	require.NoError(t, os.WriteFile(file, []byte("???"), 0o600))
	a.ReloadKeys()
	a.ReloadKeys()
	require.Equal(t, 1, strings.Count(a.log.String(), "gossip keys not read again"))
	require.Len(t, a.opts.Keys.ring.GetKeys(), 1)
	writeKeys(t, file, newKey(t))
	a.ReloadKeys()
	require.Contains(t, a.log.String(), "all gossip keys were replaced at once")
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
