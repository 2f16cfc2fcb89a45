package ownership

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/trackmesh/trackmesh/cluster"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a Keeper with everything around it played by a test, on a clock of its own (synctest).
type rig struct {
	*testing.T
	keeper  *Keeper
	members *fakeMembers
	group   *fakeGroup
	host    *fakeHost
	pings   map[string]bool // who answers
	says    Callbacks
}

func newRig(t *testing.T, others ...cluster.Member) *rig {
	t.Helper()
	r := &rig{T: t, group: &fakeGroup{answered: time.Now(), id: "m-a"}, host: &fakeHost{}, pings: map[string]bool{}}
	r.members = &fakeMembers{self: cluster.Member{Name: "a", Boot: "b1"}, others: others}
	r.keeper = New(Options{
		Members: r.members, Pinger: r, Host: r.host, Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
		Join: func(c Callbacks) (Group, error) { r.says = c; return r.group, nil },
	})
	require.NoError(t, r.keeper.Start())
	return r
}

// Missed is the Pinger.
func (r *rig) Missed(_ context.Context, nodes []string) map[string]int {
	missed := map[string]int{}
	for _, n := range nodes {
		if !r.pings[n] {
			missed[n] = cluster.MissedPings
		}
	}
	return missed
}

// pass lets time go on while the coordinator answers heartbeats.
func (r *rig) pass(d time.Duration) {
	for step := 100 * time.Millisecond; d > 0; d -= step {
		time.Sleep(min(step, d)) //nolint:forbidigo // time of synctest
		r.group.beat()
	}
}

func (r *rig) stop() {
	r.Helper()
	r.group.set(func(g *fakeGroup) { g.onForce = func() { r.says.Revoked(r.host.started()) } })
	require.NoError(r, r.keeper.Stop(r.Context()))
}

type fakeMembers struct {
	mu       sync.Mutex
	self     cluster.Member
	others   []cluster.Member
	statuses []cluster.Status
	watch    func()
}

func (m *fakeMembers) Self() cluster.Member {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.self
}

func (m *fakeMembers) Members() []cluster.Member {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]cluster.Member{m.self}, m.others...)
}

func (m *fakeMembers) Watch(fn func()) func() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.watch = fn
	return func() {}
}

func (m *fakeMembers) SetStatus(s cluster.Status) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.self.Status = s
	m.statuses = append(m.statuses, s)
}

func (m *fakeMembers) SetRunning(running []cluster.Running) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.self.Running = running
}

func (m *fakeMembers) become(others ...cluster.Member) {
	m.mu.Lock()
	m.others = others
	watch := m.watch
	m.mu.Unlock()
	watch()
}

type fakeGroup struct {
	mu                       sync.Mutex
	id                       string
	answered                 time.Time
	silent                   bool // the coordinator does not answer
	waiting                  time.Time
	members                  []cluster.GroupMember
	removed                  []string
	forced, refreshed, asked int
	draining, closed         bool
	onForce                  func()
}

func (g *fakeGroup) set(fn func(*fakeGroup)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	fn(g)
}

func (g *fakeGroup) get(fn func(*fakeGroup) any) any {
	g.mu.Lock()
	defer g.mu.Unlock()
	return fn(g)
}

// beat is a heartbeat: none while a join waits.
func (g *fakeGroup) beat() {
	g.set(func(g *fakeGroup) {
		if !g.silent && g.waiting.IsZero() {
			g.answered = time.Now()
		}
	})
}

func (g *fakeGroup) ForceRebalance() {
	g.mu.Lock()
	g.forced++
	then := g.onForce
	g.mu.Unlock()
	if then != nil {
		go then()
	}
}

func (g *fakeGroup) SetDraining() { g.set(func(g *fakeGroup) { g.draining = true }) }
func (g *fakeGroup) Refresh()     { g.set(func(g *fakeGroup) { g.refreshed++ }) }

func (g *fakeGroup) Waiting() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.waiting.IsZero() {
		return 0
	}
	return time.Since(g.waiting)
}

func (g *fakeGroup) Answered() time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.answered
}

func (g *fakeGroup) MemberID() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.id
}

func (g *fakeGroup) Describe(ctx context.Context) ([]cluster.GroupMember, error) {
	g.mu.Lock()
	silent := g.silent
	g.asked++
	g.mu.Unlock()
	if silent {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.answered = time.Now()
	return slices.Clone(g.members), nil
}

func (g *fakeGroup) Remove(_ context.Context, ids []string, _ string) error {
	g.set(func(g *fakeGroup) { g.removed = append(g.removed, ids...) })
	return nil
}

func (g *fakeGroup) Close(ctx context.Context) error {
	g.set(func(g *fakeGroup) { g.closed = true })
	return ctx.Err()
}

type fakeHost struct {
	mu        sync.Mutex
	runs      []int32
	abandoned []int32
	hang      bool // Stop does not return before its context
}

func (h *fakeHost) Start(p int32) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.runs = append(h.runs, p)
}

func (h *fakeHost) started() []int32 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.runs)
}

func (h *fakeHost) Stop(ctx context.Context, p int32) error {
	h.mu.Lock()
	hang := h.hang
	h.runs = slices.DeleteFunc(h.runs, func(r int32) bool { return r == p })
	h.mu.Unlock()
	if hang {
		<-ctx.Done()
		return errors.New("too slow")
	}
	return nil
}

func (h *fakeHost) Abandon(p int32) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.runs = slices.DeleteFunc(h.runs, func(r int32) bool { return r == p })
	h.abandoned = append(h.abandoned, p)
}

func (h *fakeHost) Running() []cluster.Running {
	h.mu.Lock()
	defer h.mu.Unlock()
	var running []cluster.Running
	for _, p := range h.runs {
		running = append(running, cluster.Running{Partition: p, Term: 1})
	}
	return running
}
