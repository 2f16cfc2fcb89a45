package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"connectrpc.com/connect"
	"github.com/cenkalti/backoff/v5"

	trackmeshv1 "github.com/trackmesh/trackmesh/messages/trackmesh/v1"
	"github.com/trackmesh/trackmesh/messages/trackmesh/v1/trackmeshv1connect"
)

// What a Mesh's methods say; other errors are those of the connection or of ctx.
var (
	// ErrNotFound: no such vehicle or fence.
	ErrNotFound = errors.New("not found")
	// ErrInvalid: the question or message makes no sense; the error's text says which part.
	ErrInvalid = errors.New("refused")
	// ErrDenied: the token is missing, unknown, or of too small a role.
	ErrDenied = errors.New("not allowed")
	// ErrCursorGone: the log no longer holds what comes after the cursor of a watch.
	ErrCursorGone = errors.New("the cursor is too old")
)

// MeshOptions say which nodes to ask, and as whom.
type MeshOptions struct {
	// Addresses of nodes, as http://host:port. One is enough where a load balancer stands before them; with several, the client goes on
	// at the next one when one does not answer.
	Addresses []string
	// Token goes along as a bearer token. Empty: none.
	Token string
	// Attempt bounds each try of a question. Zero: 15 s.
	Attempt time.Duration
	// RetryFor bounds how long a question or message is repeated while no node answers. Zero: 1 minute.
	RetryFor time.Duration
	// Silence is how long a watch may be quiet before its connection is taken for dead. Zero: 45 s, three heartbeats.
	Silence time.Duration
	// HTTP sends the requests. Nil: a client of our own. Its Timeout should be zero, for watches.
	HTTP *http.Client
}

// Mesh asks a cluster. Any node answers for all of it. It may be used by many goroutines.
type Mesh struct {
	opts  MeshOptions
	nodes []*endpoint
	at    atomic.Uint32 // which of nodes is asked first
	http  *http.Client
}

// endpoint is a node.
type endpoint struct {
	address string
	tracks  trackmeshv1connect.TrackServiceClient
	cluster trackmeshv1connect.ClusterServiceClient
}

// Dial connects to nodes at these addresses, and returns when one of them answered or ctx ends.
func Dial(ctx context.Context, addresses ...string) (*Mesh, error) {
	return DialWith(ctx, MeshOptions{Addresses: addresses})
}

// DialWith is Dial with options.
func DialWith(ctx context.Context, o MeshOptions) (*Mesh, error) {
	m, err := newMesh(o)
	if err != nil {
		return nil, err
	}
	if _, err := m.Cluster(ctx); err != nil {
		m.Close()
		return nil, fmt.Errorf("dialling %s: %w", strings.Join(o.Addresses, ", "), err)
	}
	return m, nil
}

func newMesh(o MeshOptions) (*Mesh, error) {
	if len(o.Addresses) == 0 {
		return nil, errors.New("no address of a node was given")
	}
	for field, absent := range map[*time.Duration]time.Duration{&o.Attempt: 15 * time.Second, &o.RetryFor: time.Minute, &o.Silence: 45 * time.Second} {
		if *field <= 0 {
			*field = absent
		}
	}
	m := &Mesh{opts: o, http: o.HTTP}
	if m.http == nil {
		transport := http.DefaultTransport.(*http.Transport).Clone() // it is one
		transport.MaxIdleConnsPerHost = 64
		m.http = &http.Client{Transport: transport}
	}
	var sender connect.HTTPClient = m.http
	if o.Token != "" {
		sender = bearer{m.http, "Bearer " + o.Token}
	}
	for _, address := range o.Addresses {
		if !strings.Contains(address, "://") {
			address = "http://" + address
		}
		u, err := url.Parse(address)
		if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			return nil, fmt.Errorf("%q is no address of a node: write it as http://127.0.0.1:8080", address)
		}
		address = strings.TrimRight(address, "/")
		m.nodes = append(m.nodes, &endpoint{
			address: address, tracks: trackmeshv1connect.NewTrackServiceClient(sender, address),
			cluster: trackmeshv1connect.NewClusterServiceClient(sender, address),
		})
	}
	return m, nil
}

