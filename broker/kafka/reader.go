package kafka

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/trackmesh/trackmesh/broker"
)

const (
	defaultBufferedBytes  = 8 << 20
	defaultPartitionBytes = 1 << 20
	readerMaxWait         = 200 * time.Millisecond // franz-go's default long poll delays a new partition by seconds
	// pauseGrace is how long a pause lasts before the client is told of it. What the client has fetched of a partition is lost when it is
	// told, and a lane that catches up pauses and resumes with every fetch: half of what was read would be read twice.
	pauseGrace = 500 * time.Millisecond
)

// place is a partition of a stream.
type place struct {
	s broker.Stream
	p int32
}

// reading is a partition of a reader.
//
//	Add ──> wanted ──(Poll tells the client)──> running ──error──> failed
//	  ^        │ Pause/Resume change paused at any time               │
//	  └────────┴──────────────── Add, Remove ─────────────────────────┘
type reading struct {
	next   int64
	end    int64 // -1: not known yet
	paused bool
	since  time.Time // when it was paused
	failed bool
	held   []broker.Fetch // fetched, but not to be returned while paused (or an answer that Poll has not given yet)
}

// reader is a direct consumer. All calls of the client's consuming side are made by Poll's goroutine, between its polls:
// so a record that a poll brings belongs to what was told before that poll, and whatever Add, Remove or Pause said since
// is applied to it before it is returned. Those calls only note what is wanted and wake Poll.
type reader struct {
	log    *Log
	name   string
	client *kgo.Client
	ctx    context.Context // ends with Close; bounds the questions for bounds
	cancel context.CancelFunc
	asking sync.WaitGroup // those questions
	once   sync.Once

	mu      sync.Mutex         // guards what follows
	parts   map[place]*reading // what is wanted
	changed map[place]bool     // places that the client must be told of; true: from a new offset, or not at all
	told    map[place]bool     // places that the client reads; true: it knows that they are paused. Poll's own, under mu all the same
	wake    context.CancelFunc // ends the poll in progress
}

var _ broker.Reader = (*reader)(nil)

