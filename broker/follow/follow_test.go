package follow

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/trackmesh/trackmesh/broker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeLog is a log and its reader, which returns what comes from a channel.
type fakeLog struct {
	broker.Reader
	end     int64
	fetches chan broker.Fetch
	added   []int64
}

func (l *fakeLog) Bounds(context.Context, broker.Stream, int32) (earliest, end int64, err error) {
	return 0, l.end, nil
}

func (l *fakeLog) NewReader(broker.ReaderOptions) (broker.Reader, error) { return l, nil }
func (l *fakeLog) Add(_ broker.Stream, _ int32, at int64)                { l.added = append(l.added, at) }
func (l *fakeLog) Close()                                                {}
func (l *fakeLog) records(from, to int64)                                { l.fetches <- fetch(from, to) }

func (l *fakeLog) fail() { l.fetches <- broker.Fetch{Err: errors.New("cut")} }

func (l *fakeLog) Poll(ctx context.Context) (polled []broker.Fetch, err error) {
	select {
	case f := <-l.fetches:
		return []broker.Fetch{f}, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func fetch(from, to int64) broker.Fetch {
	f := broker.Fetch{Stream: broker.Fences, Next: to}
	for at := from; at < to; at++ {
		f.Records = append(f.Records, broker.Record{Offset: at})
	}
	return f
}

// shown is a view as it was shown: how many records it has.
type shown struct {
	records int
	anew    bool
}

// bench is a follower that runs, and what it showed since seen was called last.
type bench struct {
	*Follower[int]
	t    *testing.T
	log  *fakeLog
	mu   sync.Mutex
	news []shown // guarded by mu
}

// run calls fn in a bubble, in which back-off takes no time, with a follower of a log that has so many records.
func run(t *testing.T, end int64, fn func(*bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{t: t, log: &fakeLog{end: end, fetches: make(chan broker.Fetch)}}
		b.Follower = New(Options[int]{
			Log: b.log, Stream: broker.Fences, Logger: slog.New(slog.DiscardHandler),
			Empty: func() int { return 0 }, Apply: func(n int, records []broker.Record) int { return n + len(records) },
			Show: func(n int, anew bool) {
				b.mu.Lock()
				defer b.mu.Unlock()
				b.news = append(b.news, shown{n, anew})
			},
		})
		ctx, cancel := context.WithCancel(t.Context())
		var work sync.WaitGroup
		work.Go(func() { b.Run(ctx) })
		fn(b)
		cancel()
		work.Wait()
	})
}

func (b *bench) seen() []shown {
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	defer func() { b.news = nil }()
	return slices.Clone(b.news)
}

// reads reports whether the record at an offset was shown.
func (b *bench) reads(offset int64) bool {
	ctx, cancel := context.WithTimeout(b.t.Context(), time.Millisecond)
	defer cancel()
	return b.Await(ctx, offset) == nil
}

func TestAViewIsShownWhenItIsWholeAndThenWithEachRecord(t *testing.T) {
	t.Parallel()
	run(t, 5, func(b *bench) {
		b.log.records(0, 3)
		require.Empty(t, b.seen())
		require.False(t, b.reads(0))
		b.log.records(3, 5)
		require.Equal(t, []shown{{5, false}}, b.seen())
		require.NoError(t, b.CatchUp(t.Context()))
		changed := b.Changed()
		b.log.records(5, 6)
		<-changed
		require.Equal(t, []shown{{6, false}}, b.seen())
		require.True(t, b.reads(5))
		require.False(t, b.reads(6))
	})
}

func TestAnEmptyStreamIsWhole(t *testing.T) {
	t.Parallel()
	run(t, 0, func(b *bench) {
		require.Equal(t, []shown{{0, false}}, b.seen())
		require.NoError(t, b.CatchUp(t.Context()))
	})
}

func TestManyRecordsAreShownSomeAtATime(t *testing.T) {
	t.Parallel()
	run(t, 0, func(b *bench) {
		b.log.records(0, 2*chunk+1)
		require.Equal(t, []shown{{0, false}, {chunk, false}, {2 * chunk, false}, {2*chunk + 1, false}}, b.seen())
	})
}

func TestAfterAFailureItStartsOverAndShowsNothingUntilItIsWholeAgain(t *testing.T) {
	t.Parallel()
	run(t, 3, func(b *bench) {
		b.log.records(0, 3)
		require.Equal(t, []shown{{3, false}}, b.seen())
		b.log.fail()
		synctest.Wait()
		require.ErrorContains(t, b.Failing(), "cut")
		b.log.records(0, 2)
		require.Empty(t, b.seen())
		require.Error(t, b.Failing())
		require.True(t, b.reads(2), "what was shown is still seen")
		b.log.records(2, 3)
		require.Equal(t, []shown{{3, false}}, b.seen())
		require.NoError(t, b.Failing())
		require.Equal(t, []int64{0, 0}, b.log.added, "from the earliest record each time")
	})
}

func TestATopicThatWasMadeAnewIsShownThoughItIsBehind(t *testing.T) {
	t.Parallel()
	run(t, 3, func(b *bench) {
		b.log.records(0, 3)
		require.Equal(t, []shown{{3, false}}, b.seen())
		b.log.end = 1
		b.log.fail()
		b.log.records(0, 1)
		b.log.records(1, 2)
		require.Equal(t, []shown{{1, true}, {2, false}}, b.seen())
		require.False(t, b.reads(2), "the new topic has no such record yet")
	})
}
