package actors

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/trackmesh/trackmesh/broker"
	"github.com/trackmesh/trackmesh/fence"
)

// ErrVersion: the fence is not at the version that If-Match names.
var ErrVersion = errors.New("the fence has another version by now: read it again and repeat the change")

// boardChunk is how many changes go into one new set at most, so that an import never makes a partition judge for long.
const boardChunk = 5000

// FenceBoard keeps the newest fence set as read from the log, and writes to it.
//
// One goroutine reads; Current is what everybody sees. Writers are serialised: each looks at the end of the log first, so
// that If-Match is judged against what is there and not against what this node has read so far.
type FenceBoard struct {
	log    broker.Log
	logger *slog.Logger

	set  atomic.Pointer[fence.Set]
	at   atomic.Int64 // every record before this offset is in the set
	news broadcast
	bad  atomic.Int64 // records that are no fence

	failing atomic.Pointer[error] // why the fences cannot be read just now; nil: they can

	writing sync.Mutex // held over look, check and write

	cancel context.CancelFunc
	done   chan struct{}
}

// NewFenceBoard makes a board with no fences; Start reads them.
func NewFenceBoard(log broker.Log, logger *slog.Logger) *FenceBoard {
	b := &FenceBoard{log: log, logger: logger, done: make(chan struct{})}
	b.set.Store(fence.NewSet())
	return b
}

// Start reads the fences and returns when the set holds all that were in the log.
func (b *FenceBoard) Start(ctx context.Context) error {
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	b.cancel = cancel
	go b.run(run)
	if err := b.catchUp(ctx); err != nil {
		return fmt.Errorf("reading the fences: %w", err)
	}
	return nil
}

// Stop ends the reading. Idempotent; safe before Start.
func (b *FenceBoard) Stop() {
	if b.cancel != nil {
		b.cancel()
		<-b.done
	}
}

// Health returns nil while the fences can be read, else why not: edits are not seen meanwhile.
func (b *FenceBoard) Health() error {
	if err := b.failing.Load(); err != nil {
		return fmt.Errorf("edits of fences are not seen: %w", *err)
	}
	return nil
}

// Current is the newest set read.
func (b *FenceBoard) Current() *fence.Set { return b.set.Load() }

// Await returns when the set holds the record at an offset.
func (b *FenceBoard) Await(ctx context.Context, version int64) error {
	return b.news.until(ctx, func() bool { return b.at.Load() > version })
}

// catchUp waits until the set holds what is in the log now.
func (b *FenceBoard) catchUp(ctx context.Context) error {
	earliest, end, err := b.log.Bounds(ctx, broker.Fences, 0)
	if err != nil {
		return err
	}
	if earliest >= end {
		return nil
	}
	return b.Await(ctx, end-1)
}

