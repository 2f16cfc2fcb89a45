package sinks

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/broker"
)

// rig is a pump between a log and a store, in a synctest bubble: every wait is for what is waited for.
type rig struct {
	*testing.T
	log      *fakeLog
	store    *fakeStore
	registry *prometheus.Registry
	pump     *Pump

	mu       sync.Mutex
	rejected []Rejection
	reject   error
}

func newRig(t *testing.T, change func(o *PumpOptions)) *rig {
	t.Helper()
	return (&rig{T: t, log: newFakeLog(), store: newFakeStore()}).again(change)
}

// again makes a new pump on the same log and store.
func (r *rig) again(change func(o *PumpOptions)) *rig {
	r.Helper()
	r.registry = prometheus.NewRegistry()
	opts := PumpOptions{
		Name: "test", Source: r.log, Cursors: r.log, Writer: r.store, Logger: slog.New(slog.DiscardHandler), Registerer: r.registry,
		Reject: func(_ context.Context, rejections []Rejection) error {
			r.mu.Lock()
			defer r.mu.Unlock()
			if r.reject == nil {
				r.rejected = append(r.rejected, rejections...)
			}
			return r.reject
		},
	}
	if change != nil {
		change(&opts)
	}
	var err error
	r.pump, err = NewPump(opts)
	require.NoError(r, err)
	require.NoError(r, r.pump.Start(r.Context()))
	return r
}

func (r *rig) stop() {
	r.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	require.NoError(r, r.pump.Stop(ctx))
}

// pass lets time pass until nothing is left to do before its end.
func (r *rig) pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestDocumentsReachTheStoreAndTheCursorFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.log.append(broker.Enriched, 0, 120)
		r.log.append(broker.Events, 0, 3)
		r.log.append(broker.Enriched, 1, 7)
		r.pump.Add(0, 1)
		r.pass(3 * time.Second)
		require.Equal(t, 130, r.store.count())
		require.EqualValues(t, 120, r.log.cursor(broker.Enriched, 0))
		require.EqualValues(t, 3, r.log.cursor(broker.Events, 0))
		require.EqualValues(t, 7, r.log.cursor(broker.Enriched, 1))
		d := r.store.writes[0][0]
		require.Equal(t, docID(streamOf(d.Kind), d.Partition, d.Offset), d.ID)
		require.Equal(t, 1000+d.Offset, d.Timestamp)
		for _, lag := range r.pump.Lags() {
			require.Zero(t, lag.Records(), lag)
		}
		require.Len(t, r.pump.Lags(), 4)
		require.NoError(t, r.pump.Health())
		r.stop()
	})
}

func streamOf(k Kind) broker.Stream {
	if k == Event {
		return broker.Events
	}
	return broker.Enriched
}

func TestABatchGoesWhenItIsOldOrFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(o *PumpOptions) { o.MaxBatchAge, o.MaxBatchDocuments = 10*time.Second, 40 })
		r.pump.Add(0)
		synctest.Wait()
		r.log.append(broker.Enriched, 0, 39)
		r.pass(9 * time.Second)
		require.Zero(t, r.store.count(), "it is neither")
		r.pass(2 * time.Second)
		require.Equal(t, 39, r.store.count())
		r.log.append(broker.Enriched, 0, 100)
		synctest.Wait()
		require.Equal(t, 39+80, r.store.count(), "full ones do not wait")
		r.stop()
	})
}

func TestABatchIsBoundedInBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const perDocument = 100 + documentOverhead
		r := newRig(t, func(o *PumpOptions) { o.MaxBatchBytes = 10 * perDocument })
		r.log.append(broker.Enriched, 0, 200)
		r.pump.Add(0)
		r.pass(10 * time.Second)
		require.Equal(t, 200, r.store.count())
		for _, w := range r.store.writes {
			require.LessOrEqual(t, len(w), 10)
		}
		r.stop()
	})
}

func TestAFailureIsRepeatedUntilItIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.store.failing(func([]Document) ([]Rejection, error) {
			return nil, &RetryError{Class: "overloaded", Err: errors.New("busy")}
		})
		r.log.append(broker.Enriched, 0, 10)
		r.pump.Add(0)
		r.pass(time.Hour)
		require.Zero(t, r.store.count())
		require.ErrorContains(t, r.pump.Health(), "busy")
		retries := testutil.ToFloat64(r.pump.metrics.retries.WithLabelValues("overloaded"))
		require.Greater(t, retries, 60.0, "the back-off is bounded")
		require.Less(t, retries, 400.0, "and grows")
		require.LessOrEqual(t, r.log.cursor(broker.Enriched, 0), int64(0), "the cursor has not moved")
		r.store.failing(nil)
		r.pass(time.Minute)
		require.Equal(t, 10, r.store.count())
		require.EqualValues(t, 10, r.log.cursor(broker.Enriched, 0))
		require.NoError(t, r.pump.Health())
		r.stop()
	})
}

func TestRetryAfterIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.store.failing(func([]Document) ([]Rejection, error) {
			return nil, &RetryError{Class: "overloaded", After: 20 * time.Minute, Err: errors.New("busy")}
		})
		r.log.append(broker.Enriched, 0, 1)
		r.pump.Add(0)
		r.pass(19 * time.Minute)
		require.Equal(t, 1, int(testutil.ToFloat64(r.pump.metrics.retries.WithLabelValues("overloaded"))))
		r.stop()
	})
}

func TestRejectionsAreSafeBeforeTheCursorMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.reject = errors.New("the log is away")
		r.store.failing(func(batch []Document) ([]Rejection, error) {
			return []Rejection{{Document: batch[2], Detail: "no"}}, nil
		})
		r.log.append(broker.Enriched, 0, 10)
		r.pump.Add(0)
		r.pass(time.Minute)
		require.LessOrEqual(t, r.log.cursor(broker.Enriched, 0), int64(0))
		require.Error(t, r.pump.Health())
		r.mu.Lock()
		r.reject = nil
		r.mu.Unlock()
		r.pass(time.Minute)
		require.EqualValues(t, 10, r.log.cursor(broker.Enriched, 0))
		require.Len(t, r.rejected, 1)
		require.Equal(t, docID(broker.Enriched, 0, 2), r.rejected[0].Document.ID)
		require.Len(t, r.store.writes, 1, "the store was not asked again")
		require.Equal(t, 1, int(testutil.ToFloat64(r.pump.metrics.rejected)))
		require.Equal(t, 9, int(testutil.ToFloat64(r.pump.metrics.written)))
		r.stop()
	})
}

func TestARecordThatIsNoDocumentIsRejected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.log.append(broker.Enriched, 0, 3)
		r.log.records[lane{broker.Enriched, 0}][1].Headers = nil
		r.pump.Add(0)
		r.pass(5 * time.Second)
		require.Equal(t, 2, r.store.count())
		require.Len(t, r.rejected, 1)
		require.EqualValues(t, 1, r.rejected[0].Document.Offset)
		require.EqualValues(t, 3, r.log.cursor(broker.Enriched, 0))
		r.stop()
	})
}

func TestTheCursorNeverPassesABatchUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(o *PumpOptions) { o.Concurrency, o.MaxBatchDocuments = 3, 10 })
		hold := make(chan struct{})
		r.store.failing(func(batch []Document) ([]Rejection, error) {
			if batch[0].Offset == 0 {
				<-hold
			}
			return nil, nil
		})
		r.log.append(broker.Enriched, 0, 100)
		r.pump.Add(0)
		r.pass(time.Minute)
		require.Positive(t, r.store.count(), "later ones are acknowledged")
		require.LessOrEqual(t, r.store.count(), 3*10+maxPoll, "until the queue is full")
		require.LessOrEqual(t, r.log.cursor(broker.Enriched, 0), int64(0))
		close(hold)
		r.pass(time.Minute)
		require.Equal(t, 100, r.store.count())
		require.EqualValues(t, 100, r.log.cursor(broker.Enriched, 0))
		require.LessOrEqual(t, r.store.maxUnder, 3)
		r.stop()
	})
}

