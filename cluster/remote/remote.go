package remote

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	protoremote "github.com/asynkron/protoactor-go/remote"

	"github.com/trackmesh/trackmesh/cluster"
	trackmeshv1 "github.com/trackmesh/trackmesh/messages/trackmesh/v1"
)

var (
	// ErrGone: the peer cannot be reached, or has left. The question may have arrived all the same.
	ErrGone = errors.New("the peer is gone")
	// ErrNeverSent: the peer was known to be unreachable before the question was sent.
	ErrNeverSent = fmt.Errorf("nothing was sent: %w", ErrGone)
	// ErrStopped: this node is stopping.
	ErrStopped = errors.New("the node is stopping")

	errNotServed = errors.New("not served")
)

// Remote asks other nodes and answers them.
type Remote struct {
	opts    Options
	boot    string // of this process, in what it sends
	metrics *metrics
	links   *links
	waiting waiting
	inner   *protoremote.Remote
	self    *actor.PID
	address string
	unwatch func()
	// shutDown ends an actor system of our own.
	shutDown func()

	ctx    context.Context // ends with Stop
	cancel context.CancelFunc
	work   sync.WaitGroup // answers under way

	mu      sync.Mutex
	closed  bool                         // guarded by mu
	answers map[asked]context.CancelFunc // guarded by mu
}

// New listens and answers.
func New(opts Options) (*Remote, error) {
	o, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	host, port, err := probe(o.Listen)
	if err != nil {
		return nil, err
	}
	if o.Advertise == "" {
		o.Advertise = net.JoinHostPort(host, strconv.Itoa(port))
	}
	r := &Remote{
		opts: o, boot: rand.Text(), metrics: newMetrics(o.Registerer), address: o.Advertise,
		waiting: waiting{byID: map[uint64]*waiter{}}, answers: map[asked]context.CancelFunc{}, unwatch: func() {}, shutDown: func() {},
	}
	if o.System == nil {
		r.opts.System = newSystem(o.Logger)
		r.shutDown = r.opts.System.Shutdown
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.links = newLinks(r.ctx, o, func(addr string) { r.waiting.fail(ErrGone, func(q *waiter) bool { return q.addr == addr }) })
	if err := r.start(host, port); err != nil {
		r.cancel()
		return nil, err
	}
	if o.Members != nil {
		r.Follow(o.Members)
	}
	return r, nil
}

// Follow takes the membership that tells who has left, where Options could not name it yet. To be called once at most.
func (r *Remote) Follow(members cluster.Membership) {
	r.mu.Lock()
	r.opts.Members = members
	r.mu.Unlock()
	unwatch := members.Watch(r.membersChanged)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unwatch = unwatch
}

// newSystem is an actor system that says little: that a message to a peer got lost, its asker will know.
func newSystem(logger *slog.Logger) *actor.ActorSystem {
	return actor.NewActorSystem(
		actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(hushed{logger.Handler()}) }),
		actor.WithDeadLetterRequestLogging(false), actor.WithDeadLetterThrottleInterval(time.Millisecond),
	)
}

// hushed drops what protoactor has to say of connections, all of it at the level of errors: metrics and askers tell the same.
type hushed struct{ slog.Handler }

func (h hushed) Enabled(ctx context.Context, _ slog.Level) bool {
	return h.Handler.Enabled(ctx, slog.LevelDebug)
}

// Resolve is the address that Listen will mean: with a free port where it names none.
func Resolve(listen string) (string, error) {
	host, port, err := probe(listen)
	if err != nil {
		return "", err
	}
	return net.JoinHostPort(host, strconv.Itoa(port)), nil
}

// probe finds out whether and where one can listen: protoactor only panics when one cannot, and takes no listener.
func probe(address string) (host string, port int, err error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return "", 0, fmt.Errorf("listening for other nodes: %w", err)
	}
	at := l.Addr().(*net.TCPAddr) // it is TCP
	host, _, err = net.SplitHostPort(address)
	return host, at.Port, errors.Join(err, l.Close())
}

// start runs protoactor's remote, and the actor once its address is known.
func (r *Remote) start(host string, port int) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("listening for other nodes: %v", p)
		}
	}()
	guard := &guard{logger: r.opts.Logger, metrics: r.metrics}
	if ip := net.ParseIP(host); ip != nil && ip.To4() == nil {
		host = "[" + host + "]" // protoactor joins host and port by a colon
	}
	config := protoremote.Configure(host, port,
		protoremote.WithAdvertisedHost(r.address),
		protoremote.WithEndpointWriterBatchSize(64), protoremote.WithEndpointWriterQueueSize(1000),
		protoremote.WithEndpointManagerQueueSize(1000),
		protoremote.WithServerOptions(serverOptions(r.opts, guard)...), protoremote.WithDialOptions(r.links.dialOptions()...),
	)
	config.MaxRetryCount = 1 // the stream's interceptor tries on by itself
	r.inner = protoremote.NewRemote(r.opts.System, config)
	r.inner.Start()
	r.links.watch(r.opts.System)
	props := actor.PropsFromProducer(func() actor.Actor { return &receiver{remote: r, coming: map[asked]*incoming{}} })
	r.self, err = r.opts.System.Root.SpawnNamed(props, actorName)
	if err != nil {
		return fmt.Errorf("spawning the actor that answers other nodes: %w", err)
	}
	return nil
}

