package load

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/trackmesh/trackmesh/broker"
)

// fetchRecords is how many records a fetch of one partition brings: about what a fetch of 1 MiB of lz4 from Kafka does.
const fetchRecords = 16_384

// MemoryLog is a log whose input is a fleet's, made as it is read, and which forgets what is committed. With it the lanes are measured
// without a broker.
type MemoryLog struct {
	fleet      *Fleet
	partitions int32
	vehicles   [][]int
	steps      int
}

var _ broker.Log = (*MemoryLog)(nil)

// NewMemoryLog has every vehicle of the fleet send so many times.
func NewMemoryLog(fleet *Fleet, partitions int32, steps int) *MemoryLog {
	return &MemoryLog{fleet: fleet, partitions: partitions, vehicles: fleet.ByPartition(partitions), steps: steps}
}

// Records is how many records the input has.
func (l *MemoryLog) Records() int64 { return int64(l.fleet.Vehicles) * int64(l.steps) }

// Layout has topic ids of its own.
func (l *MemoryLog) Layout() broker.Layout {
	return broker.Layout{
		Input: "positions", Partitions: l.partitions, InputID: strings.Repeat("1", 32), StateID: strings.Repeat("2", 32), MaxRecordBytes: 1 << 20,
	}
}

// Claim always succeeds.
func (l *MemoryLog) Claim(_ context.Context, p int32, _ string) (broker.Claim, error) {
	return memoryClaim{p}, nil
}

// Produce forgets the records.
func (l *MemoryLog) Produce(_ context.Context, records []broker.Record) ([]int64, error) {
	return make([]int64, len(records)), nil
}

// Bounds are those of the input; every other stream is empty.
func (l *MemoryLog) Bounds(_ context.Context, s broker.Stream, p int32) (earliest, end int64, err error) {
	if s == broker.Input {
		return 0, l.end(p), nil
	}
	return 0, 0, nil
}

func (l *MemoryLog) end(p int32) int64 { return int64(len(l.vehicles[p]) * l.steps) }

// NewReader reads the input.
func (l *MemoryLog) NewReader(broker.ReaderOptions) (broker.Reader, error) {
	return &memoryReader{log: l, next: map[int32]int64{}, paused: map[int32]bool{}, news: make(chan struct{}, 1), closed: make(chan struct{})}, nil
}

// LoadCursors finds none.
func (l *MemoryLog) LoadCursors(context.Context, string, broker.Stream) (map[int32]int64, error) {
	return nil, nil //nolint:nilnil // no cursors are no error
}

// StoreCursors forgets them.
func (l *MemoryLog) StoreCursors(context.Context, string, broker.Stream, map[int32]int64) error {
	return nil
}

// Health is always good.
func (l *MemoryLog) Health() error { return nil }

// Close does nothing.
func (l *MemoryLog) Close() error { return nil }

type memoryClaim struct{ p int32 }

func (c memoryClaim) Partition() int32                                          { return c.p }
func (c memoryClaim) Restore(context.Context, func(*broker.Record) error) error { return nil }
func (c memoryClaim) Term() uint64                                              { return 1 }
func (c memoryClaim) Commit(context.Context, []broker.Record) error             { return nil }
func (c memoryClaim) Close()                                                    {}

// memoryReader makes records as they are asked for.
type memoryReader struct {
	log    *MemoryLog
	news   chan struct{}
	closed chan struct{}
	once   sync.Once

	mu     sync.Mutex
	next   map[int32]int64
	paused map[int32]bool
}

func (r *memoryReader) change(fn func()) {
	r.mu.Lock()
	fn()
	r.mu.Unlock()
	select {
	case r.news <- struct{}{}:
	default:
	}
}

func (r *memoryReader) Add(s broker.Stream, p int32, offset int64) {
	if s == broker.Input {
		r.change(func() { r.next[p], r.paused[p] = offset, false })
	}
}

func (r *memoryReader) Remove(s broker.Stream, p int32) {
	if s == broker.Input {
		r.change(func() { delete(r.next, p) })
	}
}

func (r *memoryReader) Pause(_ broker.Stream, p int32)  { r.change(func() { r.paused[p] = true }) }
func (r *memoryReader) Resume(_ broker.Stream, p int32) { r.change(func() { r.paused[p] = false }) }
func (r *memoryReader) Close()                          { r.once.Do(func() { close(r.closed) }) }

func (r *memoryReader) Poll(ctx context.Context) ([]broker.Fetch, error) {
	for {
		if fetches := r.fetch(); len(fetches) > 0 {
			return fetches, nil
		}
		select {
		case <-r.news:
		case <-r.closed:
			return nil, broker.ErrClosed
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (r *memoryReader) fetch() []broker.Fetch {
	r.mu.Lock()
	defer r.mu.Unlock()
	var fetches []broker.Fetch
	for p, next := range r.next {
		if r.paused[p] || next >= r.log.end(p) {
			continue
		}
		f := r.log.make(p, next)
		r.next[p] = f.Next
		fetches = append(fetches, f)
	}
	return fetches
}

// make makes the records of a partition from an offset on: step after step, in each step every vehicle once.
func (l *MemoryLog) make(p int32, from int64) broker.Fetch {
	vehicles, end := l.vehicles[p], l.end(p)
	n := min(end-from, fetchRecords)
	values := make([]byte, 0, n*160)
	f := broker.Fetch{Stream: broker.Input, Partition: p, Records: make([]broker.Record, n), Next: from + n, End: end}
	now := time.Now().UnixMilli()
	for i := range f.Records {
		offset := from + int64(i)
		v := vehicles[offset%int64(len(vehicles))]
		start := len(values)
		values = l.fleet.Value(values, v, int(offset/int64(len(vehicles))))
		f.Records[i] = broker.Record{Stream: broker.Input, Partition: p, Offset: offset, Value: values[start:len(values):len(values)], Timestamp: now}
	}
	return f
}