func TestMemoryIsBoundedWhileTheStoreIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(o *PumpOptions) { o.Concurrency, o.MaxBatchDocuments = 2, 10 })
		r.store.gate = make(chan struct{})
		r.log.append(broker.Enriched, 0, 10_000)
		r.pump.Add(0)
		r.pass(time.Hour)
		held := 0
		r.inspect(func() {
			held = len(r.pump.filling.documents)
			for _, b := range r.pump.queue {
				held += len(b.documents)
			}
		})
		require.LessOrEqual(t, held, 2*10+10+maxPoll)
		require.EqualValues(t, 10_000, r.lag(broker.Enriched, 0))
		r.log.append(broker.Enriched, 0, 5)
		r.pass(time.Minute)
		require.EqualValues(t, 10_005, r.lag(broker.Enriched, 0), "the lag grows though nothing is read")
		close(r.store.gate)
		r.pass(time.Minute)
		require.Zero(t, r.lag(broker.Enriched, 0))
		r.stop()
	})
}

// inspect runs fn on the pump's goroutine.
func (r *rig) inspect(fn func()) {
	done := make(chan struct{})
	r.pump.post(func() { fn(); close(done) })
	<-done
}

func (r *rig) lag(s broker.Stream, p int32) int64 {
	r.Helper()
	for _, l := range r.pump.Lags() {
		if l.Stream == s && l.Partition == p {
			return l.Records()
		}
	}
	require.Fail(r, "no lag of that partition")
	return 0
}

func TestARestartGoesOnFromTheCursor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.log.append(broker.Enriched, 0, 30)
		r.pump.Add(0)
		r.pass(5 * time.Second)
		r.stop()
		r.log.append(broker.Enriched, 0, 5)
		r.again(nil)
		r.pump.Add(0)
		r.pass(5 * time.Second)
		require.Equal(t, 35, r.store.count())
		for id, times := range r.store.stored {
			require.Equal(t, 1, times, id)
		}
		r.stop()
	})
}

func TestACursorPassesControlRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.log.append(broker.Enriched, 0, 2)
		r.log.control(broker.Enriched, 0)
		r.pump.Add(0)
		r.pass(5 * time.Second)
		require.EqualValues(t, 3, r.log.cursor(broker.Enriched, 0))
		r.log.control(broker.Enriched, 0)
		r.pass(5 * time.Second)
		require.EqualValues(t, 4, r.log.cursor(broker.Enriched, 0))
		require.Len(t, r.store.writes, 1)
		r.stop()
	})
}

func TestACursorOutOfRetentionIsAnAlarmAndGoesOn(t *testing.T) {
	for name, at := range map[string]int64{"before the earliest": 5, "after the end": 5000} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil)
				r.log.append(broker.Enriched, 0, 100)
				r.log.retain(broker.Enriched, 0, 40)
				r.log.cursors[lane{broker.Enriched, 0}] = at
				r.pump.Add(0)
				r.pass(5 * time.Second)
				require.Equal(t, 60, r.store.count())
				require.EqualValues(t, 100, r.log.cursor(broker.Enriched, 0))
				require.Equal(t, 1, int(testutil.ToFloat64(r.pump.metrics.gaps.WithLabelValues("out_of_range"))))
				require.ErrorContains(t, r.pump.Health(), "not in the log")
				r.pass(15 * time.Minute)
				require.NoError(t, r.pump.Health(), "the alarm ends, the metric stays")
				r.stop()
			})
		})
	}
}

