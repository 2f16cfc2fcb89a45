package follow

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/trackmesh/trackmesh/broker"
)

// chunk is how many records go into one new view at most, so that an import never gives who is shown it much to do at once.
const chunk = 5000

// Log is the part of broker.Log that a Follower reads.
type Log interface {
	Bounds(ctx context.Context, s broker.Stream, p int32) (earliest, end int64, err error)
	NewReader(opts broker.ReaderOptions) (broker.Reader, error)
}

// Options of a Follower of a stream, whose views are of type V.
type Options[V any] struct {
	Log    Log
	Stream broker.Stream // compacted, of one partition
	// MaxBufferedBytes is the reader's; zero: its default.
	MaxBufferedBytes int
	// Empty makes a view without records, Apply the next one with some more; it changes nothing of what was shown.
	Empty func() V
	Apply func(view V, records []broker.Record) V
	// Show is told each whole view. Anew: the first of a topic that was made anew, which is the truth though it is behind the one before.
	Show   func(view V, anew bool)
	Logger *slog.Logger
}

// Follower reads one stream.
//
//	building ──holds what was there at its start──> following: each view is shown
//	   ▲                                               │
//	   └───────────── back-off <── failed <────────────┘
//
// One goroutine is in Run; everything else may be called from many.
type Follower[V any] struct {
	opts Options[V]

	mu      sync.Mutex
	at      int64         // guarded by mu; every record before this offset was shown
	failing error         // guarded by mu; why the stream cannot be read just now
	changed chan struct{} // guarded by mu; closed and replaced when a view was shown
}

// New reads nothing; Run does.
func New[V any](opts Options[V]) *Follower[V] {
	return &Follower[V]{opts: opts, changed: make(chan struct{})}
}

// Changed is closed when the next view was shown.
func (f *Follower[V]) Changed() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.changed
}

// Failing is why the stream cannot be read just now; nil: it can.
func (f *Follower[V]) Failing() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failing
}

// Await returns when the record at an offset was shown.
func (f *Follower[V]) Await(ctx context.Context, offset int64) error {
	for {
		f.mu.Lock()
		at, changed := f.at, f.changed
		f.mu.Unlock()
		if at > offset {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// CatchUp returns when everything that is in the log now was shown.
func (f *Follower[V]) CatchUp(ctx context.Context) error {
	earliest, end, err := f.bounds(ctx)
	if err != nil || earliest >= end {
		return err
	}
	return f.Await(ctx, end-1)
}

func (f *Follower[V]) bounds(ctx context.Context) (earliest, end int64, err error) {
	if earliest, end, err = f.opts.Log.Bounds(ctx, f.opts.Stream, 0); err != nil {
		return 0, 0, fmt.Errorf("asking for the bounds of the %s: %w", f.opts.Stream, err)
	}
	return earliest, end, nil
}

// Run reads until ctx ends, and starts over when that fails.
func (f *Follower[V]) Run(ctx context.Context) {
	wait := backoff.NewExponentialBackOff()
	wait.MaxInterval = 10 * time.Second
	for ctx.Err() == nil {
		err := f.read(ctx)
		if ctx.Err() != nil {
			return
		}
		pause := wait.NextBackOff()
		f.mu.Lock()
		f.failing = err
		f.mu.Unlock()
		f.opts.Logger.Warn("following a stream failed; starting over", "stream", f.opts.Stream.String(), "err", err, "pause", pause)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// read builds the view anew from the earliest record, then follows the log until something fails. Starting over is cheap
// and needs no memory of which tombstones compaction may have taken meanwhile.
//
// A log that ends before what was read of it was made anew, or cut. It is the truth all the same.
func (f *Follower[V]) read(ctx context.Context) error {
	reader, err := f.opts.Log.NewReader(broker.ReaderOptions{Name: f.opts.Stream.String(), MaxBufferedBytes: f.opts.MaxBufferedBytes})
	if err != nil {
		return fmt.Errorf("opening the reader of %s: %w", f.opts.Stream, err)
	}
	defer reader.Close()
	earliest, end, err := f.bounds(ctx)
	if err != nil {
		return err
	}
	reader.Add(f.opts.Stream, 0, earliest)
	b := building[V]{follower: f, view: f.opts.Empty(), end: end, anew: f.isAnew(end)}
	b.reached(earliest)
	for {
		fetches, err := reader.Poll(ctx)
		for i := range fetches {
			if err := fetches[i].Err; err != nil {
				return err
			}
			b.take(&fetches[i])
		}
		if err != nil {
			return err
		}
	}
}

func (f *Follower[V]) isAnew(end int64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if end >= f.at {
		return false
	}
	f.opts.Logger.Error("a topic holds fewer records than were read of it: it was made anew; its records replace those before",
		"stream", f.opts.Stream.String(), "end", end, "read", f.at)
	return true
}

func (f *Follower[V]) show(view V, next int64, anew bool) {
	f.opts.Show(view, anew)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at, f.failing = next, nil
	close(f.changed)
	f.changed = make(chan struct{})
}

// building is one start from the earliest record.
type building[V any] struct {
	follower *Follower[V]
	view     V
	end      int64 // the view is whole when it holds what is before
	whole    bool
	anew     bool // the topic was made anew, and nothing of it shown yet
}

// take applies what was fetched, some records at a time.
func (b *building[V]) take(fetch *broker.Fetch) {
	rest := fetch.Records
	for len(rest) > chunk {
		b.view = b.follower.opts.Apply(b.view, rest[:chunk])
		rest = rest[chunk:]
		b.reached(rest[0].Offset)
	}
	b.view = b.follower.opts.Apply(b.view, rest)
	b.reached(fetch.Next)
}

// reached shows the view, which holds every record before an offset, once it is whole.
func (b *building[V]) reached(next int64) {
	if b.whole = b.whole || next >= b.end; b.whole {
		b.follower.show(b.view, next, b.anew)
		b.anew = false
	}
}
