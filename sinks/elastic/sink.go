package elastic

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/trackmesh/trackmesh/history"
	"github.com/trackmesh/trackmesh/sinks"
)

// Sink is an Elasticsearch cluster as a store. All methods may be called from many goroutines.
type Sink struct {
	opts     Options
	es       *client
	compress bool
	metrics  *metrics

	lastIndex [2]atomic.Pointer[dayIndex] // by kind

	closing sync.Once
	mu      sync.Mutex
	checked time.Time       // when the templates were last seen; zero: not since the last failure
	known   map[string]bool // indices written to since then
	missing map[string]bool // indices that Elasticsearch said it does not have and does not make by itself
}

var (
	_ sinks.Writer  = (*Sink)(nil)
	_ history.Store = (*Sink)(nil)
)

// New checks the options. It connects to nothing: the first Write or question does.
func New(opts Options) (*Sink, error) {
	if err := opts.validate(); err != nil {
		return nil, err
	}
	es, err := opts.connect()
	if err != nil {
		return nil, err
	}
	return &Sink{
		opts: opts, es: es, compress: opts.compress(), metrics: newMetrics(opts.Registerer),
		known: map[string]bool{}, missing: map[string]bool{},
	}, nil
}

// Close ends the connections. Idempotent; requests under way go on.
func (s *Sink) Close(ctx context.Context) error {
	s.metrics.unregister()
	var err error
	s.closing.Do(func() { err = s.es.close(ctx) })
	return err
}

// Write stores documents. See sinks.Writer.
func (s *Sink) Write(ctx context.Context, batch []sinks.Document) ([]sinks.Rejection, error) {
	items := make([]item, len(batch))
	for i := range batch {
		items[i] = item{document: &batch[i], index: s.indexOf(&batch[i])}
	}
	if err := s.prepare(ctx, items); err != nil {
		return nil, s.failed(err)
	}
	rejections, err := s.writeAll(ctx, items)
	if err != nil {
		return nil, s.failed(err)
	}
	return rejections, nil
}

// failed makes the next Write look for the templates again: the cluster may have lost them meanwhile.
func (s *Sink) failed(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.checked = time.Time{}
	return err
}
