package actors

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/cenkalti/backoff/v5"

	"github.com/trackmesh/trackmesh/broker"
)

// feed is what the pump knows of a running partition.
type feed struct {
	partition int32
	pid       *actor.PID
	broken    func(error) // the partition cannot be read on; called on the pump's goroutine, must not block
	limit     int64       // bytes
	reader    broker.Reader
	queued    atomic.Int64 // bytes sent to the partition and not yet taken: the pump adds, the lane subtracts
	paused    atomic.Bool
}

// given notes input on its way to the lane and pauses the partition over its bound; the pump itself never waits.
func (f *feed) given(bytes int64) {
	if f.queued.Add(bytes) < f.limit || f.paused.Swap(true) {
		return
	}
	f.reader.Pause(broker.Input, f.partition)
	f.maybeResume() // the lane may have caught up before it could see that we paused
}

func (f *feed) taken(bytes int64) {
	f.queued.Add(-bytes)
	f.maybeResume()
}

func (f *feed) maybeResume() {
	if f.queued.Load() <= f.limit/2 && f.paused.CompareAndSwap(true, false) {
		f.reader.Resume(broker.Input, f.partition)
	}
}

// pump reads the input and the commands of all partitions of this node with one reader and gives them to their actors.
//
// Feeds come and go on the pump's own goroutine, between polls: so everything that a poll returns belongs to the feeds
// as they are then, and a batch that was read for an earlier life of a partition never reaches a later one.
type pump struct {
	reader broker.Reader
	system *actor.ActorSystem
	log    *slog.Logger

	mu        sync.Mutex
	calls     []func() // guarded by mu; run between polls
	interrupt func()   // guarded by mu; ends the poll under way

	feeds map[int32]*feed // the pump's goroutine only
	done  chan struct{}
}

func newPump(reader broker.Reader, system *actor.ActorSystem, log *slog.Logger) *pump {
	return &pump{reader: reader, system: system, log: log, feeds: map[int32]*feed{}, done: make(chan struct{})}
}

// add starts feeding a partition from the offsets given. It returns when that is done, or ctx ends.
func (p *pump) add(ctx context.Context, f *feed, input, command int64) error {
	f.reader = p.reader
	return p.call(ctx, func() {
		p.feeds[f.partition] = f
		p.reader.Add(broker.Input, f.partition, input)
		p.reader.Add(broker.Commands, f.partition, command)
	})
}

// remove stops feeding a partition; nothing reaches its actor afterwards.
func (p *pump) remove(ctx context.Context, partition int32) error {
	return p.call(ctx, func() {
		delete(p.feeds, partition)
		p.reader.Remove(broker.Input, partition)
		p.reader.Remove(broker.Commands, partition)
	})
}

func (p *pump) call(ctx context.Context, fn func()) error {
	called := make(chan struct{})
	p.mu.Lock()
	p.calls = append(p.calls, func() { fn(); close(called) })
	if p.interrupt != nil {
		p.interrupt()
	}
	p.mu.Unlock()
	select {
	case <-called:
		return nil
	case <-p.done:
		return broker.ErrClosed
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (p *pump) run(ctx context.Context) {
	defer close(p.done)
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.MaxInterval = 100*time.Millisecond, 5*time.Second
	for ctx.Err() == nil {
		poll, cancel := context.WithCancel(ctx)
		p.between(cancel)
		fetches, err := p.reader.Poll(poll)
		for i := range fetches {
			p.deliver(&fetches[i])
		}
		if errors.Is(err, broker.ErrClosed) {
			cancel()
			return
		}
		if err == nil || poll.Err() != nil {
			wait.Reset()
		} else {
			pause := wait.NextBackOff()
			p.log.Warn("reading input failed; trying again", "err", err, "pause", pause)
			select {
			case <-poll.Done(): // a feed comes or goes
			case <-time.After(pause):
			}
		}
		p.mu.Lock()
		p.interrupt = nil
		p.mu.Unlock()
		cancel()
	}
}

// between runs what was asked for since the last poll and arms the interruption of the next.
func (p *pump) between(cancel func()) {
	for {
		p.mu.Lock()
		calls := p.calls
		p.calls = nil
		if len(calls) == 0 {
			p.interrupt = cancel
			p.mu.Unlock()
			return
		}
		p.mu.Unlock()
		for _, fn := range calls {
			fn()
		}
	}
}

func (p *pump) deliver(f *broker.Fetch) {
	to := p.feeds[f.Partition]
	if to == nil {
		return
	}
	if f.Err != nil {
		to.broken(f.Err)
		return
	}
	b := &batch{stream: f.Stream, records: f.Records, next: f.Next, end: f.End}
	for i := range f.Records {
		b.bytes += int64(len(f.Records[i].Value) + len(f.Records[i].Key) + 64)
	}
	to.given(b.bytes)
	p.system.Root.Send(to.pid, b)
}
