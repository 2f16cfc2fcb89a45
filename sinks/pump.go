package sinks

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trackmesh/trackmesh/broker"
)

// HeaderID is the header of .enriched and .events records that holds the document's id.
const HeaderID = "id"

// CursorPrefix stands before a sink's name in the name of its cursor.
const CursorPrefix = "sink."

// Source is the log as a pump reads it. broker.Log satisfies it.
type Source interface {
	Bounds(ctx context.Context, s broker.Stream, p int32) (earliest, end int64, err error)
	NewReader(opts broker.ReaderOptions) (broker.Reader, error)
}

// PumpOptions of a Pump. Zero numbers take the default named with them.
type PumpOptions struct {
	Name    string // of the sink, in metrics and in the cursor's name
	Source  Source
	Cursors Cursors // a broker.Log, or the store itself
	Writer  Writer
	// Reject makes rejections durable elsewhere (dead letters); the cursor waits for it, and it is tried until it succeeds.
	Reject func(ctx context.Context, rejections []Rejection) error
	// Streams are read. Default: Enriched and Events.
	Streams []broker.Stream

	MaxBatchBytes     int           // of bodies; a larger document goes alone. Default 5 MiB
	MaxBatchDocuments int           // default 20,000
	MaxBatchAge       time.Duration // how long the first document of a batch waits for others. Default 1 s
	// Concurrency is how many batches may be under way. Above 1, Writer must not depend on their order. Default 1.
	Concurrency int
	// MaxBufferedBytes bounds what is read ahead of the batches. Default 8 MiB.
	MaxBufferedBytes int
	AttemptTimeout   time.Duration // of one Write. Default 1 min

	MinBackOff      time.Duration // default 200 ms
	MaxBackOff      time.Duration // default 30 s
	CursorInterval  time.Duration // how often moved cursors are stored. Default 1 s
	RefreshInterval time.Duration // how often unmoved cursors are stored again, lest they expire. Default 1 h
	GapAlarm        time.Duration // how long Health tells of a gap. Default 15 min

	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

func (o *PumpOptions) validate() error {
	var errs []error
	for _, missing := range []struct {
		name string
		is   bool
	}{
		{"Name", o.Name == ""},
		{"Source", o.Source == nil},
		{"Cursors", o.Cursors == nil},
		{"Writer", o.Writer == nil},
		{"Reject", o.Reject == nil},
		{"Logger", o.Logger == nil},
		{"Registerer", o.Registerer == nil},
	} {
		if missing.is {
			errs = append(errs, errors.New("sinks: option "+missing.name+" is missing"))
		}
	}
	if len(o.Streams) == 0 {
		o.Streams = []broker.Stream{broker.Enriched, broker.Events}
	}
	for _, d := range []struct {
		value *int
		or    int
	}{{&o.MaxBatchBytes, 5 << 20}, {&o.MaxBatchDocuments, 20_000}, {&o.Concurrency, 1}, {&o.MaxBufferedBytes, 8 << 20}} {
		if *d.value <= 0 {
			*d.value = d.or
		}
	}
	for _, d := range []struct {
		value *time.Duration
		or    time.Duration
	}{
		{&o.MaxBatchAge, time.Second},
		{&o.AttemptTimeout, time.Minute},
		{&o.MinBackOff, 200 * time.Millisecond},
		{&o.MaxBackOff, 30 * time.Second},
		{&o.CursorInterval, time.Second},
		{&o.RefreshInterval, time.Hour},
		{&o.GapAlarm, 15 * time.Minute},
	} {
		if *d.value <= 0 {
			*d.value = d.or
		}
	}
	return errors.Join(errs...)
}

// Pump moves committed records into a store.
//
//	new ──Start──> running ──Stop──> draining ──nothing under way, or Stop's ctx ended──> stopped
//
// One goroutine (run) owns the lanes, the batches and the reader's polls. Others change them by posting a function, which
// runs between polls. A batch is
//
//	filling ──full or old enough──> waiting ──one of Concurrency is free──> written ──all before it are──> acknowledged
//
// and its cursors move when it is acknowledged, so they never pass a batch that is still under way.
type Pump struct {
	opts    PumpOptions
	metrics *metrics
	state   *view

	mu        sync.Mutex
	started   bool
	stopped   bool
	posted    []func() // guarded by mu
	interrupt func()   // guarded by mu; ends the wait or the poll under way

	ctx    context.Context //nolint:containedctx // the life of the goroutines that Start makes
	cancel context.CancelFunc
	work   sync.WaitGroup // writes, opens and stores under way
	quit   chan struct{}  // closed when Stop is called: no attempt is begun any more
	done   chan struct{}  // closed when run has returned

	// What follows belongs to run.
	reader     broker.Reader
	lanes      map[lane]*laneState
	filling    *batch
	queue      []*batch // in order; the first `underWay` … are being written or done
	underWay   int
	draining   bool
	storing    bool
	refused    bool // the cursors could not be stored the last time
	lastStored time.Time
	lastBounds time.Time
}

// NewPump checks the options; it reads nothing.
func NewPump(opts PumpOptions) (*Pump, error) {
	if err := opts.validate(); err != nil {
		return nil, err
	}
	opts.Logger = opts.Logger.With("sink", opts.Name)
	p := &Pump{opts: opts, lanes: map[lane]*laneState{}, filling: &batch{}, quit: make(chan struct{}), done: make(chan struct{}), state: newView()}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.metrics = newMetrics(opts.Registerer, opts.Name)
	return p, nil
}

// Start opens a reader and begins. Partitions may be added before and after.
func (p *Pump) Start(context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.started {
		return errors.New("sinks: a pump starts once")
	}
	reader, err := p.opts.Source.NewReader(broker.ReaderOptions{Name: CursorPrefix + p.opts.Name, MaxBufferedBytes: p.opts.MaxBufferedBytes})
	if err != nil {
		return err
	}
	p.reader, p.started = reader, true
	go p.run() //nolint:contextcheck // it ends with Stop
	return nil
}

// Stop reads no more, gives the batches under way until ctx ends, stores the cursors and returns when every goroutine has.
func (p *Pump) Stop(ctx context.Context) error {
	p.mu.Lock()
	if !p.stopped {
		close(p.quit)
		if !p.started {
			close(p.done)
		}
	}
	p.started, p.stopped = true, true
	p.mu.Unlock()
	p.post(func() { p.draining = true })
	var err error
	select {
	case <-p.done:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	p.cancel()
	<-p.done
	p.work.Wait()
	p.metrics.unregister()
	return err
}

// Add takes partitions in, from their stored cursors on. It returns at once; what fails is tried again and shown by Health.
func (p *Pump) Add(partitions ...int32) {
	for _, partition := range partitions {
		for _, s := range p.opts.Streams {
			l := lane{s, partition}
			p.post(func() { p.admit(l) })
		}
	}
}

// Remove lets partitions go: it reads no more of them, waits for their batches under way and stores their cursors. When ctx
// ends before, the next owner repeats at most those batches.
func (p *Pump) Remove(ctx context.Context, partitions ...int32) error {
	var waits []chan struct{}
	for _, partition := range partitions {
		for _, s := range p.opts.Streams {
			gone := make(chan struct{})
			waits = append(waits, gone)
			p.post(func() { p.leave(lane{s, partition}, gone) }) //nolint:contextcheck // what it opens anew lives with the pump
		}
	}
	for _, gone := range waits {
		select {
		case <-gone:
		case <-p.done:
			return nil
		case <-ctx.Done():
			p.post(func() { p.forget(partitions) }) //nolint:contextcheck // what it opens anew lives with the pump
			return context.Cause(ctx)
		}
	}
	return nil
}

// post runs fn on the pump's goroutine between two polls.
func (p *Pump) post(fn func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.posted = append(p.posted, fn)
	if p.interrupt != nil {
		p.interrupt()
	}
}
