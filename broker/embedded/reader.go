package embedded

import (
	"context"
	"fmt"
	"sync"

	"go.etcd.io/bbolt"

	"github.com/trackmesh/trackmesh/broker"
)

const (
	defaultBufferedBytes  = 8 << 20
	defaultPartitionBytes = 1 << 20
)

// reading is a partition of a reader.
//
//	Add ──> reading ──error (told once)──> failed
//	  ^        │ Pause/Resume                 │
//	  └────────┴────────── Add, Remove ───────┘
type reading struct {
	part   *part // nil: there is no such partition
	err    error // why not
	at     place
	next   int64
	paused bool
	failed bool
	told   bool // the caller knows where the end is
}

// reader has no goroutine: Poll looks, and waits for the log to publish something or for a call that changes what to read.
// Nothing is fetched ahead, so there is nothing stale to drop.
type reader struct {
	log       *Log
	buffered  int
	partition int

	mu     sync.Mutex // guards what follows
	parts  map[place]*reading
	order  []*reading // in the order in which they get their turn
	wake   chan struct{}
	closed bool
}

var _ broker.Reader = (*reader)(nil)

// NewReader opens a reader.
func (l *Log) NewReader(opts broker.ReaderOptions) (broker.Reader, error) {
	if l.isClosed() {
		return nil, broker.ErrClosed
	}
	r := &reader{
		log: l, buffered: opts.MaxBufferedBytes, partition: opts.MaxPartitionBytes,
		parts: map[place]*reading{}, wake: make(chan struct{}),
	}
	if r.buffered <= 0 {
		r.buffered = defaultBufferedBytes
	}
	if r.partition <= 0 {
		r.partition = defaultPartitionBytes
	}
	return r, nil
}

func (r *reader) wakeLocked() {
	close(r.wake)
	r.wake = make(chan struct{})
}

func (r *reader) removeLocked(at place) {
	old := r.parts[at]
	if old == nil {
		return
	}
	delete(r.parts, at)
	kept := make([]*reading, 0, len(r.order))
	for _, p := range r.order {
		if p != old {
			kept = append(kept, p)
		}
	}
	r.order = kept
}

// Add starts a partition, or starts it again, at an offset.
func (r *reader) Add(s broker.Stream, p int32, offset int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	at := place{s, p}
	r.removeLocked(at)
	part, err := r.log.part(s, p)
	added := &reading{part: part, err: err, at: at, next: offset}
	r.parts[at] = added
	r.order = append(r.order, added)
	r.wakeLocked()
}

// Remove ends a partition.
func (r *reader) Remove(s broker.Stream, p int32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.removeLocked(place{s, p})
}

// Pause keeps the position.
func (r *reader) Pause(s broker.Stream, p int32) { r.setPaused(place{s, p}, true) }

// Resume goes on after Pause.
func (r *reader) Resume(s broker.Stream, p int32) { r.setPaused(place{s, p}, false) }

func (r *reader) setPaused(at place, paused bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p := r.parts[at]; p != nil && p.paused != paused && !r.closed {
		p.paused = paused
		r.wakeLocked()
	}
}

// Close ends the reader; a Poll in progress returns ErrClosed.
func (r *reader) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.closed = true
		close(r.wake)
	}
}

// Poll waits until something is there.
func (r *reader) Poll(ctx context.Context) ([]broker.Fetch, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		turn, wake, closed := r.turn()
		if closed {
			return nil, broker.ErrClosed
		}
		changed, closed := r.log.watch()
		if closed {
			return nil, broker.ErrClosed
		}
		if fetches := r.give(r.look(turn)); len(fetches) > 0 {
			return fetches, nil
		}
		select {
		case <-changed:
		case <-wake:
		case <-ctx.Done():
		}
	}
}

// watch returns what is closed when the log publishes something.
func (l *Log) watch() (changed <-chan struct{}, closed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changed, l.closed
}

// looked is a partition at the time of a look, and what the look found.
type looked struct {
	*reading
	next  int64
	fetch broker.Fetch
	found bool
}

// turn lists the partitions that may be read, in turn.
func (r *reader) turn() (turn []looked, wake <-chan struct{}, closed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.order {
		if !p.paused && !p.failed {
			turn = append(turn, looked{reading: p, next: p.next})
		}
	}
	return turn, r.wake, r.closed
}

