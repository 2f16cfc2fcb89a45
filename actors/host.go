package actors

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/trackmesh/trackmesh/broker"
)

// maxCommitsPerSecond is how many commits a node makes at most: above, each partition's interval stretches.
const maxCommitsPerSecond = 100

// tickInterval is how often each partition looks at the time.
const tickInterval = 50 * time.Millisecond

// Host runs the partitions that this node owns. Start and Stop of a partition may be called in any order and at any time;
// they return at once, and the work is done by the partition's runner.
type Host struct {
	opts    Options
	layout  broker.Layout
	metrics *metrics
	reader  broker.Reader
	pump    *pump
	home    func(vehicle string) int32

	ctx     context.Context // ends when the host is closed hard
	cancel  context.CancelFunc
	work    sync.WaitGroup // pump, ticker
	commits sync.WaitGroup // commits under way
	lives   sync.WaitGroup // runners, those that stop included

	fencesMoved broadcast    // a partition adopted newer fences
	awake       atomic.Int64 // tracks with an actor

	mu      sync.Mutex
	runners map[int32]*runner // guarded by mu
	leaving map[int32]*runner // guarded by mu; the last that was told to stop: the next one waits for it
	closed  bool              // guarded by mu
	sinks   []*Sink           // guarded by mu; those that follow the partitions
}

// NewHost makes a host that runs nothing yet.
func NewHost(opts Options, partitioner broker.Partitioner) (*Host, error) {
	if err := opts.validate(); err != nil {
		return nil, err
	}
	reader, err := opts.Log.NewReader(broker.ReaderOptions{Name: "input"})
	if err != nil {
		return nil, fmt.Errorf("opening the input's reader: %w", err)
	}
	h := &Host{opts: opts, layout: opts.Log.Layout(), metrics: newMetrics(opts.Registerer), reader: reader, runners: map[int32]*runner{}, leaving: map[int32]*runner{}}
	h.home = func(vehicle string) int32 { return partitioner([]byte(vehicle), h.layout.Partitions) }
	h.ctx, h.cancel = context.WithCancel(context.Background())
	h.pump = newPump(reader, opts.System, opts.Logger)
	h.work.Go(func() { h.pump.run(h.ctx) })
	h.work.Go(h.ticks)
	h.work.Go(h.tellProgress)
	return h, nil
}

// Home is the partition that a vehicle's records belong to.
func (h *Host) Home(vehicle string) int32 { return h.home(vehicle) }

// Start runs a partition here until Stop. It is started already: nothing.
func (h *Host) Start(p int32) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || h.runners[p] != nil {
		return
	}
	r, before := newRunner(h, p), h.leaving[p]
	delete(h.leaving, p)
	h.runners[p] = r
	h.tellSinks(sinkOwns{partition: p})
	h.lives.Go(func() {
		if before != nil {
			<-before.done // two lives at once would share a name, a feed and an index
		}
		r.run()
	})
}

// Stop commits what a partition has pending and lets it go. It returns when that is done, or ctx ends.
func (h *Host) Stop(ctx context.Context, p int32) error {
	r := h.let(p)
	if r == nil {
		return nil
	}
	return r.stop(ctx)
}

// Abandon lets a partition go without a commit, because somebody else may have it already. It returns at once.
func (h *Host) Abandon(p int32) {
	if r := h.let(p); r != nil {
		r.abandon()
	}
}

// let takes a partition out of those that run here.
func (h *Host) let(p int32) *runner {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.runners[p]
	delete(h.runners, p)
	if r != nil {
		h.leaving[p] = r
		h.tellSinks(sinkDisown{partition: p})
	}
	return r
}

// Owns says that a partition was started here and not stopped since, in whatever state it is.
func (h *Host) Owns(p int32) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.runners[p] != nil
}

// Close stops all partitions, each with a last commit while ctx lasts, and then everything else. Idempotent.
func (h *Host) Close(ctx context.Context) error {
	h.mu.Lock()
	h.closed = true
	var owned []int32
	for p := range h.runners {
		owned = append(owned, p)
	}
	h.mu.Unlock()
	errs := make(chan error, len(owned))
	for _, p := range owned {
		go func() { errs <- h.Stop(ctx, p) }()
	}
	var first error
	for range owned {
		if err := <-errs; err != nil && first == nil {
			first = err
		}
	}
	h.cancel()
	h.lives.Wait() // their claims must be closed before the log is; bounded, for nothing commits any more
	h.work.Wait()
	h.commits.Wait()
	h.reader.Close()
	return first
}

// woke counts tracks that got an actor, or with -1 lost it.
func (h *Host) woke(n int64) {
	h.awake.Add(n)
	h.metrics.live.Add(float64(n))
}

// ticks sends the time to every partition.
func (h *Host) ticks() {
	ticker := time.NewTicker(tickInterval)
	defer ticker.Stop()
	message := &tickMessage{}
	for {
		select {
		case <-h.ctx.Done():
			return
		case <-ticker.C:
			for _, r := range h.running() {
				if a := r.address.Load(); a != nil {
					h.opts.System.Root.Send(a.pid, message)
				}
			}
			h.count()
		}
	}
}

func (h *Host) running() []*runner {
	h.mu.Lock()
	defer h.mu.Unlock()
	rs := make([]*runner, 0, len(h.runners))
	for _, r := range h.runners {
		rs = append(rs, r)
	}
	return rs
}

// commitInterval stretches with the number of partitions, so that a node stays under maxCommitsPerSecond.
func (h *Host) commitInterval() time.Duration {
	h.mu.Lock()
	n := len(h.runners)
	h.mu.Unlock()
	return max(h.opts.CommitInterval, time.Duration(n)*time.Second/maxCommitsPerSecond)
}

// Status says how each partition of this node is, in order of its number.
func (h *Host) Status() []PartitionStatus {
	var all []PartitionStatus
	for _, r := range h.running() {
		all = append(all, r.status())
	}
	slices.SortFunc(all, func(a, b PartitionStatus) int { return int(a.Partition - b.Partition) })
	return all
}

func (h *Host) observeLag(p int32, lag int64) {
	h.metrics.lag.WithLabelValues(strconv.Itoa(int(p))).Set(float64(lag))
}

func (h *Host) count() {
	states := map[string]int{"claiming": 0, "recovering": 0, "running": 0, "stopped": 0}
	tracks := 0
	for _, s := range h.Status() {
		states[s.State]++
		tracks += s.Tracks
	}
	for state, n := range states {
		h.metrics.partitions.WithLabelValues(state).Set(float64(n))
	}
	h.metrics.tracks.Set(float64(tracks))
}

// addressOf is where a partition that runs here takes questions, or nil.
func (h *Host) addressOf(p int32) *address {
	h.mu.Lock()
	defer h.mu.Unlock()
	if r := h.runners[p]; r != nil {
		return r.address.Load()
	}
	return nil
}