// Address is where other nodes reach this one.
func (r *Remote) Address() string { return r.address }

func identity(m cluster.Member) string { return m.Name + "\x00" + m.Boot }

// Ask puts one question to one member and waits for its answer until ctx ends. It does not repeat the question.
func (r *Remote) Ask(ctx context.Context, m cluster.Member, q *trackmeshv1.PeerQuestion) (*trackmeshv1.PeerAnswer, error) {
	began, route := time.Now(), routeOf(q)
	answer, err := r.ask(ctx, m, q)
	var code string
	switch {
	case err == nil:
		code = codeOf(answer.GetCode())
	case errors.Is(err, ErrGone):
		code = "gone"
	case errors.Is(err, context.DeadlineExceeded):
		code = "timeout"
	case errors.Is(err, context.Canceled):
		code = "cancelled"
	default:
		code = "failed"
	}
	r.metrics.observe(route, code, time.Since(began))
	return answer, err
}

func (r *Remote) ask(ctx context.Context, m cluster.Member, q *trackmeshv1.PeerQuestion) (*trackmeshv1.PeerAnswer, error) {
	if m.RPC == "" || r.links.isDown(m.RPC) {
		return nil, ErrNeverSent
	}
	body, err := q.MarshalVT()
	if err != nil {
		return nil, fmt.Errorf("encoding a question: %w", err)
	}
	if len(body) > r.opts.MaxQuestionBytes {
		return nil, fmt.Errorf("asking %s: %w", m.Name, errTooLarge)
	}
	timeout := longestWait
	if deadline, ok := ctx.Deadline(); ok {
		timeout = min(timeout, time.Until(deadline))
	}
	if timeout <= 0 {
		return nil, context.DeadlineExceeded
	}
	id, waiter := r.waiting.add(identity(m), m.RPC)
	if r.isClosed() {
		r.waiting.end(id)
		return nil, ErrStopped
	}
	r.metrics.waiting.Inc()
	defer r.metrics.waiting.Dec()
	r.metrics.bytes.WithLabelValues("out").Add(float64(len(body)))
	target := actor.NewPID(m.RPC, actorName)
	head := &trackmeshv1.PeerPart{
		Id: id, Boot: r.boot, Kind: trackmeshv1.PeerPartKind_PEER_PART_KIND_QUESTION, TimeoutMs: max(1, timeout.Milliseconds()),
	}
	for _, p := range cut(head, body, r.opts.pieceBytes) {
		r.opts.System.Root.RequestWithCustomSender(target, p, r.self)
	}
	select {
	case got := <-waiter.result:
		return got.answer()
	case <-ctx.Done():
		if r.waiting.end(id) == nil { // it came at the same moment
			return (<-waiter.result).answer()
		}
		r.send(target, &trackmeshv1.PeerPart{Id: id, Boot: r.boot, Kind: trackmeshv1.PeerPartKind_PEER_PART_KIND_CANCEL, Pieces: 1})
		return nil, context.Cause(ctx)
	}
}

func (r *Remote) isClosed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.closed
}

func (r *Remote) send(to *actor.PID, p *trackmeshv1.PeerPart) { r.opts.System.Root.Send(to, p) }

// membersChanged fails the questions to those who have left, or have been started anew.
func (r *Remote) membersChanged() {
	there, addresses := map[string]bool{}, map[string]bool{}
	r.mu.Lock()
	members := r.opts.Members
	r.mu.Unlock()
	for _, m := range members.Members() {
		there[identity(m)], addresses[m.RPC] = true, true
	}
	r.waiting.fail(ErrGone, func(q *waiter) bool { return !there[q.member] })
	r.links.keep(addresses)
}

// Stop ends what is under way and closes every connection, until ctx ends. Idempotent.
func (r *Remote) Stop(ctx context.Context) error {
	r.mu.Lock()
	before := r.closed
	r.closed = true
	unwatch := r.unwatch
	r.mu.Unlock()
	if before {
		return nil
	}
	unwatch()
	r.cancel()
	r.waiting.fail(ErrStopped, func(*waiter) bool { return true })
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.work.Wait()
		r.inner.Shutdown(false) // the graceful way races with its own reader, and waits 10 s for dead peers
		root := r.opts.System.Root
		_ = root.StopFuture(r.self).Wait() // it may be gone already
		for _, name := range []string{"EndpointSupervisor", "activator"} {
			_ = root.StopFuture(r.opts.System.NewLocalPID(name)).Wait() // likewise
		}
		r.links.close()
		r.shutDown()
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("closing the connections to other nodes: %w", context.Cause(ctx))
	}
}
