package sinks

import (
	"context"
	"fmt"
	"maps"
	"sync"

	"github.com/trackmesh/trackmesh/broker"
)

// fakeLog is a log in memory, as a pump sees one.
type fakeLog struct {
	mu         sync.Mutex
	records    map[lane][]broker.Record
	earliest   map[lane]int64
	end        map[lane]int64
	cursors    map[lane]int64
	stores     int
	tries      int // of storing cursors
	storeErr   error
	boundsErr  error
	readersErr error
	changed    chan struct{} // closed and replaced when anything changes
}

func newFakeLog() *fakeLog {
	return &fakeLog{
		records: map[lane][]broker.Record{}, earliest: map[lane]int64{}, end: map[lane]int64{}, cursors: map[lane]int64{},
		changed: make(chan struct{}),
	}
}

// locked changes the log and wakes its readers.
func (f *fakeLog) locked(fn func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fn()
	close(f.changed)
	f.changed = make(chan struct{})
}

// append adds n records of 100 bytes to a partition.
func (f *fakeLog) append(s broker.Stream, partition int32, n int) {
	f.locked(func() {
		l := lane{s, partition}
		for range n {
			offset := f.end[l]
			f.records[l] = append(f.records[l], broker.Record{
				Stream: s, Partition: partition, Offset: offset, Value: fmt.Appendf(nil, "%-100s", fmt.Sprintf("%s/%d/%d", s, partition, offset)),
				Headers: []broker.Header{{Key: HeaderID, Value: []byte(docID(s, partition, offset))}}, Timestamp: 1000 + offset,
			})
			f.end[l] = offset + 1
		}
	})
}

// control lets the end pass an offset that no record has, as a transaction's marker does.
func (f *fakeLog) control(s broker.Stream, partition int32) {
	f.locked(func() { f.end[lane{s, partition}]++ })
}

// retain drops what is before an offset.
func (f *fakeLog) retain(s broker.Stream, partition int32, earliest int64) {
	f.locked(func() { f.earliest[lane{s, partition}] = earliest })
}

func docID(s broker.Stream, partition int32, offset int64) string {
	return fmt.Sprintf("%s-%d-%d", s, partition, offset)
}

func (f *fakeLog) cursor(s broker.Stream, partition int32) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	at, ok := f.cursors[lane{s, partition}]
	if !ok {
		return -1
	}
	return at
}

func (f *fakeLog) storesSoFar() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.stores
}

func (f *fakeLog) Bounds(_ context.Context, s broker.Stream, p int32) (earliest, end int64, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.earliest[lane{s, p}], f.end[lane{s, p}], f.boundsErr
}

func (f *fakeLog) LoadCursors(_ context.Context, _ string, s broker.Stream) (map[int32]int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	found := map[int32]int64{}
	for l, at := range f.cursors {
		if l.stream == s {
			found[l.partition] = at
		}
	}
	return found, nil
}

func (f *fakeLog) StoreCursors(_ context.Context, _ string, s broker.Stream, to map[int32]int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tries++
	if f.storeErr != nil {
		return f.storeErr
	}
	f.stores++
	for partition, at := range to {
		f.cursors[lane{s, partition}] = at
	}
	return nil
}

func (f *fakeLog) NewReader(broker.ReaderOptions) (broker.Reader, error) {
	return &fakeReader{log: f, at: map[lane]int64{}}, f.readersErr
}

// fakeReader gives at most maxPoll records of a partition at once.
type fakeReader struct {
	log    *fakeLog
	at     map[lane]int64 // guarded by log.mu; only those that are read
	closed bool
}

const maxPoll = 50

func (r *fakeReader) Add(s broker.Stream, p int32, offset int64) {
	r.log.locked(func() { r.at[lane{s, p}] = offset })
}

func (r *fakeReader) Remove(s broker.Stream, p int32) {
	r.log.locked(func() { delete(r.at, lane{s, p}) })
}

func (r *fakeReader) Pause(broker.Stream, int32)  {}
func (r *fakeReader) Resume(broker.Stream, int32) {}
func (r *fakeReader) Close()                      { r.log.locked(func() { r.closed = true }) }

func (r *fakeReader) Poll(ctx context.Context) ([]broker.Fetch, error) {
	for {
		r.log.mu.Lock()
		found, changed, closed := r.fetch(), r.log.changed, r.closed
		r.log.mu.Unlock()
		switch {
		case closed:
			return nil, broker.ErrClosed
		case len(found) > 0:
			return found, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (r *fakeReader) fetch() (found []broker.Fetch) {
	for l, at := range maps.Clone(r.at) {
		end, earliest := r.log.end[l], r.log.earliest[l]
		if at < earliest || at > end {
			delete(r.at, l)
			found = append(found, broker.Fetch{
				Stream: l.stream, Partition: l.partition, Next: at, End: end,
				Err: &broker.OffsetError{Stream: l.stream, Partition: l.partition, Asked: at, Earliest: earliest, End: end},
			})
			continue
		}
		if at == end {
			continue
		}
		f := broker.Fetch{Stream: l.stream, Partition: l.partition, Next: end, End: end}
		for _, rec := range r.log.records[l] {
			if rec.Offset < at || rec.Offset < earliest {
				continue
			}
			if len(f.Records) == maxPoll {
				f.Next = rec.Offset
				break
			}
			f.Records = append(f.Records, rec)
		}
		r.at[l] = f.Next
		found = append(found, f)
	}
	return found
}

// fakeStore remembers documents by id; fail, when set, judges each attempt before.
type fakeStore struct {
	mu       sync.Mutex
	stored   map[string]int
	writes   [][]Document
	under    int // way
	maxUnder int
	fail     func(batch []Document) ([]Rejection, error)
	gate     chan struct{} // when set, each write takes one
}

func newFakeStore() *fakeStore { return &fakeStore{stored: map[string]int{}} }

func (f *fakeStore) Write(ctx context.Context, batch []Document) ([]Rejection, error) {
	f.mu.Lock()
	f.under++
	f.maxUnder = max(f.maxUnder, f.under)
	fail, gate := f.fail, f.gate
	f.mu.Unlock()
	defer func() { f.mu.Lock(); f.under--; f.mu.Unlock() }()
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	var rejections []Rejection
	if fail != nil {
		var err error
		if rejections, err = fail(batch); err != nil {
			return nil, err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.writes = append(f.writes, batch)
	for _, d := range batch {
		f.stored[d.ID]++
	}
	return rejections, nil
}

func (f *fakeStore) failing(fail func(batch []Document) ([]Rejection, error)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail = fail
}

func (f *fakeStore) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.stored)
}