// look reads what there is, up to the reader's bounds. It holds no lock: what was told meanwhile give will apply.
func (r *reader) look(turn []looked) []looked {
	left := r.buffered
	for i := range turn {
		p := &turn[i]
		p.fetch = broker.Fetch{Stream: p.at.s, Partition: p.at.p, Next: p.next}
		if p.part == nil {
			p.fetch.Err, p.found = p.err, true
			continue
		}
		earliest, end := r.log.bounds(p.part)
		p.fetch.End = end
		switch {
		case p.next < earliest || p.next > end:
			p.fetch.Err, p.found = p.outOfRange(earliest, end), true
		case p.next == end:
			p.found = !p.told
		case left > 0:
			left -= r.read(p, end, min(left, r.partition))
			p.found = true
		}
	}
	return turn
}

func (l *Log) bounds(p *part) (earliest, end int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return p.earliest, p.end
}

func (p *looked) outOfRange(earliest, end int64) error {
	return &broker.OffsetError{Stream: p.at.s, Partition: p.at.p, Asked: p.next, Earliest: earliest, End: end}
}

// read fills the fetch with records before end and returns their size.
func (r *reader) read(p *looked, end int64, maxBytes int) int {
	blocks, next, err := r.log.fetch(p.at, p.next, end, maxBytes)
	if err != nil {
		p.fetch.Err = fmt.Errorf("reading %s: %w", p.at, err)
		return 0
	}
	if earliest, end := r.log.bounds(p.part); p.next < earliest { // retention took it meanwhile
		p.fetch.Err = p.outOfRange(earliest, end)
		return 0
	}
	size := 0
	for _, b := range blocks {
		records, err := decodeBlock(b.payload, p.at.s, p.at.p, b.first)
		if err != nil {
			p.fetch.Err = fmt.Errorf("reading %s: %w", p.at, damaged(r.log.path, err))
			return size
		}
		for i := range records {
			rec := &records[i]
			if rec.Offset < p.next {
				continue
			}
			if rec.Offset >= end || size >= maxBytes {
				p.fetch.Next = rec.Offset
				return size
			}
			size += len(rec.Key) + len(rec.Value) + 64
			p.fetch.Records = append(p.fetch.Records, *rec)
		}
	}
	p.fetch.Next = next
	return size
}

// fetch copies stored blocks from the one with the offset from on. next is the offset after them.
func (l *Log) fetch(at place, from, end int64, maxBytes int) (blocks []stored, next int64, err error) {
	err = l.view(func(tx *bbolt.Tx) (err error) {
		if at.s.Compacted() {
			blocks, next, err = openKeyed(tx, at).read(from, end, maxBytes)
			return err
		}
		blocks, err = openRun(tx, at).read(from, end, maxBytes)
		if err != nil || len(blocks) == 0 {
			return err
		}
		last := &blocks[len(blocks)-1]
		h, _, err := parseHeader(last.payload)
		next = last.first + int64(h.count)
		return err
	})
	return blocks, next, err
}

// give moves positions and returns what is still wanted. Whoever had a turn goes to the back, so that none starves where
// the bounds let only some be read.
func (r *reader) give(turn []looked) []broker.Fetch {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil
	}
	var out []broker.Fetch
	var back []*reading
	for i := range turn {
		p := &turn[i]
		if !p.found || p.paused || r.parts[p.at] != p.reading {
			continue
		}
		p.told = true
		p.failed = p.fetch.Err != nil
		p.reading.next = p.fetch.Next
		if p.fetch.End < p.fetch.Next && !p.failed {
			p.fetch.End = p.fetch.Next
		}
		out = append(out, p.fetch)
		back = append(back, p.reading)
	}
	r.toBackLocked(back)
	return out
}

func (r *reader) toBackLocked(back []*reading) {
	if len(back) == 0 || len(back) == len(r.order) {
		return
	}
	had := make(map[*reading]bool, len(back))
	for _, p := range back {
		had[p] = true
	}
	order := make([]*reading, 0, len(r.order))
	for _, p := range r.order {
		if !had[p] {
			order = append(order, p)
		}
	}
	r.order = append(order, back...)
}