func TestTheCursorIsSetBackBeforeAnythingIsWrittenFromThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.log.append(broker.Enriched, 0, 100)
		r.log.cursors[lane{broker.Enriched, 0}] = 5000
		var seen []int64
		r.store.failing(func([]Document) ([]Rejection, error) {
			seen = append(seen, r.log.cursor(broker.Enriched, 0))
			return nil, nil
		})
		r.pump.Add(0)
		r.pass(5 * time.Second)
		require.NotEmpty(t, seen)
		require.Zero(t, seen[0])
		r.stop()
	})
}

func TestNoCursor(t *testing.T) {
	for _, c := range []struct {
		name     string
		earliest int64
		alarm    bool
	}{{"at the log's beginning nothing is missing", 0, false}, {"after it something may be", 10, true}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil)
				r.log.append(broker.Enriched, 0, 20)
				r.log.retain(broker.Enriched, 0, c.earliest)
				r.pump.Add(0)
				r.pass(5 * time.Second)
				require.Equal(t, 20-int(c.earliest), r.store.count())
				require.Equal(t, 1, int(testutil.ToFloat64(r.pump.metrics.gaps.WithLabelValues("no_cursor"))))
				require.Equal(t, c.alarm, r.pump.Health() != nil)
				require.EqualValues(t, 0, r.log.cursor(broker.Events, 0), "an empty partition's cursor is stored at once")
				r.stop()
			})
		})
	}
}

func TestCursorsAreStoredHourlyThoughNothingMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.pump.Add(0)
		r.pass(time.Minute)
		before := r.log.storesSoFar()
		r.pass(30 * time.Minute)
		require.Equal(t, before, r.log.storesSoFar())
		r.pass(time.Hour)
		require.Greater(t, r.log.storesSoFar(), before)
		r.stop()
	})
}

func TestRemoveStoresTheCursorAndReadsNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(o *PumpOptions) { o.CursorInterval = time.Hour })
		r.log.append(broker.Enriched, 0, 20)
		r.pump.Add(0, 1)
		r.pass(5 * time.Second)
		require.NoError(t, r.pump.Remove(t.Context(), 0, 7))
		require.EqualValues(t, 20, r.log.cursor(broker.Enriched, 0))
		require.Len(t, r.pump.Lags(), 2)
		r.log.append(broker.Enriched, 0, 5)
		r.pass(5 * time.Second)
		require.Equal(t, 20, r.store.count())
		r.pump.Add(0)
		r.pass(5 * time.Second)
		require.Equal(t, 25, r.store.count())
		r.stop()
	})
}

func TestRemoveDoesNotWaitForAStoreThatIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.store.gate = make(chan struct{})
		r.log.append(broker.Enriched, 0, 20)
		r.pump.Add(0)
		r.pass(5 * time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		require.ErrorIs(t, r.pump.Remove(ctx, 0), context.DeadlineExceeded)
		synctest.Wait()
		require.Empty(t, r.pump.Lags())
		close(r.store.gate)
		r.pass(5 * time.Second)
		require.LessOrEqual(t, r.log.cursor(broker.Enriched, 0), int64(0), "another owner's cursor is not touched")
		r.stop()
	})
}

func TestAPartitionThatComesBackWhileItLeavesIsReadOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.store.gate = make(chan struct{})
		r.log.append(broker.Enriched, 0, 20)
		r.pump.Add(0)
		r.pass(5 * time.Second)
		gone := make(chan error, 1)
		go func() { gone <- r.pump.Remove(t.Context(), 0) }()
		synctest.Wait()
		r.pump.Add(0)
		r.pass(time.Second)
		close(r.store.gate)
		require.NoError(t, <-gone)
		r.log.append(broker.Enriched, 0, 5)
		r.pass(5 * time.Second)
		require.Equal(t, 25, r.store.count())
		require.Len(t, r.pump.Lags(), 2)
		r.stop()
	})
}

