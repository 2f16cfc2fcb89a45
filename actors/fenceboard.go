package actors

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/trackmesh/trackmesh/broker"
	"github.com/trackmesh/trackmesh/broker/follow"
	"github.com/trackmesh/trackmesh/fence"
)

// ErrVersion: the fence is not at the version that If-Match names.
var ErrVersion = errors.New("the fence has another version by now: read it again and repeat the change")

// FenceBoard keeps the newest fence set as read from the log, and writes to it.
//
// One goroutine reads; Current is what everybody sees. Writers are serialised: each looks at the end of the log first, so
// that If-Match is judged against what is there and not against what this node has read so far.
type FenceBoard struct {
	log      broker.Log
	logger   *slog.Logger
	follower *follow.Follower[*fence.Set]

	set atomic.Pointer[fence.Set]

	writing sync.Mutex // held over look, check and write

	cancel context.CancelFunc
	work   sync.WaitGroup
}

// NewFenceBoard makes a board with no fences; Start reads them.
func NewFenceBoard(log broker.Log, logger *slog.Logger) *FenceBoard {
	b := &FenceBoard{log: log, logger: logger}
	b.set.Store(fence.NewSet())
	b.follower = follow.New(follow.Options[*fence.Set]{
		Log: log, Stream: broker.Fences, Empty: fence.NewSet, Apply: b.apply, Show: b.show, Logger: logger,
	})
	return b
}

// Start reads the fences and returns when the set holds all that were in the log.
func (b *FenceBoard) Start(ctx context.Context) error {
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	b.cancel = cancel
	b.work.Go(func() { b.follower.Run(run) })
	if err := b.follower.CatchUp(ctx); err != nil {
		return fmt.Errorf("reading the fences: %w", err)
	}
	return nil
}

// Stop ends the reading. Idempotent; safe before Start.
func (b *FenceBoard) Stop() {
	if b.cancel != nil {
		b.cancel()
		b.work.Wait()
	}
}

// Health returns nil while the fences can be read, else why not: edits are not seen meanwhile.
func (b *FenceBoard) Health() error {
	if err := b.follower.Failing(); err != nil {
		return fmt.Errorf("edits of fences are not seen: %w", err)
	}
	return nil
}

// Current is the newest set read.
func (b *FenceBoard) Current() *fence.Set { return b.set.Load() }

// Await returns when the set holds the record at an offset.
func (b *FenceBoard) Await(ctx context.Context, version int64) error {
	return b.follower.Await(ctx, version)
}

// show lets a set be seen, unless a start-over has not come as far yet as what is seen. The fences of a topic that was made anew
// replace the old ones, though their versions are lower, and the partitions make the exits and enters that follow.
func (b *FenceBoard) show(set *fence.Set, anew bool) {
	if anew || set.Version() >= b.set.Load().Version() {
		b.set.Store(set)
	}
}

func (b *FenceBoard) apply(set *fence.Set, records []broker.Record) *fence.Set {
	changes := b.parse(records)
	if len(changes) == 0 {
		return set
	}
	return set.Apply(changes)
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
				b.logger.Error("a record of the fences is no move; ignoring it", "fence", id, "offset", rec.Offset, "err", err)
				continue
			}
			c.ID, c.Moved = id, m
		} else if rec.Value != nil {
			f, err := fence.Parse(c.ID, rec.Value, rec.Offset)
			if err != nil {
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
	if err := b.follower.CatchUp(ctx); err != nil {
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