// NewReader opens a reader of committed records.
func (l *Log) NewReader(opts broker.ReaderOptions) (broker.Reader, error) {
	if l.isClosed() {
		return nil, broker.ErrClosed
	}
	buffered, partition := opts.MaxBufferedBytes, opts.MaxPartitionBytes
	if buffered <= 0 {
		buffered = defaultBufferedBytes
	}
	if partition <= 0 {
		partition = defaultPartitionBytes
	}
	brokers := max(len(l.client.DiscoveredBrokers()), 1)
	client, err := kgo.NewClient(append(l.clientOptions("reader-"+opts.Name),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // so that Next passes them
		kgo.FetchMaxWait(readerMaxWait),
		kgo.FetchMaxPartitionBytes(int32(min(partition, buffered))),
		// The client holds one fetch per broker. Fewer at a time would let an idle broker's long poll delay the others.
		kgo.FetchMaxBytes(int32(max(buffered/brokers, 64<<10))),
	)...)
	if err != nil {
		return nil, fmt.Errorf("configuring reader %s: %w", opts.Name, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &reader{
		log: l, name: opts.Name, client: client, ctx: ctx, cancel: cancel,
		parts: map[place]*reading{}, changed: map[place]bool{}, told: map[place]bool{}, wake: func() {},
	}
	l.mu.Lock()
	l.readers[r] = struct{}{}
	l.mu.Unlock()
	return r, nil
}

// Add starts a partition, or starts it again, at an offset.
func (r *reader) Add(s broker.Stream, p int32, offset int64) {
	at := place{s, p}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ctx.Err() != nil {
		return
	}
	part := &reading{next: offset, end: -1}
	r.parts[at] = part
	if err := r.log.partition(s, p); err != nil {
		r.failLocked(at, part, err)
		return
	}
	if r.log.lostError(s) != nil {
		r.askLocked(at, part, true)
		return
	}
	r.changed[at] = true
	r.wake()
	r.asking.Go(func() { r.greet(at, part, offset) })
}

// Remove ends a partition.
func (r *reader) Remove(s broker.Stream, p int32) {
	at := place{s, p}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.parts, at)
	r.changed[at] = true
	r.wake()
}

// Pause keeps the position.
func (r *reader) Pause(s broker.Stream, p int32) { r.setPaused(place{s, p}, true) }

// Resume goes on after Pause.
func (r *reader) Resume(s broker.Stream, p int32) { r.setPaused(place{s, p}, false) }

func (r *reader) setPaused(at place, paused bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	part := r.parts[at]
	if part == nil || part.paused == paused {
		return
	}
	part.paused, part.since = paused, time.Now()
	if !r.changed[at] {
		r.changed[at] = false // to be told, but not to begin anew
	}
	r.wake()
}

// Poll waits for records, errors or the end.
func (r *reader) Poll(ctx context.Context) ([]broker.Fetch, error) {
	for {
		if r.ctx.Err() != nil {
			return nil, broker.ErrClosed
		}
		polling, stop := context.WithCancel(ctx)
		out, sated := r.prepare(stop)
		if len(out) > 0 {
			stop()
			return out, nil
		}
		if sated > 0 {
			r.rest(polling, sated)
			stop()
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			continue
		}
		fetches := r.client.PollRecords(polling, -1)
		stop()
		if r.ctx.Err() != nil || fetches.IsClientClosed() {
			return nil, broker.ErrClosed
		}
		if out = r.take(fetches); len(out) > 0 { //nolint:contextcheck // questions live as long as the reader, not as this poll
			return out, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
}

// rest waits until ctx ends or the reader is closed, but at most so long.
func (r *reader) rest(ctx context.Context, most time.Duration) {
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-r.ctx.Done():
	case <-timer.C:
	}
}

// prepare tells the client what has changed and returns what waits already. stop becomes the way to wake the coming poll. sated is how
// long nothing need be fetched: a partition whose pause the client does not know of yet has a fetch waiting, and would get another.
func (r *reader) prepare(stop context.CancelFunc) (out []broker.Fetch, sated time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wake = stop
	sated = r.tellLocked()
	return r.heldLocked(nil), sated
}

// tellLocked tells the client of what is new, pauses only when they have lasted for pauseGrace.
func (r *reader) tellLocked() (sated time.Duration) {
	if len(r.changed) == 0 {
		return 0
	}
	early := map[place]bool{}
	remove, add := map[string][]int32{}, map[string]map[int32]kgo.Offset{}
	pause, resume := map[string][]int32{}, map[string][]int32{}
	for at, anew := range r.changed {
		topic, part := r.log.topicOf(at.s), r.parts[at]
		wasPaused, known := r.told[at]
		if anew && known {
			remove[topic] = append(remove[topic], at.p)
			delete(r.told, at)
		}
		reads := part != nil && !part.failed
		if reads && !anew && part.paused && !wasPaused {
			if left := pauseGrace - time.Since(part.since); left > 0 {
				early[at] = false
				if len(part.held) > 0 && (sated == 0 || left < sated) {
					sated = left
				}
				continue
			}
		}
		if anew && reads {
			if add[topic] == nil {
				add[topic] = map[int32]kgo.Offset{}
			}
			add[topic][at.p] = kgo.NewOffset().At(part.next)
		}
		if pauses := reads && part.paused; pauses != wasPaused {
			if pauses {
				pause[topic] = append(pause[topic], at.p)
			} else {
				resume[topic] = append(resume[topic], at.p)
			}
		}
		if reads {
			r.told[at] = part.paused
		}
	}
	r.changed = early
	if len(remove) > 0 {
		r.client.RemoveConsumePartitions(remove)
	}
	if len(pause) > 0 {
		r.client.PauseFetchPartitions(pause)
	}
	if len(add) > 0 {
		r.client.AddConsumePartitions(add)
	}
	if len(resume) > 0 {
		r.client.ResumeFetchPartitions(resume)
	}
	return sated
}

// heldLocked appends what was held back and may go now.
func (r *reader) heldLocked(out []broker.Fetch) []broker.Fetch {
	for _, part := range r.parts {
		if len(part.held) > 0 && !part.paused {
			out = append(out, part.held...)
			part.held = nil
		}
	}
	return out
}

// take turns what a poll brought into fetches of what is wanted now.
func (r *reader) take(fetches kgo.Fetches) []broker.Fetch {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := r.heldLocked(nil)
	fetches.EachPartition(func(t kgo.FetchTopicPartition) {
		s, ours := r.log.byTopic[t.Topic]
		at := place{s, t.Partition}
		part := r.parts[at]
		if !ours || part == nil || part.failed || r.changed[at] {
			return // of no Add, or of an earlier one
		}
		if t.Err != nil {
			r.errorLocked(at, part, t.Err)
			return
		}
		if len(t.Records) == 0 && part.end == t.LastStableOffset {
			return // a partition that came along with others and has nothing new
		}
		f := part.fetch(s, &t.FetchPartition)
		if part.paused {
			part.held = append(part.held, f)
			return
		}
		out = append(out, f)
	})
	return out
}

// fetch takes records and moves the position past them and past control records.
func (p *reading) fetch(s broker.Stream, t *kgo.FetchPartition) broker.Fetch {
	records := make([]broker.Record, 0, len(t.Records))
	for _, k := range t.Records {
		p.next = k.Offset + 1
		if k.Attrs.IsControl() {
			continue
		}
		records = append(records, broker.Record{})
		fill(&records[len(records)-1], s, k)
	}
	p.end = max(t.LastStableOffset, 0)
	return broker.Fetch{Stream: s, Partition: t.Partition, Records: records, Next: p.next, End: p.end}
}

func fill(r *broker.Record, s broker.Stream, k *kgo.Record) {
	r.Stream, r.Partition, r.Offset = s, k.Partition, k.Offset
	r.Key, r.Value, r.Timestamp = k.Key, k.Value, k.Timestamp.UnixMilli()
	if len(k.Headers) > 0 {
		r.Headers = make([]broker.Header, len(k.Headers))
		for i, h := range k.Headers {
			r.Headers[i] = broker.Header{Key: h.Key, Value: h.Value}
		}
	}
}

// Close ends the reader; a Poll in progress returns ErrClosed.
func (r *reader) Close() {
	r.once.Do(func() {
		r.mu.Lock()
		r.cancel() // under the lock, so that nothing is asked after asking.Wait
		r.mu.Unlock()
		r.log.mu.Lock()
		delete(r.log.readers, r)
		r.log.mu.Unlock()
		r.client.Close()
	})
	r.asking.Wait()
}
