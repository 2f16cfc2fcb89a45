package remote

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/eventstream"
	protoremote "github.com/asynkron/protoactor-go/remote"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/resolver"
)

// maxMessageBytes is the transport's limit of one message: a batch of 64 pieces fits.
const maxMessageBytes = 32 << 20

// farewell is how long a connection to an address that no member has is still tried.
const farewell = 10 * time.Second

// refusalHolds is how long a refused address counts as down: longer than the pauses between two attempts.
const refusalHolds = 2 * time.Second

// links knows which addresses can be reached.
//
//	unknown ──dialled──> up ──stream ends──> unknown
//	   └──refused──> down ──dialled──> up
//
// While an address is down, questions to it fail at once, and gRPC goes on dialling in the background. protoactor's own way (five
// attempts, each with a sleep of 2 s, while messages pile up) would let every question to a dead peer time out.
type links struct {
	opts Options
	ctx  context.Context
	lost func(addr string) // tells those who wait for an answer from there
	sub  *eventstream.Subscription
	bus  *eventstream.EventStream

	mu    sync.Mutex
	down  map[string]time.Time          // guarded by mu; when it was last refused
	tries map[string]context.CancelFunc // guarded by mu; streams that are being opened
	gone  map[string]time.Time          // guarded by mu; since when no member has the address
}

func newLinks(ctx context.Context, o Options, lost func(addr string)) *links {
	return &links{opts: o, ctx: ctx, lost: lost, down: map[string]time.Time{}, tries: map[string]context.CancelFunc{}, gone: map[string]time.Time{}}
}

func (l *links) isDown(addr string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, down := l.down[addr]
	if down && time.Since(at) > refusalHolds+l.opts.DialTimeout {
		delete(l.down, addr) // nobody dials it any more
		return false
	}
	return down
}

func (l *links) set(addr string, down bool) {
	l.mu.Lock()
	if down {
		l.down[addr] = time.Now()
	} else {
		delete(l.down, addr)
	}
	l.mu.Unlock()
	if down {
		l.lost(addr)
	}
}

// watch hears of streams that ended.
func (l *links) watch(system *actor.ActorSystem) {
	l.bus = system.EventStream
	l.sub = l.bus.Subscribe(func(event any) {
		if e, ok := event.(*protoremote.EndpointTerminatedEvent); ok {
			l.set(e.Address, false)
			l.lost(e.Address)
		}
	})
}

func (l *links) close() {
	if l.sub != nil {
		l.bus.Unsubscribe(l.sub)
	}
}

// keep ends the attempts to reach addresses that no member has had for a while.
func (l *links) keep(members map[string]bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for addr := range l.tries {
		if members[addr] {
			delete(l.gone, addr)
		} else if _, known := l.gone[addr]; !known {
			l.gone[addr] = time.Now()
		}
	}
	for addr, since := range l.gone {
		cancel := l.tries[addr]
		switch {
		case cancel == nil:
			delete(l.gone, addr)
		case time.Since(since) >= farewell:
			cancel()
			delete(l.gone, addr)
		}
	}
}

// dial tells what became of it.
func (l *links) dial(ctx context.Context, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, l.opts.DialTimeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		l.set(addr, true)
	}
	return conn, err
}

// open is the interceptor of a new stream: it waits for the connection, for as long as the address may be a member's.
func (l *links) open(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, streamer grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	addr := conn.Target()
	ctx, cancel := context.WithCancel(ctx)
	undo := context.AfterFunc(l.ctx, cancel) //nolint:contextcheck // the end of the node ends it too
	l.mu.Lock()
	l.tries[addr] = cancel
	l.mu.Unlock()
	timer := time.AfterFunc(3*farewell, cancel) // when no gossip tells
	stream, err := streamer(ctx, desc, conn, method, append(opts, grpc.WaitForReady(true))...)
	timer.Stop()
	undo()
	l.mu.Lock()
	delete(l.tries, addr)
	l.mu.Unlock()
	if err != nil {
		cancel()
		return nil, err
	}
	l.set(addr, false)
	return stream, nil
}

// plain is a resolver that leaves names to the dialler, so that both know an address by the same name.
type plain struct{}

// Scheme takes the place of the one that gRPC uses when there is none.
func (plain) Scheme() string { return "dns" }

// Build implements resolver.Builder.
func (p plain) Build(target resolver.Target, conn resolver.ClientConn, _ resolver.BuildOptions) (resolver.Resolver, error) {
	return p, conn.UpdateState(resolver.State{Addresses: []resolver.Address{{Addr: target.Endpoint()}}})
}

// ResolveNow implements resolver.Resolver.
func (plain) ResolveNow(resolver.ResolveNowOptions) {}

// Close implements resolver.Resolver.
func (plain) Close() {}

func (l *links) dialOptions() []grpc.DialOption {
	creds := insecure.NewCredentials()
	if l.opts.TLS != nil {
		creds = credentials.NewTLS(l.opts.TLS)
	}
	return []grpc.DialOption{
		grpc.WithTransportCredentials(creds), grpc.WithContextDialer(l.dial), grpc.WithStreamInterceptor(l.open),
		grpc.WithNoProxy(), grpc.WithResolvers(plain{}),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff: backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: time.Second}, MinConnectTimeout: l.opts.DialTimeout,
		}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 3 * time.Second, PermitWithoutStream: true}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessageBytes), grpc.MaxCallSendMsgSize(maxMessageBytes)),
	}
}

func serverOptions(o Options, g *guard) []grpc.ServerOption {
	options := []grpc.ServerOption{
		grpc.MaxRecvMsgSize(maxMessageBytes), grpc.MaxSendMsgSize(maxMessageBytes),
		grpc.StreamInterceptor(g.stream), grpc.UnaryInterceptor(g.unary),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 10 * time.Second, Timeout: 3 * time.Second}),
	}
	if o.TLS != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(o.TLS)))
	}
	return options
}
