package webhook

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trackmesh/trackmesh/broker"
	"github.com/trackmesh/trackmesh/sinks"
)

// Log is the part of broker.Log that webhooks use.
type Log interface {
	sinks.Source
	sinks.Cursors
	Layout() broker.Layout
	Produce(ctx context.Context, records []broker.Record) ([]int64, error)
}

// Options of a Service. Zero durations take the default named with them.
type Options struct {
	Log Log
	// Run drives a pump over the partitions that this node owns, until stop is called.
	Run func(ctx context.Context, name string, pump *sinks.Pump) (stop func(context.Context) error, err error)
	// Agent is the User-Agent of POSTs.
	Agent       string
	PostTimeout time.Duration // of one POST; default 10 s
	MinBackOff  time.Duration // default 200 ms
	MaxBackOff  time.Duration // default 30 s
	Logger      *slog.Logger
	Registerer  prometheus.Registerer
}

// Bounds of what a webhook holds on its way, so that many of them do not add up.
const (
	batchEvents   = 256
	batchBytes    = 1 << 20
	bufferedBytes = 1 << 20
	batchAge      = 10 * time.Millisecond
	// attemptTimeout is long: a slow receiver is no failure, and a repeated attempt sends only what is left.
	attemptTimeout = 10 * time.Minute
	// stopWait is how long what is under way may take when a webhook stops here; the rest is sent again later.
	stopWait = 2 * time.Second
	// retryStart is how often a webhook that could not be started is tried again.
	retryStart = 5 * time.Second
)

// Service runs the webhooks of one node.
//
//	new ──Start──> following the log: each definition runs as a pump ──Stop──> stopped
//
// One goroutine (follow) starts and stops pumps.
type Service struct {
	opts    Options
	board   *board
	metrics *metrics

	cancel context.CancelFunc
	work   sync.WaitGroup

	writing sync.Mutex // held over look, check and write

	mu      sync.Mutex
	running map[string]*running // guarded by mu; changed by follow
	broken  map[string]error    // guarded by mu; why a webhook could not be started
}

// running is a webhook that runs here.
type running struct {
	def     *Definition
	poster  *poster
	pump    *sinks.Pump
	stop    func(context.Context) error
	leaving chan struct{}
}

// New checks the options; it reads nothing.
func New(opts Options) (*Service, error) {
	if opts.Log == nil || opts.Run == nil || opts.Logger == nil || opts.Registerer == nil {
		return nil, errors.New("webhook: Log, Run, Logger and Registerer are needed")
	}
	if opts.PostTimeout <= 0 {
		opts.PostTimeout = 10 * time.Second
	}
	if opts.MinBackOff <= 0 {
		opts.MinBackOff = 200 * time.Millisecond
	}
	return &Service{
		opts: opts, board: newBoard(opts.Log, opts.Logger), metrics: newMetrics(opts.Registerer), running: map[string]*running{}, broken: map[string]error{},
	}, nil
}

// Start returns when the definitions that are in the log run.
func (s *Service) Start(ctx context.Context) error {
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.cancel = cancel
	s.work.Go(func() { s.board.Run(life) })
	if err := s.board.CatchUp(ctx); err != nil {
		cancel()
		s.work.Wait()
		return err
	}
	changed := s.board.Changed()
	s.reconcile(life)
	s.work.Go(func() { s.follow(life, changed) })
	return nil
}

// Stop ends all webhooks, each with what is under way for a moment, and returns when every goroutine has. Idempotent.
func (s *Service) Stop(ctx context.Context) error {
	if s.cancel == nil {
		return nil
	}
	s.cancel()
	s.work.Wait()
	s.mu.Lock()
	all := s.running
	s.running = map[string]*running{}
	s.mu.Unlock()
	var stopping sync.WaitGroup
	for _, r := range all {
		stopping.Go(func() { s.end(ctx, r) })
	}
	stopping.Wait()
	return nil
}

func (s *Service) follow(ctx context.Context, changed <-chan struct{}) {
	for {
		var again <-chan time.Time
		s.mu.Lock()
		if len(s.broken) > 0 {
			again = time.After(retryStart)
		}
		s.mu.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-again:
		}
		changed = s.board.Changed()
		s.reconcile(ctx)
	}
}

