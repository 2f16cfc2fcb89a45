package embedded

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/broker"
)

func newReader(tb testing.TB, l *Log, opts broker.ReaderOptions) broker.Reader {
	tb.Helper()
	r, err := l.NewReader(opts)
	require.NoError(tb, err)
	tb.Cleanup(r.Close)
	return r
}

func TestAPollKeepsToItsBounds(t *testing.T) {
	l := open(t, options(t.TempDir()))
	f := newFixture(10)
	for p := range int32(4) {
		for range 10 {
			_, err := l.Produce(t.Context(), many(200, func(i int) broker.Record { return f.document(p, i) }))
			require.NoError(t, err)
		}
	}
	const partitionBytes, bufferedBytes, recordBytes = 20_000, 50_000, 600
	r := newReader(t, l, broker.ReaderOptions{MaxPartitionBytes: partitionBytes, MaxBufferedBytes: bufferedBytes})
	for p := range int32(4) {
		r.Add(broker.Enriched, p, 0)
	}
	got, next := 0, map[int32]int64{}
	for got < 8000 {
		fetches, err := r.Poll(t.Context())
		require.NoError(t, err)
		total := 0
		for _, fetch := range fetches {
			require.NoError(t, fetch.Err)
			size := 0
			for _, rec := range fetch.Records {
				require.Equal(t, next[fetch.Partition], rec.Offset, "in order and without a hole")
				next[fetch.Partition]++
				size += len(rec.Key) + len(rec.Value)
			}
			require.LessOrEqual(t, size, partitionBytes+recordBytes)
			total += size
			got += len(fetch.Records)
		}
		require.LessOrEqual(t, total, bufferedBytes+recordBytes)
		// All get their turn: none is further ahead of another than a few polls.
		least, most := next[0], next[0]
		for p := range int32(4) {
			least, most = min(least, next[p]), max(most, next[p])
		}
		require.LessOrEqual(t, most-least, int64(300))
	}
}

func TestOnlyWhatIsPublishedIsRead(t *testing.T) {
	l := open(t, options(t.TempDir()))
	_, err := l.Produce(t.Context(), []broker.Record{{Stream: broker.Input, Value: []byte("before")}, {Stream: broker.Fences, Key: []byte("f"), Value: []byte("1")}})
	require.NoError(t, err)
	r := newReader(t, l, broker.ReaderOptions{})
	in, out := make(chan struct{}), make(chan struct{})
	done := make(chan error, 1)
	go func() { // within the writer's transaction, after the write and before the commit
		done <- l.await(t.Context(), &op{check: noCheck, apply: func(tx *txn) error {
			b := batch{part: l.parts[place{broker.Input, 0}]}
			b.encode([]*broker.Record{{Value: []byte("amid")}}, 1)
			err := b.apply(tx)
			close(in)
			<-out
			return err
		}})
	}()
	<-in
	r.Add(broker.Input, 0, 0)
	fetches, err := r.Poll(t.Context())
	require.NoError(t, err)
	require.Len(t, fetches[0].Records, 1)
	require.EqualValues(t, 1, fetches[0].End)
	close(out)
	require.NoError(t, <-done)
	fetches, err = r.Poll(t.Context())
	require.NoError(t, err)
	require.Equal(t, "amid", string(fetches[0].Records[0].Value))
}

func TestWritesThatWaitTogetherAreOneTransaction(t *testing.T) {
	l := open(t, options(t.TempDir()))
	in, out := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		_ = l.await(t.Context(), &op{check: noCheck, apply: func(*txn) error { close(in); <-out; return nil }})
	})
	<-in
	before := l.lastTx(t)
	const writers = 20
	waiting := func() int { l.queue.mu.Lock(); defer l.queue.mu.Unlock(); return len(l.queue.ops) }
	for i := range writers {
		all.Go(func() {
			_, err := l.Produce(t.Context(), []broker.Record{{Stream: broker.Input, Partition: int32(i % 4), Value: fmt.Append(nil, i)}})
			if err != nil {
				t.Error(err)
			}
		})
	}
	require.Eventually(t, func() bool { return waiting() == writers }, waitFor, tick)
	close(out)
	all.Wait()
	require.Equal(t, before+2, l.lastTx(t))
}