func (b *FenceBoard) run(ctx context.Context) {
	defer close(b.done)
	wait := backoff.NewExponentialBackOff()
	wait.MaxInterval = 10 * time.Second
	for ctx.Err() == nil {
		err := b.read(ctx)
		if ctx.Err() != nil {
			return
		}
		pause := wait.NextBackOff()
		b.failing.Store(&err)
		b.logger.Warn("reading the fences failed; starting over", "err", err, "pause", pause)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// read builds the set anew from the earliest record, then follows the log until something fails. Starting over is cheap
// and needs no memory of which tombstones compaction may have taken meanwhile.
//
// A log that ends before what was read of it was made anew, or cut. It is the truth all the same: its fences replace the old
// ones, though their versions are lower, and the partitions make the exits and enters that follow.
func (b *FenceBoard) read(ctx context.Context) error {
	reader, err := b.log.NewReader(broker.ReaderOptions{Name: "fences"})
	if err != nil {
		return fmt.Errorf("opening the reader of fences: %w", err)
	}
	defer reader.Close()
	earliest, end, err := b.log.Bounds(ctx, broker.Fences, 0)
	if err != nil {
		return fmt.Errorf("asking for the bounds of the fences: %w", err)
	}
	reader.Add(broker.Fences, 0, earliest)
	building := fence.NewSet()
	had := b.at.Load()
	anew := end < had
	if anew {
		b.logger.Error("the fences' topic holds fewer records than were read of it: it was made anew; its fences replace those before", "end", end, "read", had)
	}
	whole := end <= earliest
	if whole {
		b.publish(building, earliest, anew)
	}
	for {
		fetches, err := reader.Poll(ctx)
		for i := range fetches {
			f := &fetches[i]
			if f.Err != nil {
				return f.Err
			}
			changes := b.parse(f.Records)
			for len(changes) > 0 {
				n := min(len(changes), boardChunk)
				building = building.Apply(changes[:n])
				changes = changes[n:]
				if whole {
					b.publish(building, building.Version()+1, false)
				}
			}
			if whole || f.Next >= end {
				b.publish(building, f.Next, anew && !whole)
				whole = true
			}
		}
		if err != nil {
			return err
		}
	}
}

// publish shows a set, unless a start-over has not come as far yet as what is shown. The first whole set of a topic that was made
// anew is shown whatever its version.
func (b *FenceBoard) publish(set *fence.Set, next int64, anew bool) {
	if anew || set.Version() >= b.set.Load().Version() {
		b.set.Store(set)
	}
	if !anew {
		next = max(next, b.at.Load())
	}
	b.at.Store(next)
	b.failing.Store(nil)
	b.news.announce()
}

// parse turns records into changes. What is no fence (somebody else wrote to the topic) changes nothing.
func (b *FenceBoard) parse(records []broker.Record) []fence.Change {
	changes := make([]fence.Change, 0, len(records))
	for i := range records {
		rec := &records[i]
		c := fence.Change{ID: string(rec.Key), Version: rec.Offset}
		if id, moved := movedFence(rec.Key); moved {
			m, err := parseMove(rec.Value)
			if err != nil {
				b.bad.Add(1)
				b.logger.Error("a record of the fences is no move; ignoring it", "fence", id, "offset", rec.Offset, "err", err)
				continue
			}
			c.ID, c.Moved = id, m
		} else if rec.Value != nil {
			f, err := fence.Parse(c.ID, rec.Value, rec.Offset)
			if err != nil {
				b.bad.Add(1)
				b.logger.Error("a record of the fences is no fence; ignoring it", "fence", c.ID, "offset", rec.Offset, "err", err)
				continue
			}
			c.Fence = f
		}
		changes = append(changes, c)
	}
	return changes
}

// Put writes a fence and returns its version. ifMatch, when not nil, is the version that it must have now (-1: it must not
// be there); else ErrVersion. An invalid feature is refused with a *fence.Error.
func (b *FenceBoard) Put(ctx context.Context, id string, feature []byte, ifMatch *int64) (int64, error) {
	f, err := fence.Parse(id, feature, 0)
	if err != nil {
		return 0, err
	}
	return b.write(ctx, id, f.Feature(), ifMatch)
}

// Delete removes a fence; one that is not there is ErrNoFence.
func (b *FenceBoard) Delete(ctx context.Context, id string, ifMatch *int64) (int64, error) {
	return b.write(ctx, id, nil, ifMatch)
}

// ErrNoFence: there is no fence with that id.
var ErrNoFence = errors.New("there is no such fence")

func (b *FenceBoard) write(ctx context.Context, id string, value []byte, ifMatch *int64) (int64, error) {
	b.writing.Lock()
	defer b.writing.Unlock()
	if err := b.catchUp(ctx); err != nil {
		return 0, fmt.Errorf("reading the fences up to their end: %w", err)
	}
	current, there := b.Current().Get(id)
	version, edited := int64(-1), int64(-1) // what moved since it was edited still matches
	if there {
		version, edited = current.Version, current.Edited
	}
	if ifMatch != nil && (*ifMatch > version || *ifMatch < edited) {
		return version, ErrVersion
	}
	if value == nil && !there {
		return 0, ErrNoFence
	}
	records := []broker.Record{{Stream: broker.Fences, Key: []byte(id), Value: value}}
	if value == nil && current.Follows != "" { // what it was moved to goes too: a fence of that name is another one
		records = append([]broker.Record{{Stream: broker.Fences, Key: moveKey(id)}}, records...)
	}
	offsets, err := b.log.Produce(ctx, records)
	if err != nil {
		return 0, fmt.Errorf("writing fence %q: %w", id, err)
	}
	last := offsets[len(offsets)-1]
	return last, b.Await(ctx, last)
}

// PutAll writes many fences that were parsed already, without looking at their versions, and returns the last offset.
func (b *FenceBoard) PutAll(ctx context.Context, fences []*fence.Fence) (int64, error) {
	records := make([]broker.Record, len(fences))
	for i, f := range fences {
		records[i] = broker.Record{Stream: broker.Fences, Key: []byte(f.ID), Value: f.Feature()}
	}
	b.writing.Lock()
	defer b.writing.Unlock()
	offsets, err := b.log.Produce(ctx, records)
	if err != nil {
		return 0, fmt.Errorf("writing %d fences: %w", len(fences), err)
	}
	return offsets[len(offsets)-1], nil
}