// reconcile starts what is new, stops what is gone and restarts what changed.
func (s *Service) reconcile(ctx context.Context) {
	wanted := s.board.current()
	for id, r := range s.runs() {
		if d := wanted[id]; d == nil || !d.sameAs(r.def) {
			s.forget(id)
			s.end(ctx, r)
			if d == nil || d.Cursor != r.def.Cursor {
				s.retire(ctx, r.def)
			}
		}
	}
	for _, d := range wanted {
		if ctx.Err() != nil {
			return
		}
		s.mu.Lock()
		r := s.running[d.ID]
		if r != nil {
			r.def = d // what differs is only its version
		}
		s.mu.Unlock()
		if r == nil {
			s.begin(ctx, d)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for id := range s.broken {
		if wanted[id] == nil {
			delete(s.broken, id)
		}
	}
	s.metrics.webhooks.Set(float64(len(s.running)))
}

func (s *Service) runs() map[string]*running {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.running)
}

func (s *Service) forget(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.running, id)
}

func (s *Service) begin(ctx context.Context, d *Definition) {
	r, err := s.start(ctx, d)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.opts.Logger.Warn("starting a webhook failed; trying again", "webhook", d.ID, "err", err)
		s.broken[d.ID] = err
		return
	}
	delete(s.broken, d.ID)
	s.running[d.ID] = r
}

func (s *Service) start(ctx context.Context, d *Definition) (*running, error) {
	r := &running{def: d, leaving: make(chan struct{})}
	r.poster = &poster{
		def: d, agent: s.opts.Agent, now: time.Now, metrics: s.metrics.of(d.ID), leaving: r.leaving, minBackOff: s.opts.MinBackOff, acknowledged: map[string]struct{}{},
		client: &http.Client{Timeout: s.opts.PostTimeout, Transport: transport(), CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}
	name := "webhook-" + d.ID
	pump, err := sinks.NewPump(sinks.PumpOptions{
		Name: name, Source: s.opts.Log, Cursors: &cursors{s.opts.Log, d}, Writer: r.poster, Reject: nothingRejected,
		Streams: []broker.Stream{broker.Events}, MaxBatchBytes: batchBytes, MaxBatchDocuments: batchEvents, MaxBatchAge: batchAge,
		MaxBufferedBytes: bufferedBytes, AttemptTimeout: attemptTimeout, MinBackOff: s.opts.MinBackOff, MaxBackOff: s.opts.MaxBackOff,
		Logger: s.opts.Logger, Registerer: s.opts.Registerer,
	})
	if err != nil {
		return nil, err
	}
	r.pump = pump
	if r.stop, err = s.opts.Run(ctx, name, pump); err != nil {
		return nil, errors.Join(err, pump.Stop(ctx))
	}
	return r, nil
}

// transport has connections of its own for each webhook, so that none takes those of another.
func transport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost, t.MaxConnsPerHost = posters, posters
	t.IdleConnTimeout = 30 * time.Second
	return t
}

func nothingRejected(context.Context, []sinks.Rejection) error { return nil }

// end stops a webhook here. What is under way has a moment.
func (s *Service) end(ctx context.Context, r *running) {
	close(r.leaving)
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWait)
	defer cancel()
	if err := r.stop(bounded); err != nil {
		s.opts.Logger.Info("a webhook was stopped with events under way; they are sent again", "webhook", r.def.ID, "err", err)
	}
	r.poster.client.CloseIdleConnections()
	s.metrics.drop(r.def.ID)
}

func (s *Service) retire(ctx context.Context, d *Definition) {
	bounded, cancel := context.WithTimeout(ctx, stopWait)
	defer cancel()
	if err := (&cursors{s.opts.Log, d}).retire(bounded, s.opts.Log.Layout().Partitions); err != nil {
		s.opts.Logger.Warn("giving up the cursors of a deleted webhook failed", "webhook", d.ID, "err", err)
	}
}

// sameAs reports whether two definitions run alike.
func (d *Definition) sameAs(o *Definition) bool {
	return d.URL == o.URL && d.Secret == o.Secret && d.Cursor == o.Cursor && d.Filter.same(&o.Filter)
}
