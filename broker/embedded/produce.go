package embedded

import (
	"context"
	"fmt"
	"time"

	"github.com/trackmesh/trackmesh/broker"
)

const (
	// maxKeyBytes is what bbolt takes as a key, less the prefix and room for what may come.
	maxKeyBytes = 32_000
	// produceBytes is what one transaction of a Produce takes at most, unless a record is larger: some 100 ms of fences, which
	// are the slowest.
	produceBytes = 2 << 20
	// maxAttributeBytes bounds a record's headers, which the contract's limit does not count.
	maxAttributeBytes = 1 << 20
)

// batch is the records of one partition in one write, encoded.
type batch struct {
	part   *part
	blocks []block
	keyed  []keyedRecord
	count  int
	first  int64 // set by apply
}

// writable finds what cannot be written before anything is.
func (l *Log) writable(r *broker.Record) error {
	p, err := l.part(r.Stream, r.Partition)
	if err != nil {
		return err
	}
	headers := 0
	for i := range r.Headers {
		headers += len(r.Headers[i].Key) + len(r.Headers[i].Value) + 2
	}
	size := len(r.Key) + len(r.Value)
	if size > l.layout.MaxRecordBytes || headers > maxAttributeBytes || p.s.Compacted() && len(r.Key) > maxKeyBytes {
		return fmt.Errorf("record of %d bytes for %s: %w", size+headers, p.place, broker.ErrTooLarge)
	}
	if p.s.Compacted() && r.Key == nil {
		return fmt.Errorf("a record for %s has no key", p.place)
	}
	return nil
}

// encode groups records by partition. places[i] says where record i went: which batch, and its index there.
func (l *Log) encode(records []broker.Record) (batches []batch, at [][2]int, size int) {
	at = make([][2]int, len(records))
	of := map[place]int{}
	var groups [][]*broker.Record
	for i := range records {
		r := &records[i]
		where := place{r.Stream, r.Partition}
		n, ok := of[where]
		if !ok {
			n = len(batches)
			of[where] = n
			batches = append(batches, batch{part: l.parts[where]})
			groups = append(groups, nil)
		}
		at[i] = [2]int{n, len(groups[n])}
		groups[n] = append(groups[n], r)
	}
	now := time.Now().UnixMilli()
	for n := range batches {
		size += batches[n].encode(groups[n], now)
	}
	return batches, at, size
}

func (b *batch) encode(records []*broker.Record, now int64) (size int) {
	b.count = len(records)
	if !b.part.s.Compacted() {
		b.blocks = encodeBlocks(records, now)
		for i := range b.blocks {
			size += len(b.blocks[i].payload)
		}
		return size
	}
	b.keyed = make([]keyedRecord, len(records))
	for i, r := range records {
		b.keyed[i] = encodeKeyed(r, now)
		size += len(b.keyed[i].key) + len(b.keyed[i].entry)
	}
	return size
}

// apply writes the batch at the end of its partition.
func (b *batch) apply(t *txn) error {
	p := b.part
	t.touch(p)
	t.records += b.count
	b.first = p.next
	p.next += int64(b.count)
	if !p.s.Compacted() {
		r, at := openRun(t.Tx, p.place), b.first
		for i := range b.blocks {
			if err := r.append(b.blocks[i], at); err != nil {
				return err
			}
			at += int64(b.blocks[i].count)
		}
		return nil
	}
	k := openKeyed(t.Tx, p.place)
	tombstones, err := k.put(b.keyed, b.first)
	if err != nil {
		return err
	}
	if p.tombs += tombstones; p.tombs > p.tombstonesKept() {
		surplus := p.tombs - p.tombstonesKept()
		p.tombs -= surplus
		return k.prune(surplus)
	}
	return nil
}

func (p *part) tombstonesKept() int {
	if p.s == broker.State {
		return stateTombstonesKept
	}
	return tombstonesKept
}

// await puts an op into the queue and waits for its outcome, or gives it up when ctx ends first.
func (l *Log) await(ctx context.Context, o *op) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	o.err = make(chan error, 1)
	if err := l.queue.put(o); err != nil {
		return err
	}
	select {
	case err := <-o.err:
		return err
	case <-ctx.Done():
		o.state.CompareAndSwap(opQueued, opAbandoned)
		return ctx.Err()
	}
}

func noCheck() error { return nil }

// Produce appends records in transactions of produceBytes: an import of any size must not make commits wait for long.
func (l *Log) Produce(ctx context.Context, records []broker.Record) ([]int64, error) {
	if l.isClosed() {
		return nil, broker.ErrClosed
	}
	for i := range records {
		if err := l.writable(&records[i]); err != nil {
			return nil, err
		}
	}
	offsets := make([]int64, 0, len(records))
	for rest := records; len(rest) > 0; {
		n := portion(rest)
		var err error
		if offsets, err = l.produce(ctx, rest[:n], offsets); err != nil {
			return nil, fmt.Errorf("producing %d records: %w", len(records), err)
		}
		rest = rest[n:]
	}
	return offsets, nil
}

// portion is how many of the records one transaction takes.
func portion(records []broker.Record) int {
	size := 0
	for i := range records {
		if size += recordSize(&records[i]); size > produceBytes && i > 0 {
			return i
		}
	}
	return len(records)
}

// produce is one transaction; it appends the offsets.
func (l *Log) produce(ctx context.Context, records []broker.Record, offsets []int64) ([]int64, error) {
	batches, at, size := l.encode(records)
	err := l.await(ctx, &op{size: size, check: noCheck, apply: func(t *txn) error { return applyAll(t, batches, size) }})
	if err != nil {
		return nil, err
	}
	for _, where := range at {
		offsets = append(offsets, batches[where[0]].first+int64(where[1]))
	}
	return offsets, nil
}

func applyAll(t *txn, batches []batch, size int) error {
	t.bytes += size
	for i := range batches {
		if err := batches[i].apply(t); err != nil {
			return err
		}
	}
	return nil
}
