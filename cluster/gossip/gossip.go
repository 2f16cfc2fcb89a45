package gossip

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/trackmesh/trackmesh/cluster"
)

const (
	// keyCheck is how often the key file is looked at.
	keyCheck = 5 * time.Second
	// repeatAfter is when a change is told once more: with 50 nodes, by reckoning one update in 60 dies out before it has reached
	// everybody (each node repeats it 8 times, to members at random), and would come with the next exchange of state only.
	repeatAfter = time.Second
	// leaveTimeout bounds the goodbye when the caller's time is longer.
	leaveTimeout = 3 * time.Second
	// retransmits times the decimal logarithm of the members is how often a change is sent on. memberlist sends to the dead as well for a
	// while: with its 4, and half of the nodes just dead, what the others run stayed unknown to some until the next exchange, 10 s later.
	retransmits = 16
)

// Options of a node's gossip.
type Options struct {
	Name    string // differs from every other live node's
	Boot    string // differs after each start of the process
	Cluster string // only nodes with the same one talk to each other
	// BindAddr is host:port, TCP and UDP; port 0 takes a free one.
	BindAddr string
	// AdvertiseHost is where others reach this node, a name or an address; "" takes the bound one, see Reachable.
	AdvertiseHost string
	HTTP, RPC     string // what others are told, host:port
	Keys          *Keys  // nil: not encrypted
	Logger        *slog.Logger
	Registerer    prometheus.Registerer // nil: no metrics

	// wrap puts something between memberlist and the network, in tests.
	wrap func(memberlist.NodeAwareTransport) memberlist.NodeAwareTransport
	// tune changes the timings, in tests that are not about them.
	tune func(*memberlist.Config)
}

// Gossip is this node among the others. Safe for many goroutines.
//
//	new ──Start──> alone ──Join, or another joins us──> among others ──Leave──> left
//	                 └──────────────── Stop, from any state ─────────────────────┘──> stopped
type Gossip struct {
	opts       Options
	logger     *slog.Logger
	bridge     *bridge
	inbox      *inbox
	broadcasts *memberlist.TransmitLimitedQueue
	metrics    *metrics
	size       atomic.Int64  // members, for how often a broadcast is repeated
	tell       chan struct{} // holds one: the watchers have news
	stop       chan struct{}
	stopOnce   sync.Once
	leaving    sync.Mutex // held by Leave and by the end of Stop: memberlist may not be left when it is shut down
	running    sync.WaitGroup

	list atomic.Pointer[memberlist.Memberlist] // nil before Start

	mu       sync.Mutex // below; never held while memberlist is called
	self     meta
	since    time.Time
	addr     string
	dirty    bool // self has changed since it was last told
	spread   uint64
	table    table
	watchers map[int]func()
	nextID   int
	conflict string // another live node with our name, by address
	disputed time.Time
}

// New makes a node's gossip; it waits for nothing.
func New(o Options) (*Gossip, error) {
	g := &Gossip{
		opts: o, logger: o.Logger, inbox: newInbox(), tell: make(chan struct{}, 1), stop: make(chan struct{}),
		self: meta{boot: o.Boot, http: o.HTTP, rpc: o.RPC}, table: newTable(), watchers: map[int]func(){},
		bridge: &bridge{logger: o.Logger, told: map[string]time.Time{}},
	}
	g.broadcasts = &memberlist.TransmitLimitedQueue{RetransmitMult: retransmits, NumNodes: func() int { return int(g.size.Load()) }}
	g.metrics = newMetrics(g, o.Registerer)
	if o.Name == "" || len(o.Name) > maxText {
		return nil, fmt.Errorf("--node-name: %q must have 1 to %d characters", o.Name, maxText)
	}
	m := meta{boot: o.Boot, http: o.HTTP, rpc: o.RPC, listVersion: 1 << 62, elsewhere: true, running: make([]cluster.Running, metaLimit)}
	if len(m.encode(metaLimit)) > metaLimit || max(len(o.Boot), len(o.HTTP), len(o.RPC)) > maxText {
		return nil, fmt.Errorf("--advertise-host: the addresses %s and %s are too long for gossip (together at most about 480 characters)", o.HTTP, o.RPC)
	}
	return g, nil
}

