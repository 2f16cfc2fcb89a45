package api

import (
	"context"
	"errors"
	"log"
	"log/slog"
	"mime"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// handler answers a request, or returns the error that the client is told of. After it has written it returns nil.
type handler func(w http.ResponseWriter, r *http.Request) error

// kind says how a route's answers behave.
type kind uint8

const (
	question kind = iota // bounded by QueryTimeout, compressed
	upload               // takes as long as its body does
	stream               // lives until its client leaves: neither bounded nor compressed
	call                 // a procedure: bounded as a question is, compressed by its own protocol
	longCall             // a procedure that bounds itself
)

// route is one line of the API.
type route struct {
	pattern string // method and path, as http.ServeMux has them
	needs   role
	kind    kind
	handle  handler
}

// table is all of the API, in the order of the documentation.
func (s *Server) table() []route {
	rest := []route{
		{"GET /healthz", public, question, s.getHealth},
		{"GET /readyz", public, question, s.getReady},
		{"GET /metrics", roleRead, question, s.getMetrics},
		{"GET /openapi.yaml", public, question, s.getOpenAPI},
		{"GET " + TilesPath, roleRead, upload, s.getTiles},
		{"GET /docs", public, question, s.getDocs},
		{"GET /api/v1/session", public, question, s.getSession},
		{"POST /api/v1/session", public, question, s.postSession},
		{"DELETE /api/v1/session", public, question, s.deleteSession},
		{"GET /api/v1/tracks/{vehicle}", roleRead, question, s.getTrack},
		{"GET /api/v1/tracks/{vehicle}/path", roleRead, question, s.getPath},
		{"GET /api/v1/tracks/{vehicle}/events", roleRead, question, s.getTrackEvents},
		{"GET /api/v1/tracks/{vehicle}/trips", roleRead, question, s.getTrips},
		{"GET /api/v1/tracks/{vehicle}/stops", roleRead, question, s.getStops},
		{"POST /api/v1/tracks/{vehicle}/messages", roleWrite, upload, s.postMessage},
		{"GET /api/v1/tracks", roleRead, question, s.getTracks},
		{"POST /api/v1/tracks/search", roleRead, question, s.postSearch},
		{"GET /api/v1/cells", roleRead, question, s.getCells},
		{"GET /api/v1/replay", roleRead, question, s.getReplay},
		{"GET /api/v1/replay/histogram", roleRead, question, s.getHistogram},
		{"GET /api/v1/fences", roleRead, question, s.getFences},
		{"POST /api/v1/fences/import", roleWrite, upload, s.postFenceImport},
		{"GET /api/v1/fences/{id}", roleRead, question, s.getFence},
		{"PUT /api/v1/fences/{id}", roleWrite, upload, s.putFence},
		{"DELETE /api/v1/fences/{id}", roleWrite, upload, s.deleteFence},
		{"POST /api/v1/fences/{id}/backtest", roleRead, upload, s.postBacktest},
		{"GET /api/v1/events", roleRead, question, s.getEvents},
		{"GET /api/v1/events/{id}", roleRead, question, s.getEvent},
		{"GET /api/v1/events/stream", roleRead, stream, s.getEventStream},
		{"GET /api/v1/live", roleRead, stream, s.getLive},
		{"GET /api/v1/webhooks", roleAdmin, question, s.getWebhooks},
		{"GET /api/v1/webhooks/{id}", roleAdmin, question, s.getWebhook},
		{"PUT /api/v1/webhooks/{id}", roleAdmin, upload, s.putWebhook},
		{"DELETE /api/v1/webhooks/{id}", roleAdmin, upload, s.deleteWebhook},
		{"POST /api/v1/positions", roleWrite, upload, s.postPositions},
		{"GET /api/v1/log/{topic}", roleAdmin, upload, s.getLog},
		{"GET /api/v1/cluster", roleRead, question, s.getCluster},
	}
	return append(rest, s.rpcRoutes()...)
}

// register puts a route into the mux with what goes round its handler.
func (s *Server) register(rt *route, compress func(http.Handler) http.HandlerFunc) {
	var h http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := s.authorize(r, rt.needs); err != nil {
			s.fail(w, r, err)
			return
		}
		if rt.kind == stream && r.Method == http.MethodHead { // it would stay for ever, and say nothing
			w.Header().Set("Allow", http.MethodGet)
			s.fail(w, r, newProblem(http.StatusMethodNotAllowed, "a stream has no HEAD"))
			return
		}
		// A deadline stays with the connection, so every request sets its own. Streams set one for each write.
		deadline := time.Time{}
		if rt.kind == question || rt.kind == call {
			deadline = time.Now().Add(s.opts.QueryTimeout + s.opts.ClientPatience)
		}
		_ = http.NewResponseController(w).SetWriteDeadline(deadline) // not every test's connection has one
		if rt.kind == question || rt.kind == call {
			ctx, cancel := context.WithTimeout(r.Context(), s.opts.QueryTimeout)
			defer cancel()
			r = r.WithContext(ctx)
		}
		if err := rt.handle(w, r); err != nil {
			s.fail(w, r, err)
		}
	})
	if rt.kind == question || rt.kind == upload {
		h = compress(h)
	}
	s.mux.Handle(rt.pattern, h)
}

