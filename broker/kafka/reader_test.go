package kafka

import (
	"bytes"
	"context"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/trackmesh/trackmesh/broker"
)

// prefill writes n numbered records to a partition.
func prefill(tb testing.TB, l *Log, s broker.Stream, p int32, n int) {
	tb.Helper()
	records := make([]broker.Record, n)
	for i := range records {
		records[i] = broker.Record{Stream: s, Partition: p, Key: []byte("k"), Value: strconv.AppendInt(nil, int64(i), 10)}
	}
	offsets, err := l.Produce(tb.Context(), records)
	require.NoError(tb, err)
	require.EqualValues(tb, n-1, offsets[n-1]-offsets[0])
}

func controlRecords(t onKafka) {
	opts := optionsFor(t, t.brokers)
	l := open(t, opts)
	c := owner(t, l, 0)
	r := newReader(t, l)
	r.Add(broker.Events, 0, 0)
	require.NoError(t, c.Commit(t.Context(), events(0, "a", "b")))
	var next, end int64
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	upTo := func(offset int64) {
		for next < offset || next < end {
			fetches, err := r.Poll(ctx)
			require.NoError(t, err)
			for _, f := range fetches {
				require.NoError(t, f.Err)
				next, end = f.Next, f.End
			}
		}
	}
	upTo(3) // two records and the commit's marker
	// A transaction that is aborted: its records are never shown, and Next passes them.
	txn := plainClient(t, t.brokers, kgo.TransactionalID(opts.Group+"-other"))
	require.NoError(t, txn.BeginTransaction())
	require.NoError(t, txn.ProduceSync(t.Context(), &kgo.Record{Topic: l.topicOf(broker.Events), Value: []byte("aborted")}).FirstErr())
	require.NoError(t, txn.EndTransaction(t.Context(), kgo.TryAbort))
	upTo(5)
	_, e, err := l.Bounds(t.Context(), broker.Events, 0)
	require.NoError(t, err)
	require.Equal(t, e, next, "caught up, though the last offsets are of no record")
}