// Start listens. The node is alone until Join, or until another joins it.
func (g *Gossip) Start(context.Context) error {
	conf, err := g.config()
	if err != nil {
		return err
	}
	if err := g.metrics.register(); err != nil {
		return fmt.Errorf("registering metrics: %w", err)
	}
	g.mu.Lock()
	g.since = time.Now()
	g.mu.Unlock()
	list, err := memberlist.Create(conf)
	if err != nil {
		g.metrics.unregister()
		if t, ok := conf.Transport.(interface{ Shutdown() error }); ok {
			err = errors.Join(err, t.Shutdown())
		}
		return fmt.Errorf("--gossip-addr: %s: %w", g.opts.BindAddr, err)
	}
	g.mu.Lock()
	g.addr = net.JoinHostPort(conf.AdvertiseAddr, strconv.Itoa(conf.AdvertisePort))
	g.mu.Unlock()
	g.list.Store(list)
	g.size.Store(1)
	g.running.Add(3)
	go g.act()
	go g.mend()
	go g.tellWatchers()
	g.logger.Info("gossip started", "name", g.opts.Name, "addr", g.Addr(), "encrypted", g.opts.Keys != nil)
	if loopback(g.Addr()) && !loopback(g.opts.BindAddr) {
		g.logger.Warn("other machines cannot reach this node: its host is a loopback address here", "addr", g.Addr(), "what_to_do", "set --advertise-host to an address that they can reach")
	}
	return nil
}

// config is memberlist's, with the timings that were measured (docs/architecture.md): a killed node is seen in 1.3 to 1.6 s.
func (g *Gossip) config() (*memberlist.Config, error) {
	logger := log.New(g.bridge, "", 0)
	ip, port, err := resolve(g.opts.BindAddr)
	if err != nil {
		return nil, fmt.Errorf("--gossip-addr: %w", err)
	}
	transport, err := listen(ip, port, logger)
	if err != nil {
		return nil, fmt.Errorf("--gossip-addr: %s cannot be listened on by TCP and UDP, maybe another node has it: stop that or choose another port (%w)", g.opts.BindAddr, err)
	}
	port = transport.GetAutoBindPort()
	reachable, err := Reachable(net.JoinHostPort(ip.String(), strconv.Itoa(port)), g.opts.AdvertiseHost)
	if err == nil {
		ip, port, err = resolve(reachable)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("--advertise-host: %w", err), transport.Shutdown())
	}
	c := memberlist.DefaultLANConfig()
	c.Name, c.Label = g.opts.Name, g.opts.Cluster
	c.Transport = memberlist.NodeAwareTransport(transport)
	if g.opts.wrap != nil {
		c.Transport = g.opts.wrap(transport)
	}
	c.AdvertiseAddr, c.AdvertisePort = ip.String(), port
	c.ProbeInterval, c.ProbeTimeout = 300*time.Millisecond, 150*time.Millisecond
	c.SuspicionMult, c.SuspicionMaxTimeoutMult, c.AwarenessMaxMultiplier = 3, 2, 2
	c.GossipInterval, c.PushPullInterval = 100*time.Millisecond, 5*time.Second
	c.RetransmitMult = retransmits
	c.TCPTimeout = 2 * time.Second
	c.DeadNodeReclaimTime = time.Nanosecond // a name may come back from another address as soon as its old bearer is dead
	c.Delegate, c.Events, c.Conflict = delegate{g}, g.inbox, g.inbox
	c.Logger = logger
	if g.opts.Keys != nil {
		c.Keyring = g.opts.Keys.ring
	}
	if g.opts.tune != nil {
		g.opts.tune(c)
	}
	return c, nil
}

// listen tries a few free ports when it may choose: the one that TCP gets may be taken for UDP.
func listen(ip net.IP, port int, logger *log.Logger) (t *memberlist.NetTransport, err error) {
	tries := 1
	if port == 0 {
		tries = 10
	}
	for range tries {
		t, err = memberlist.NewNetTransport(&memberlist.NetTransportConfig{BindAddrs: []string{ip.String()}, BindPort: port, Logger: logger})
		if err == nil {
			return t, nil
		}
	}
	return nil, err
}

// Addr is where others reach this node's gossip.
func (g *Gossip) Addr() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.addr
}

// NameTakenError says that another live node has this node's name.
type NameTakenError struct{ Name, Addr string }