// outermost is what every request passes first.
func (s *Server) outermost(compress func(http.Handler) http.HandlerFunc) http.Handler {
	pages := compress(http.HandlerFunc(s.assets.serve))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began, seen := s.opts.Now(), &watched{ResponseWriter: w, code: http.StatusOK}
		route, streams := "unknown", false
		defer func() {
			if p := recover(); p != nil {
				s.panicked(seen, r, p)
			}
			s.metrics.observe(route, seen.code, s.opts.Now().Sub(began), streams)
		}()
		secureHeaders(seen.Header())
		if err := s.admit(r); err != nil {
			s.fail(seen, r, err)
			return
		}
		if s.cors(seen, r) {
			route = "preflight"
			return
		}
		_, pattern := s.mux.Handler(r)
		switch {
		case pattern != "":
			route = pattern
			streams = s.isStream(pattern)
			s.mux.ServeHTTP(seen, r)
		case isPage(r):
			route = "page"
			pages.ServeHTTP(seen, r)
		default:
			s.unmatched(seen, r)
		}
	})
}

// admit refuses requests that a page of somebody else's made.
func (s *Server) admit(r *http.Request) error {
	if err := s.checkHost(r); err != nil {
		return err
	}
	if err := s.csrf.Check(r); err != nil && !s.mayCallFromAnywhere(r) {
		return named(http.StatusForbidden, "origin", "a page of another origin may not do this; --cors-origins names those that may")
	}
	return nil
}

// mayCallFromAnywhere lets other origins' pages write when every origin may call and the page itself sends the token: no browser
// adds that by itself, as it does cookies.
func (s *Server) mayCallFromAnywhere(r *http.Request) bool {
	return s.opts.Tokens != nil && slices.Contains(s.opts.CORSOrigins, "*") && r.Header.Get("Authorization") != ""
}

func (s *Server) isStream(pattern string) bool {
	for i := range s.routes {
		if s.routes[i].pattern == pattern {
			return s.routes[i].kind == stream
		}
	}
	return false
}

// isPage reports whether a request that is no route may be for a file of the map.
func isPage(r *http.Request) bool {
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) && r.URL.Path != "/api" && !strings.HasPrefix(r.URL.Path, "/api/")
}

// unmatched turns the mux's own answers (404, 405 with Allow, redirects to clean paths) into problem documents.
func (s *Server) unmatched(w *watched, r *http.Request) {
	h, _ := s.mux.Handler(r)
	probe := &dropped{header: http.Header{}}
	h.ServeHTTP(probe, r)
	switch probe.code {
	case http.StatusMethodNotAllowed:
		allow := probe.header.Get("Allow")
		w.Header().Set("Allow", allow)
		newProblem(http.StatusMethodNotAllowed, r.Method+" is not possible here; there is "+allow).write(w)
	default:
		newProblem(http.StatusNotFound, "there is no such path; /docs shows those that there are").write(w)
	}
}