func readdUnderLoad(t onKafka) {
	l := open(t, optionsFor(t, t.brokers))
	const n = 3000
	for p := range int32(3) {
		prefill(t, l, broker.Input, p, n)
	}
	r := newReader(t, l)
	want := map[int32]int64{}
	add := func(p int32, at int64) { want[p] = at; r.Add(broker.Input, p, at) }
	for p := range int32(3) {
		add(p, 0)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	restarts := []int64{2500, 100, 0, 2999, 1500}
	for polls := 0; want[0] < n || want[1] < n || want[2] < n || len(restarts) > 0; polls++ {
		fetches, err := r.Poll(ctx)
		require.NoError(t, err, "at %v", want)
		for _, f := range fetches {
			require.NoError(t, f.Err)
			for _, rec := range f.Records {
				require.Equal(t, want[f.Partition], rec.Offset, "partition %d has a hole, a double or a record of an earlier Add", f.Partition)
				want[f.Partition]++
			}
		}
		if len(restarts) > 0 {
			add(1, restarts[0])
			restarts = restarts[1:]
		}
	}
}

func pauseUnderLoad(t onKafka) {
	l := open(t, optionsFor(t, t.brokers))
	const n = 2000
	r := newReader(t, l)
	want := map[int32]int64{}
	for p := range int32(2) {
		prefill(t, l, broker.Input, p, n)
		r.Add(broker.Input, p, 0)
	}
	r.Pause(broker.Input, 0)
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	poll := func(paused bool) {
		fetches, err := r.Poll(ctx)
		require.NoError(t, err)
		for _, f := range fetches {
			require.NoError(t, f.Err)
			require.False(t, paused && f.Partition == 0, "a record of a paused partition")
			for _, rec := range f.Records {
				require.Equal(t, want[f.Partition], rec.Offset)
				want[f.Partition]++
			}
		}
	}
	for want[1] < n {
		poll(true)
	}
	r.Resume(broker.Input, 0)
	for paused := false; want[0] < n; {
		poll(paused)
		// In and out again before the next poll, and while fetches are on their way.
		r.Pause(broker.Input, 0)
		prefill(t, l, broker.Input, 1, 1)
		poll(true)
		r.Resume(broker.Input, 0)
	}
	// Paused while a poll waits: it goes on waiting, and what comes is kept.
	r.Pause(broker.Input, 0)
	prefill(t, l, broker.Input, 0, 1)
	prefill(t, l, broker.Input, 1, 1)
	for before := want[1]; want[1] == before; {
		poll(true)
	}
	r.Resume(broker.Input, 0)
	for want[0] <= n {
		poll(false)
	}
}

// briefPauses pauses each partition for a few milliseconds behind every fetch, as a lane does that catches up.
func briefPauses(t onKafka) {
	l := open(t, optionsFor(t, t.brokers))
	const n, parts, size = 4000, 2, 1000
	value := make([]byte, size)
	random := rand.NewChaCha8([32]byte{1})
	records := make([]broker.Record, 200)
	for p := range int32(parts) {
		for range n / len(records) {
			for i := range records {
				_, _ = random.Read(value) // never fails
				records[i] = broker.Record{Stream: broker.Input, Partition: p, Value: bytes.Clone(value)}
			}
			_, err := l.Produce(t.Context(), records)
			require.NoError(t, err)
		}
	}
	r, err := l.NewReader(broker.ReaderOptions{Name: "brief", MaxPartitionBytes: 256 << 10})
	require.NoError(t, err)
	defer r.Close()
	before := testutil.ToFloat64(l.metrics.readBytes)
	for p := range int32(parts) {
		r.Add(broker.Input, p, 0)
	}
	var next [parts]int64
	for next[0] < n || next[1] < n {
		fetches, err := r.Poll(t.Context())
		require.NoError(t, err)
		for _, f := range fetches {
			require.NoError(t, f.Err)
			for _, rec := range f.Records {
				require.Equal(t, next[f.Partition], rec.Offset)
				next[f.Partition]++
			}
			r.Pause(broker.Input, f.Partition)
			time.AfterFunc(10*time.Millisecond, func() { r.Resume(broker.Input, f.Partition) })
		}
	}
	read := testutil.ToFloat64(l.metrics.readBytes) - before
	require.Less(t, read, 1.6*n*parts*size, "twice, when what was fetched is fetched again after each brief pause; a busy machine makes some pauses long")
}

func removeUnderLoad(t onKafka) {
	l := open(t, optionsFor(t, t.brokers))
	r := newReader(t, l)
	for p := range int32(2) {
		prefill(t, l, broker.Input, p, 100)
		r.Add(broker.Input, p, 0)
	}
	collect(t, r, count(1))
	r.Remove(broker.Input, 0)
	prefill(t, l, broker.Input, 0, 100)
	prefill(t, l, broker.Input, 1, 100)
	collect(t, r, func(got []broker.Record) bool {
		for _, rec := range got {
			require.EqualValues(t, 1, rec.Partition)
		}
		return len(got) > 0 && got[len(got)-1].Offset == 199
	})
	r.Add(broker.Input, 0, 150)
	require.Equal(t, "50", string(collect(t, r, count(1))[0].Value))
}

func greeted(t onKafka) {
	l := open(t, optionsFor(t, t.brokers))
	prefill(t, l, broker.Input, 0, 5)
	r := newReader(t, l)
	r.Add(broker.Input, 0, 5)
	r.Add(broker.Input, 1, 0)
	caught := map[int32]int64{}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for len(caught) < 2 {
		fetches, err := r.Poll(ctx)
		require.NoError(t, err)
		for _, f := range fetches {
			require.Empty(t, f.Records)
			require.Equal(t, f.End, f.Next)
			caught[f.Partition] = f.Next
		}
	}
	require.Equal(t, map[int32]int64{0: 5, 1: 0}, caught)
}

func outOfRange(t onKafka) {
	l := open(t, optionsFor(t, t.brokers))
	prefill(t, l, broker.Input, 0, 10)
	prefill(t, l, broker.Input, 1, 10)
	r := newReader(t, l)
	r.Add(broker.Input, 0, 11)
	f := failure(t, r)
	var offset *broker.OffsetError
	require.ErrorAs(t, f.Err, &offset)
	require.Equal(t, broker.OffsetError{Stream: broker.Input, Partition: 0, Asked: 11, Earliest: 0, End: 10}, *offset)
	r.Add(broker.Input, 1, 0)
	for _, rec := range collect(t, r, count(10)) {
		require.EqualValues(t, 1, rec.Partition, "the failed partition gets no more records until Add")
	}
	r.Add(broker.Input, 0, 9)
	require.Equal(t, []string{"9"}, values(collect(t, r, count(1))))
	r.Add(broker.Input, 7, 0)
	require.ErrorContains(t, failure(t, r).Err, "no partition 7")
}

func deletedUnderReader(t onKafka) {
	l := open(t, optionsFor(t, t.brokers))
	prefill(t, l, broker.Input, 0, 100)
	_, err := l.admin.DeleteRecords(t.Context(), kadm.Offsets{l.topicOf(broker.Input): {0: {Topic: l.topicOf(broker.Input), Partition: 0, At: 60}}})
	require.NoError(t, err)
	r := newReader(t, l)
	r.Add(broker.Input, 0, 20)
	var offset *broker.OffsetError
	require.ErrorAs(t, failure(t, r).Err, &offset)
	require.Equal(t, broker.OffsetError{Stream: broker.Input, Partition: 0, Asked: 20, Earliest: 60, End: 100}, *offset)
	earliest, end, err := l.Bounds(t.Context(), broker.Input, 0)
	require.NoError(t, err)
	require.Equal(t, []int64{60, 100}, []int64{earliest, end})
	r.Add(broker.Input, 0, earliest)
	require.Equal(t, "60", string(collect(t, r, count(1))[0].Value))
}

func madeAnew(t onKafka) {
	opts := optionsFor(t, t.brokers)
	l := open(t, opts)
	prefill(t, l, broker.Input, 0, 10)
	r := newReader(t, l)
	r.Add(broker.Input, 0, 0)
	collect(t, r, count(10))
	_, err := l.admin.DeleteTopic(t.Context(), opts.Topic)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		_, err := l.admin.CreateTopic(t.Context(), 3, 1, nil, opts.Topic)
		return err == nil
	}, 10*time.Second, 50*time.Millisecond)
	f := failure(t, r)
	require.ErrorContains(t, f.Err, "deleted and made anew")
	var offset *broker.OffsetError
	require.ErrorAs(t, f.Err, &offset)
	_, err = l.Claim(t.Context(), 0, "node")
	require.ErrorContains(t, err, "deleted and made anew")
	r.Add(broker.Input, 1, 0)
	require.ErrorContains(t, failure(t, r).Err, "deleted and made anew")
	require.Eventually(t, func() bool { return l.Health() != nil }, 10*time.Second, 50*time.Millisecond)

	again := open(t, opts)
	require.NotEqual(t, l.Layout().InputID, again.Layout().InputID)
}

