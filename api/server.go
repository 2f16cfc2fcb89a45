package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/klauspost/compress/gzhttp"
)

// Server answers HTTP for one node.
type Server struct {
	opts      Options
	metrics   *metrics
	routes    []route
	mux       *http.ServeMux
	handler   http.Handler
	http      *http.Server
	csrf      *http.CrossOriginProtection
	assets    *assets
	tail      *tail
	hub       *hub
	ingests   slotsOf
	imports   slotsOf
	backtests slotsOf
	watchers  slotsOf

	stopping context.Context // ends when Stop is called: streams end with it
	stop     context.CancelFunc
	killed   context.Context // ends when Stop has waited long enough: WebSockets are cut
	kill     context.CancelFunc
	entering sync.Mutex     // held over stop and over the entry of a stream
	streams  sync.WaitGroup // handlers of streams
}

// New makes a server. It listens to nothing yet, and starts nothing.
func New(opts Options) (*Server, error) {
	if err := opts.validate(); err != nil {
		return nil, err
	}
	s := &Server{opts: opts.withDefaults(), mux: http.NewServeMux(), csrf: http.NewCrossOriginProtection()}
	s.stopping, s.stop = context.WithCancel(context.Background())
	s.killed, s.kill = context.WithCancel(context.Background())
	for _, origin := range s.opts.CORSOrigins {
		if origin == "*" {
			continue
		}
		if err := s.csrf.AddTrustedOrigin(origin); err != nil {
			return nil, fmt.Errorf("api: CORS origin %q: %w", origin, err)
		}
	}
	var err error
	if s.metrics, err = newMetrics(opts.Registerer); err != nil {
		return nil, fmt.Errorf("registering the API's metrics: %w", err)
	}
	if s.assets, err = newAssets(s.opts.Web, s.opts.WebConfig); err != nil {
		return nil, fmt.Errorf("reading the web assets: %w", err)
	}
	s.backtests = newSlotsOf(s.opts.MaxBacktests)
	s.ingests, s.imports, s.watchers = newSlotsOf(s.opts.MaxIngests), newSlotsOf(s.opts.MaxImports), newSlotsOf(s.opts.MaxStreams)
	s.tail = newTail(s.opts, s.metrics)
	s.hub = newHub(s.opts, s.metrics)
	s.routes = s.table()
	compress, err := gzhttp.NewWrapper(gzhttp.MinSize(1024), gzhttp.EnableZstd(false), gzhttp.ContentTypeFilter(compressible))
	if err != nil {
		return nil, fmt.Errorf("setting compression up: %w", err)
	}
	for i := range s.routes {
		s.register(&s.routes[i], compress)
	}
	s.handler = s.outermost(compress)
	s.http = &http.Server{
		Handler: s.handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: quiet(opts.Logger), ConnContext: rememberConn, Protocols: new(http.Protocols),
	}
	s.http.Protocols.SetHTTP1(true)
	s.http.Protocols.SetHTTP2(true)
	s.http.Protocols.SetUnencryptedHTTP2(true) // gRPC on the same port
	return s, nil
}

// Handler is the whole API, for tests and for a listener of one's own.
func (s *Server) Handler() http.Handler { return s.handler }

// Serve answers on a listener until Stop. It returns nil after Stop.
func (s *Server) Serve(ln net.Listener) error {
	if err := s.http.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving HTTP on %s: %w", ln.Addr(), err)
	}
	return nil
}

// Stop ends the streams, lets requests under way finish until ctx ends, and waits for everything that was started. Idempotent;
// safe before Serve.
func (s *Server) Stop(ctx context.Context) error {
	s.entering.Lock()
	s.stop()
	s.entering.Unlock()
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(fmt.Errorf("ending HTTP requests: %w", err), s.http.Close())
	}
	defer context.AfterFunc(ctx, s.kill)()
	s.streams.Wait()
	s.hub.stop()
	s.tail.stop()
	return err
}

// connKey finds a request's connection in its context.
type connKey struct{}

func rememberConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// cutWhenKilled closes a WebSocket's connection when Stop may wait no more. The library's own way out waits for the client.
func (s *Server) cutWhenKilled(ctx context.Context) (undo func() bool) {
	return context.AfterFunc(s.killed, //nolint:contextcheck // Stop's patience is the server's, not a request's
		func() {
			if c, ok := ctx.Value(connKey{}).(net.Conn); ok {
				_ = c.Close() // there is nobody to tell
			}
		})
}

// slotsOf bounds how many of a kind are under way.
type slotsOf chan struct{}

func newSlotsOf(n int) slotsOf { return make(slotsOf, n) }

func (s slotsOf) take() bool {
	select {
	case s <- struct{}{}:
		return true
	default:
		return false
	}
}

func (s slotsOf) free() { <-s }
