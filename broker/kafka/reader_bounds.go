package kafka

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/trackmesh/trackmesh/broker"
)

// greet says that a partition is caught up which has nothing to read: no fetch would.
func (r *reader) greet(at place, part *reading, offset int64) {
	ctx, cancel := context.WithTimeout(r.ctx, requestTimeout)
	defer cancel()
	end, err := r.log.listOffset(ctx, at.s, at.p, latestOffset)
	if err != nil || end != offset {
		return // the client will find out by itself
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.parts[at] == part && part.end < 0 && !part.failed {
		part.end = end
		part.held = append(part.held, broker.Fetch{Stream: at.s, Partition: at.p, Next: offset, End: end})
		r.wake()
	}
}

// errorLocked stops a partition until the next Add.
func (r *reader) errorLocked(at place, part *reading, err error) {
	_, lossy := errors.AsType[*kgo.ErrDataLoss](err)
	switch {
	case lossy, errors.Is(err, kerr.OffsetOutOfRange):
		r.askLocked(at, part, true)
	case errors.Is(err, kerr.UnknownTopicID):
		r.askLocked(at, part, false)
	case kerr.IsRetriable(err):
	default:
		r.failLocked(at, part, fmt.Errorf("reading %s[%d]: %w", r.log.topicOf(at.s), at.p, owned(err)))
	}
}

// askLocked stops a partition whose offset is not in the log and finds out, beside Poll, what is. Unless it is certain
// that something is wrong, a partition whose topic is still ours goes on: a broker that has just started may not know it.
func (r *reader) askLocked(at place, part *reading, certain bool) {
	if r.ctx.Err() != nil {
		return
	}
	part.failed = true
	r.changed[at] = true
	asked := &broker.OffsetError{Stream: at.s, Partition: at.p, Asked: part.next, Earliest: -1, End: -1}
	r.asking.Go(func() {
		ctx, cancel := context.WithTimeout(r.ctx, requestTimeout)
		defer cancel()
		if earliest, end, err := r.log.Bounds(ctx, at.s, at.p); err == nil {
			asked.Earliest, asked.End = earliest, end
		}
		_ = r.log.verify(ctx) // what it finds is in lostError
		lost := r.log.lostError(at.s)
		r.mu.Lock()
		defer r.mu.Unlock()
		switch {
		case r.parts[at] != part:
		case lost != nil:
			r.failLocked(at, part, fmt.Errorf("%w: %w", lost, asked))
		case certain:
			r.failLocked(at, part, asked)
		default:
			part.failed = false
			r.changed[at] = true
			r.wake()
		}
	})
}

func (r *reader) failLocked(at place, part *reading, err error) {
	part.failed = true
	part.held = append(part.held, broker.Fetch{Stream: at.s, Partition: at.p, Next: part.next, End: max(part.end, 0), Err: err})
	r.changed[at] = true
	r.wake()
}

// lose stops the partitions of a stream whose topic is not the one that we opened.
func (r *reader) lose(s broker.Stream) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for at, part := range r.parts {
		if at.s == s && !part.failed && r.ctx.Err() == nil {
			r.askLocked(at, part, true)
		}
	}
	r.wake()
}