func cursors(t onKafka) {
	l := open(t, optionsFor(t, t.brokers))
	load := func(name string, s broker.Stream) map[int32]int64 {
		got, err := l.LoadCursors(t.Context(), name, s)
		require.NoError(t, err)
		return got
	}
	require.Empty(t, load("sink.a", broker.Events))
	require.NoError(t, l.StoreCursors(t.Context(), "sink.a", broker.Events, map[int32]int64{0: 5, 2: 7}))
	require.NoError(t, l.StoreCursors(t.Context(), "sink.a", broker.Events, map[int32]int64{2: 9}))
	require.NoError(t, l.StoreCursors(t.Context(), "sink.b", broker.Events, map[int32]int64{1: 1}))
	require.NoError(t, l.StoreCursors(t.Context(), "sink.a", broker.Enriched, map[int32]int64{0: 0}))
	require.Equal(t, map[int32]int64{0: 5, 2: 9}, load("sink.a", broker.Events))
	require.Equal(t, map[int32]int64{1: 1}, load("sink.b", broker.Events))
	require.Equal(t, map[int32]int64{0: 0}, load("sink.a", broker.Enriched))
	require.ErrorContains(t, l.StoreCursors(t.Context(), "sink.a", broker.Events, map[int32]int64{3: 1}), "no partition 3")
}

func roundTrip(t onKafka) {
	l := open(t, optionsFor(t, t.brokers))
	at := time.Now().Add(-time.Hour).UnixMilli()
	want := []broker.Record{
		{Stream: broker.Commands, Partition: 1, Key: []byte("k"), Value: []byte("v"), Timestamp: at, Headers: []broker.Header{{Key: "h", Value: []byte("1")}, {Key: "h", Value: []byte("2")}}},
		{Stream: broker.Commands, Partition: 1, Key: []byte("k"), Timestamp: at},
		{Stream: broker.Commands, Partition: 1, Value: []byte{}, Timestamp: at},
		{Stream: broker.Commands, Partition: 1, Key: []byte("k"), Value: []byte("now")},
	}
	offsets, err := l.Produce(t.Context(), want)
	require.NoError(t, err)
	require.Equal(t, []int64{0, 1, 2, 3}, offsets)
	r := newReader(t, l)
	r.Add(broker.Commands, 1, 0)
	got := collect(t, r, count(4))
	require.InDelta(t, time.Now().UnixMilli(), got[3].Timestamp, 60_000)
	got[3].Timestamp = 0
	for i := range want {
		want[i].Offset = int64(i)
		require.Equal(t, want[i], got[i])
	}
}