// fail tells the client of an error, and the log when it is ours.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	p, internal := asProblem(err)
	if internal {
		s.opts.Logger.Error("a request failed", "method", r.Method, "route", r.Pattern, "err", err)
	}
	if p.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="trackmesh"`)
	}
	p.write(w)
}

func (s *Server) panicked(w *watched, r *http.Request, p any) {
	if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(p)
	}
	s.opts.Logger.Error("a handler panicked", "method", r.Method, "route", r.Pattern, "panic", p, "stack", string(debug.Stack()))
	if !w.wrote {
		newProblem(http.StatusInternalServerError, "an internal error; the node's log has it").write(w)
	}
}

// cors answers preflights (reporting true) and marks other answers as readable for allowed origins.
func (s *Server) cors(w http.ResponseWriter, r *http.Request) (done bool) {
	origin := r.Header.Get("Origin")
	if len(s.opts.CORSOrigins) == 0 {
		return false
	}
	h := w.Header()
	h.Add("Vary", "Origin")
	allowed := s.allowedOrigin(origin)
	if allowed == "" {
		return false
	}
	h.Set("Access-Control-Allow-Origin", allowed)
	h.Set("Access-Control-Expose-Headers", "ETag, Retry-After, Location")
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	h.Set("Access-Control-Allow-Methods", "GET, POST, PUT, DELETE")
	h.Set("Access-Control-Allow-Headers",
		"Authorization, Content-Type, Content-Encoding, If-Match, If-None-Match, Idempotency-Key, Last-Event-ID, Trackmesh-Producer, Trackmesh-Sequence")
	h.Set("Access-Control-Max-Age", "7200")
	w.WriteHeader(http.StatusNoContent)
	return true
}

func (s *Server) allowedOrigin(origin string) string {
	if origin == "" {
		return ""
	}
	for _, o := range s.opts.CORSOrigins {
		if o == "*" || strings.EqualFold(o, origin) {
			if o == "*" {
				return "*"
			}
			return origin
		}
	}
	return ""
}

func secureHeaders(h http.Header) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("X-Frame-Options", "DENY")
}

// compressible are the content types that are worth packing.
func compressible(contentType string) bool {
	t, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return false
	}
	return strings.HasPrefix(t, "text/") || strings.HasSuffix(t, "json") || strings.HasSuffix(t, "yaml") ||
		t == replayType || t == "application/javascript" || t == "image/svg+xml" || t == "application/wasm"
}

// watched remembers what was answered.
type watched struct {
	http.ResponseWriter
	code  int
	wrote bool
}

func (w *watched) WriteHeader(code int) {
	if !w.wrote && code >= 200 || code == http.StatusSwitchingProtocols {
		w.code, w.wrote = code, true
	}
	w.ResponseWriter.WriteHeader(code)
}

func (w *watched) Write(b []byte) (int, error) {
	w.wrote = true
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController and the WebSocket library reach the connection.
func (w *watched) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// dropped takes an answer of the mux to look at it.
type dropped struct {
	header http.Header
	code   int
}

func (d *dropped) Header() http.Header         { return d.header }
func (d *dropped) Write(b []byte) (int, error) { return len(b), nil }
func (d *dropped) WriteHeader(code int)        { d.code = code }

// quiet sends what net/http has to say (handshakes of strangers, mostly) to the log at debug level.
func quiet(logger *slog.Logger) *log.Logger {
	return slog.NewLogLogger(logger.With("part", "http").Handler(), slog.LevelDebug)
}

// sleepUntil waits a while or until ctx ends; it reports whether ctx is still good.
func sleepUntil(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