// bearer adds the token.
type bearer struct {
	next  connect.HTTPClient
	value string
}

// Do implements connect.HTTPClient.
func (b bearer) Do(r *http.Request) (*http.Response, error) {
	r.Header.Set("Authorization", b.value)
	return b.next.Do(r)
}

// Close closes connections that wait for another request. Watches end with their contexts.
func (m *Mesh) Close() { m.http.CloseIdleConnections() }

// Cluster is the state of the whole cluster: members, partitions and their owners, sinks, moves.
func (m *Mesh) Cluster(ctx context.Context) (*trackmeshv1.StateResponse, error) {
	return call(ctx, m, func(n *endpoint) procedure[trackmeshv1.StateRequest, trackmeshv1.StateResponse] {
		return n.cluster.State
	}, &trackmeshv1.StateRequest{})
}

// procedure is a unary one.
type procedure[Q, A any] func(context.Context, *connect.Request[Q]) (*connect.Response[A], error)

// call asks one node after the other until one answers for good.
func call[Q, A any](ctx context.Context, m *Mesh, of func(*endpoint) procedure[Q, A], q *Q) (*A, error) {
	ctx, cancel := context.WithTimeout(ctx, m.opts.RetryFor)
	defer cancel()
	waits := newWaits()
	for {
		at := m.at.Load()
		node := m.nodes[at%uint32(len(m.nodes))] //nolint:gosec // addresses are few
		bounded, done := context.WithTimeout(ctx, m.opts.Attempt)
		answer, err := of(node)(bounded, connect.NewRequest(q))
		done()
		if err == nil {
			return answer.Msg, nil
		}
		if final(err) {
			return nil, translated(node, err)
		}
		m.at.CompareAndSwap(at, at+1)
		if !waits.wait(ctx) {
			return nil, translated(node, err)
		}
	}
}

// waits are the pauses between attempts, longer and longer.
type waits struct{ backoff.ExponentialBackOff }

func newWaits() *waits {
	w := &waits{*backoff.NewExponentialBackOff()}
	w.InitialInterval, w.MaxInterval = 50*time.Millisecond, 2*time.Second
	w.Reset()
	return w
}

// wait reports whether ctx is still good afterwards.
func (w *waits) wait(ctx context.Context) bool {
	timer := time.NewTimer(w.NextBackOff())
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// final tells what no repeat and no other node can help from what they may.
func final(err error) bool {
	switch connect.CodeOf(err) {
	case connect.CodeUnavailable, connect.CodeDeadlineExceeded, connect.CodeCanceled, connect.CodeAborted:
		return false
	case connect.CodeUnauthenticated, connect.CodePermissionDenied, connect.CodeUnimplemented, connect.CodeNotFound:
		return true
	default: // else it is what the library makes of a connection that broke
		return connect.IsWireError(err)
	}
}

// translated gives an error the sentinel that a caller branches on.
func translated(n *endpoint, err error) error {
	text := err
	if e, ok := errors.AsType[*connect.Error](err); ok && e.Message() != "" {
		text = errors.New(e.Message())
	}
	switch connect.CodeOf(err) {
	case connect.CodeNotFound:
		return fmt.Errorf("asking %s: %w: %w", n.address, ErrNotFound, text)
	case connect.CodeInvalidArgument, connect.CodeResourceExhausted, connect.CodeFailedPrecondition:
		return fmt.Errorf("asking %s: %w: %w", n.address, ErrInvalid, text)
	case connect.CodeUnauthenticated, connect.CodePermissionDenied:
		return fmt.Errorf("asking %s: %w: %w", n.address, ErrDenied, text)
	case connect.CodeOutOfRange:
		return fmt.Errorf("asking %s: %w: %w", n.address, ErrCursorGone, text)
	default:
		return fmt.Errorf("asking %s: %w", n.address, err)
	}
}