func manyPartitions(t onKafka) {
	opts := optionsFor(t, t.brokers)
	opts.Partitions = 64
	l := open(t, opts)
	var records []broker.Record
	value := make([]byte, 2000)
	for p := range opts.Partitions {
		for range 50 {
			records = append(records, broker.Record{Stream: broker.Input, Partition: p, Value: value})
		}
	}
	_, err := l.Produce(t.Context(), records)
	require.NoError(t, err)
	r, err := l.NewReader(broker.ReaderOptions{Name: "small", MaxBufferedBytes: 128 << 10, MaxPartitionBytes: 16 << 10})
	require.NoError(t, err)
	defer r.Close()
	for p := range opts.Partitions {
		r.Add(broker.Input, p, 0)
	}
	total := map[int32]int{}
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	for n := 0; n < len(records); {
		fetches, err := r.Poll(ctx)
		require.NoError(t, err, "after %d", n)
		for _, f := range fetches {
			require.NoError(t, f.Err)
			total[f.Partition] += len(f.Records)
			n += len(f.Records)
		}
	}
	for p := range opts.Partitions {
		require.Equal(t, 50, total[p], "partition %d", p)
	}
}

func pollEnds(t onKafka) {
	l := open(t, optionsFor(t, t.brokers))
	r := newReader(t, l)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	poll := func() { _, err := r.Poll(ctx); ended <- err }
	go poll()
	cancel()
	require.ErrorIs(t, <-ended, context.Canceled)
	ctx = t.Context()
	r.Add(broker.Input, 0, 0)
	go poll()
	require.NoError(t, <-ended, "caught up")
	go poll()
	r.Add(broker.Input, 1, 0) // may have something to say, but not after Close
	r.Close()
	if err := <-ended; err != nil {
		require.ErrorIs(t, err, broker.ErrClosed)
	}
	r.Close()
	r.Add(broker.Input, 1, 0)
	_, err := r.Poll(t.Context())
	require.ErrorIs(t, err, broker.ErrClosed)
}

func closed(t onKafka) {
	l := open(t, optionsFor(t, t.brokers))
	require.NoError(t, l.Health())
	c := owner(t, l, 0)
	c.Close()
	c.Close()
	require.ErrorIs(t, c.Commit(t.Context(), events(0, "x")), broker.ErrClosed)
	require.NoError(t, l.Close())
	_, err := l.Claim(t.Context(), 0, "node")
	require.ErrorIs(t, err, broker.ErrClosed)
	_, err = l.Produce(t.Context(), events(0, "x"))
	require.ErrorIs(t, err, broker.ErrClosed)
	_, err = l.NewReader(broker.ReaderOptions{})
	require.ErrorIs(t, err, broker.ErrClosed)
	_, _, err = l.Bounds(t.Context(), broker.Events, 0)
	require.ErrorIs(t, err, broker.ErrClosed)
	require.ErrorIs(t, l.Health(), broker.ErrClosed)
}

// hammer adds, removes, pauses and resumes from many sides while one polls.
func TestReaderSurvivesEveryCallAtOnce(t *testing.T) {
	l := open(t, optionsFor(t, fake(t)))
	for p := range int32(3) {
		prefill(t, l, broker.Input, p, 500)
	}
	r := newReader(t, l)
	done := make(chan struct{})
	for p := range int32(3) {
		go func() {
			for i := range 100 {
				r.Add(broker.Input, p, int64(i))
				r.Pause(broker.Input, p)
				r.Resume(broker.Input, p)
				if i%10 == 3 {
					r.Remove(broker.Input, p)
				}
			}
			r.Add(broker.Input, p, 499)
			done <- struct{}{}
		}()
	}
	last := map[int32]bool{}
	collect(t, r, func(got []broker.Record) bool {
		for _, rec := range got {
			if rec.Offset == 499 {
				last[rec.Partition] = true
			}
		}
		return len(last) == 3
	})
	for range 3 {
		<-done
	}
}