func TestAWriteThatWasGivenUpIsNotMade(t *testing.T) {
	l := open(t, options(t.TempDir()))
	in, out := make(chan struct{}), make(chan struct{})
	blocked := make(chan error, 1)
	go func() {
		blocked <- l.await(t.Context(), &op{check: noCheck, apply: func(*txn) error { close(in); <-out; return nil }})
	}()
	<-in
	ctx, cancel := context.WithCancel(t.Context())
	given := make(chan error, 1)
	go func() {
		_, err := l.Produce(ctx, []broker.Record{{Stream: broker.Input, Value: []byte("given up")}})
		given <- err
	}()
	require.Eventually(t, func() bool { l.queue.mu.Lock(); defer l.queue.mu.Unlock(); return len(l.queue.ops) == 1 }, waitFor, tick)
	cancel()
	require.ErrorIs(t, <-given, context.Canceled)
	close(out)
	require.NoError(t, <-blocked)
	offsets, err := l.Produce(t.Context(), []broker.Record{{Stream: broker.Input, Value: []byte("next")}})
	require.NoError(t, err)
	require.Equal(t, []int64{0}, offsets)
}

func TestCloseFinishesWhatItWasGiven(t *testing.T) {
	opts := options(t.TempDir())
	l, err := Open(t.Context(), opts)
	require.NoError(t, err)
	const writers = 30
	var group sync.WaitGroup
	acknowledged := make(chan struct{}, writers)
	first := make(chan struct{}, writers)
	for i := range writers {
		group.Go(func() {
			_, err := l.Produce(t.Context(), []broker.Record{{Stream: broker.Input, Value: fmt.Append(nil, i)}})
			first <- struct{}{}
			if err == nil {
				acknowledged <- struct{}{}
				return
			}
			if !errors.Is(err, broker.ErrClosed) {
				t.Error(err)
			}
		})
	}
	<-first
	var closers sync.WaitGroup
	for range 3 {
		closers.Go(func() {
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	closers.Wait()
	group.Wait()
	require.Len(t, all(t, open(t, opts), broker.Input, 0), len(acknowledged))
}

func TestALargeProduceIsSeveralTransactions(t *testing.T) {
	l := open(t, options(t.TempDir()))
	before := l.lastTx(t)
	records := many(40, func(i int) broker.Record {
		return broker.Record{Stream: broker.Input, Partition: int32(i % 2), Value: append(make([]byte, 300<<10), byte(i))}
	})
	offsets, err := l.Produce(t.Context(), records)
	require.NoError(t, err)
	require.InDelta(t, 40*300>>11, l.lastTx(t)-before, 2)
	for i := range records {
		require.EqualValues(t, i/2, offsets[i])
	}
	for p := range int32(2) {
		for i, rec := range all(t, l, broker.Input, p) {
			require.Equal(t, records[2*i+int(p)].Value, rec.Value)
		}
	}
}

// TestWhatIsWrittenButNotPublishedIsNotFetched looks between the writer's commit and its publishing: bbolt shows a
// transaction to new readers even before it has synced its last page.
func TestWhatIsWrittenButNotPublishedIsNotFetched(t *testing.T) {
	l := open(t, options(t.TempDir()))
	both := func(key, value string) []broker.Record {
		return []broker.Record{{Stream: broker.Input, Value: []byte(value)}, {Stream: broker.Fences, Key: []byte(key), Value: []byte(value)}}
	}
	_, err := l.Produce(t.Context(), both("a", "before"))
	require.NoError(t, err)
	batches, _, size := l.encode(both("b", "amid"))
	in, out, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- l.await(t.Context(), &op{size: size, check: noCheck, apply: func(tx *txn) error {
			tx.OnCommit(func() { close(in); <-out })
			return applyAll(tx, batches, size)
		}})
	}()
	<-in
	for _, at := range []place{{broker.Input, 0}, {broker.Fences, 0}} {
		blocks, next, err := l.fetch(at, 0, 1, 1<<20)
		require.NoError(t, err)
		require.Len(t, blocks, 1, at.String())
		require.EqualValues(t, 1, next)
	}
	close(out)
	require.NoError(t, <-done)
	require.Len(t, all(t, l, broker.Input, 0), 2)
	require.Len(t, all(t, l, broker.Fences, 0), 2)
}