func TestTheLogMayBeAwayWhenAPartitionIsAdded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.log.boundsErr = errors.New("no broker")
		r.log.append(broker.Enriched, 0, 3)
		r.pump.Add(0)
		r.pass(time.Minute)
		require.ErrorContains(t, r.pump.Health(), "no broker")
		r.log.locked(func() { r.log.boundsErr = nil })
		r.pass(time.Minute)
		require.NoError(t, r.pump.Health())
		require.Equal(t, 3, r.store.count())
		r.stop()
	})
}

func TestStopIsBoundedIdempotentAndSafeBeforeStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.store.gate = make(chan struct{})
		r.log.append(broker.Enriched, 0, 20)
		r.pump.Add(0)
		r.pass(5 * time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, r.pump.Stop(ctx), context.DeadlineExceeded)
		require.NoError(t, r.pump.Stop(t.Context()))
		unstarted, err := NewPump(PumpOptions{
			Name: "test", Source: r.log, Cursors: r.log, Writer: r.store, Logger: slog.New(slog.DiscardHandler), Registerer: r.registry,
			Reject: func(context.Context, []Rejection) error { return nil },
		})
		require.NoError(t, err, "the metrics of the stopped pump are gone")
		require.NoError(t, unstarted.Stop(t.Context()))
		require.NoError(t, unstarted.Stop(t.Context()))
		require.Error(t, unstarted.Start(t.Context()))
	})
}

func TestAStopWhileTheLogIsAwayTriesAtTheUsualPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.log.locked(func() { r.log.storeErr = errors.New("away") })
		r.log.append(broker.Enriched, 0, 20)
		r.pump.Add(0)
		r.pass(5 * time.Second)
		before := r.log.tries
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		require.ErrorIs(t, r.pump.Stop(ctx), context.DeadlineExceeded)
		require.Less(t, r.log.tries-before, 30)
		require.Greater(t, r.log.tries-before, 5)
	})
}

func TestEveryMissingOptionIsNamed(t *testing.T) {
	_, err := NewPump(PumpOptions{})
	for _, name := range []string{"Name", "Source", "Cursors", "Writer", "Reject", "Logger", "Registerer"} {
		require.ErrorContains(t, err, name)
	}
}

// Whatever fails in between, and however often a pump is started anew, each document arrives, and the cursor is at the end.
func TestNothingIsLostWhateverFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(3, 4)) //nolint:gosec // a fixed seed
		shape := func(o *PumpOptions) {
			o.Concurrency, o.MaxBatchDocuments = 1+random.IntN(4), 1+random.IntN(60)
		}
		r := newRig(t, shape)
		var mu sync.Mutex
		r.store.failing(func([]Document) ([]Rejection, error) {
			mu.Lock()
			defer mu.Unlock()
			if random.IntN(3) == 0 {
				return nil, errors.New("now and then")
			}
			return nil, nil
		})
		total := map[lane]int{}
		for range 60 {
			l := lane{[]broker.Stream{broker.Enriched, broker.Events}[random.IntN(2)], int32(random.IntN(3))}
			n := random.IntN(200)
			total[l] += n
			r.log.append(l.stream, l.partition, n)
			mu.Lock()
			step, remove := random.IntN(6), random.IntN(3)
			mu.Unlock()
			switch step {
			case 0:
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
				_ = r.pump.Stop(ctx) // in the middle of whatever is under way
				cancel()
				r.again(shape)
			case 1:
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
				_ = r.pump.Remove(ctx, int32(remove))
				cancel()
			}
			r.pump.Add(0, 1, 2)
			r.pass(700 * time.Millisecond)
		}
		r.pass(5 * time.Minute)
		all := 0
		for l, n := range total {
			all += n
			require.EqualValues(t, n, r.log.cursor(l.stream, l.partition), l)
		}
		require.Equal(t, all, r.store.count())
		r.stop()
	})
}