// Error says what to do.
func (e *NameTakenError) Error() string {
	return fmt.Sprintf("another live node, at %s, has the name %q: give each node its own --node-name (a node that has just died holds its name for some seconds)", e.Addr, e.Name)
}

// Join tells this node to the others by way of the seeds (host:port) and learns of all of them. One seed that answers is enough. It
// takes at most two seconds a seed. After a NameTakenError the others do not see this node; joining again works when the other has died.
func (g *Gossip) Join(ctx context.Context, seeds []string) error {
	list := g.list.Load()
	if list == nil {
		return errNotRunning
	}
	g.mu.Lock()
	g.conflict = ""
	g.mu.Unlock()
	var errs []error
	reached := 0
	for _, seed := range seeds {
		if err := ctx.Err(); err != nil {
			errs = append(errs, err)
			break
		}
		addrs, err := lookup(ctx, seed)
		if err == nil {
			_, err = list.Join(addrs)
		}
		if err != nil {
			errs = append(errs, joinError(seed, err))
			continue
		}
		reached++
	}
	g.drain() // conflicts that joining found
	g.mu.Lock()
	taken := g.conflict
	g.mu.Unlock()
	switch {
	case taken != "":
		return &NameTakenError{Name: g.opts.Name, Addr: taken}
	case reached > 0:
		return nil
	}
	return errors.Join(errs...)
}

var errNotRunning = errors.New("gossip is not running")

// joinError says what to do where the cause is known; memberlist has only text for it, and a list of one around that.
func joinError(seed string, err error) error {
	var list interface{ WrappedErrors() []error }
	if errors.As(err, &list) && len(list.WrappedErrors()) > 0 {
		err = list.WrappedErrors()[0]
	}
	if why := explain(err); why != "" {
		return fmt.Errorf("joining seed %s: %s", seed, why)
	}
	return fmt.Errorf("joining seed %s: %w", seed, err)
}

// Self is this node, with what it last said.
func (g *Gossip) Self() cluster.Member {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.selfLocked()
}

func (g *Gossip) selfLocked() cluster.Member {
	e := entry{meta: g.self, addr: g.addr, since: g.since}
	e.meta.elsewhere = false
	return e.member(g.opts.Name)
}

// Members are all that are not dead, this node included, by name. The lists of partitions are shared: do not change them.
func (g *Gossip) Members() []cluster.Member {
	g.mu.Lock()
	defer g.mu.Unlock()
	members := append(g.table.members(), g.selfLocked())
	slices.SortFunc(members, func(a, b cluster.Member) int { return cmp.Compare(a.Name, b.Name) })
	return members
}

// Watch calls fn after each change, one call at a time, until cancel.
func (g *Gossip) Watch(fn func()) (cancel func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	id := g.nextID
	g.nextID++
	g.watchers[id] = fn
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.watchers, id)
	}
}

// SetStatus tells the others how this node is.
func (g *Gossip) SetStatus(s cluster.Status) {
	g.mu.Lock()
	same := g.self.status == s
	g.self.status, g.dirty = s, g.dirty || !same
	g.mu.Unlock()
	if !same {
		g.changedHere()
	}
}

// SetRunning tells the others which partitions run here.
func (g *Gossip) SetRunning(running []cluster.Running) {
	running = slices.Clone(running)
	slices.SortFunc(running, func(a, b cluster.Running) int { return cmp.Compare(a.Partition, b.Partition) })
	running = slices.CompactFunc(running, func(a, b cluster.Running) bool { return a.Partition == b.Partition })
	running = slices.DeleteFunc(running, func(r cluster.Running) bool { return r.Partition < 0 || r.Partition >= maxPartitions })
	g.mu.Lock()
	same := slices.Equal(running, g.self.running)
	if !same {
		g.self.running, g.dirty = running, true
		g.self.listVersion++
	}
	g.mu.Unlock()
	if !same {
		g.changedHere()
	}
}

func (g *Gossip) changedHere() {
	g.inbox.signal()
	g.news()
}

func (g *Gossip) news() {
	select {
	case g.tell <- struct{}{}:
	default: // they will be called anyway
	}
}

func (g *Gossip) healthScore() int {
	if list := g.list.Load(); list != nil {
		return list.GetHealthScore()
	}
	return 0
}

func (g *Gossip) count(s cluster.Status) (n int) {
	for _, m := range g.Members() {
		if m.Status == s {
			n++
		}
	}
	return n
}
