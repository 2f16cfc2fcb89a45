package embedded

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"

	"github.com/trackmesh/trackmesh/broker"
)

// bounded is a log with a bound, without fsync: what is measured here is space.
func bounded(t *testing.T, bytes int64) *Log {
	t.Helper()
	opts := options(t.TempDir())
	opts.RetentionBytes, opts.Partitions = bytes, 8
	l := open(t, opts)
	l.db.NoSync = true // the writer rests
	return l
}

func (l *Log) earliest(t *testing.T, s broker.Stream, p int32) int64 {
	t.Helper()
	earliest, _, err := l.Bounds(t.Context(), s, p)
	require.NoError(t, err)
	return earliest
}

func fileBytes(t *testing.T, l *Log) int64 {
	t.Helper()
	info, err := os.Stat(l.path)
	require.NoError(t, err)
	return info.Size()
}

// demo writes as the demo does: each partition gets positions and commits their documents, snapshots and some events.
type demo struct {
	*testing.T
	l      *Log
	f      *fixture
	claims []broker.Claim
	made   map[[2]int][2][]broker.Record // by partition and size: positions and what a commit of them makes
	rounds int
	bytes  int64
}

func newDemo(t *testing.T, l *Log) *demo {
	t.Helper()
	d := &demo{T: t, l: l, f: newFixture(250), made: map[[2]int][2][]broker.Record{}}
	for p := range l.layout.Partitions {
		c, err := l.Claim(t.Context(), p, "demo")
		require.NoError(t, err)
		require.NoError(t, c.Restore(t.Context(), func(*broker.Record) error { return nil }))
		d.claims = append(d.claims, c)
	}
	return d
}

func (d *demo) round(n int) {
	d.Helper()
	for p, c := range d.claims {
		made, ok := d.made[[2]int{p, n}]
		if !ok {
			out := append(many(n, func(i int) broker.Record { return d.f.document(int32(p), i) }), d.f.event(int32(p), d.rounds))
			out = append(out, many(n, func(int) broker.Record { return d.f.snapshot(int32(p)) })...)
			made = [2][]broker.Record{many(n, func(i int) broker.Record { return d.f.input(int32(p), i) }), out}
			d.made[[2]int{p, n}] = made
		}
		_, err := d.l.Produce(d.Context(), made[0])
		require.NoError(d, err)
		require.NoError(d, c.Commit(d.Context(), made[1]))
		for _, r := range made[1] {
			d.bytes += int64(len(r.Value) + len(r.Key))
		}
	}
	d.rounds++
}

func TestTheFileStaysUnderItsBound(t *testing.T) {
	for _, bound := range []int64{MinRetentionBytes, 40 << 20} {
		t.Run(fmt.Sprintf("%d MiB", bound>>20), func(t *testing.T) {
			l := bounded(t, bound)
			d := newDemo(t, l)
			largest := int64(0)
			for d.bytes < 6*bound {
				d.round(25 + d.rounds%5*40)
				largest = max(largest, fileBytes(t, l))
				require.LessOrEqual(t, largest, bound)
			}
			kept := int64(0)
			for p := range l.layout.Partitions {
				_, end, err := l.Bounds(t.Context(), broker.Enriched, p)
				require.NoError(t, err)
				require.Positive(t, l.earliest(t, broker.Enriched, p))
				kept += end - l.earliest(t, broker.Enriched, p)
			}
			r := l.usage()
			t.Logf("bound %d MiB, largest file %d MiB, in use %d MiB, %d documents kept, %d rounds", bound>>20, largest>>20, (r.size-r.free)>>20, kept, d.rounds)
			require.Greater(t, r.size-r.free, bound/3, "room is used, not only freed")
			require.NoError(t, l.view(func(tx *bbolt.Tx) error {
				for err := range tx.Check() {
					return err
				}
				return nil
			}))
		})
	}
}

func TestAReaderThatFellOutOfRetentionIsTold(t *testing.T) {
	l := bounded(t, MinRetentionBytes)
	d := newDemo(t, l)
	r, err := l.NewReader(broker.ReaderOptions{Name: "slow", MaxPartitionBytes: 1})
	require.NoError(t, err)
	defer r.Close()
	r.Add(broker.Enriched, 3, 0)
	fetches, err := r.Poll(t.Context())
	require.NoError(t, err)
	require.NoError(t, fetches[0].Err)
	for l.earliest(t, broker.Enriched, 3) == 0 {
		d.round(100)
	}
	fetches, err = r.Poll(t.Context())
	require.NoError(t, err)
	var out *broker.OffsetError
	require.ErrorAs(t, fetches[0].Err, &out)
	require.Equal(t, l.earliest(t, broker.Enriched, 3), out.Earliest)
}

func TestWhatACursorWaitsForIsDeletedLast(t *testing.T) {
	var logged bytes.Buffer
	l := bounded(t, MinRetentionBytes)
	l.logger = slog.New(slog.NewTextHandler(&logged, nil)) // the writer rests
	d := newDemo(t, l)
	require.NoError(t, l.StoreCursors(t.Context(), "", broker.Input, map[int32]int64{2: 0, 3: 1 << 40}))
	for l.earliest(t, broker.Input, 3) == 0 || l.earliest(t, broker.Enriched, 2) < 1000 {
		d.round(100)
		require.Zero(t, l.earliest(t, broker.Input, 2), "what was not read yet stays while there is anything else")
	}
	// Nothing else is left: the bound holds all the same, and it is said.
	require.Empty(t, logged.String())
	for l.earliest(t, broker.Input, 2) == 0 {
		_, err := l.Produce(t.Context(), many(1000, func(i int) broker.Record { return d.f.input(2, i) }))
		require.NoError(t, err)
		require.LessOrEqual(t, fileBytes(t, l), int64(MinRetentionBytes))
	}
	require.Contains(t, logged.String(), "deletes records that a reader has not read yet: raise --retention-bytes")
	require.Contains(t, logged.String(), "stream=input partition=2")
	require.Equal(t, 1, strings.Count(logged.String(), "\n"), "once a minute")
}

func TestCompactedStreamsThatFillTheBoundAreSaid(t *testing.T) {
	var logged bytes.Buffer
	l := bounded(t, MinRetentionBytes)
	l.logger = slog.New(slog.NewTextHandler(&logged, nil)) // the writer rests
	for i := 0; logged.Len() == 0; i++ {
		require.Less(t, i, 1000)
		_, err := l.Produce(t.Context(), many(100, func(j int) broker.Record {
			return broker.Record{Stream: broker.Fences, Key: fmt.Appendf(nil, "%d-%d", i, j), Value: fmt.Appendf(nil, "%0500d", i)}
		}))
		require.NoError(t, err)
	}
	require.Contains(t, logged.String(), "only records that are never deleted are left: raise --retention-bytes")
	_, err := l.Produce(t.Context(), []broker.Record{{Stream: broker.Input, Value: []byte("goes on")}})
	require.NoError(t, err)
}

func TestOldRecordsAreHiddenByAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := options(t.TempDir())
		opts.RetentionAge = time.Hour
		l, err := Open(t.Context(), opts)
		require.NoError(t, err)
		f := newFixture(10)
		const steps = 30
		for range steps { // one block every ten minutes
			_, err := l.Produce(t.Context(), many(7, func(i int) broker.Record { return f.event(1, i) }))
			require.NoError(t, err)
			<-time.After(10 * time.Minute)
			synctest.Wait()
		}
		_, err = l.Produce(t.Context(), []broker.Record{{Stream: broker.Fences, Key: []byte("old"), Value: []byte("stays")}})
		require.NoError(t, err)
		require.EqualValues(t, 7*(steps-6), l.earliest(t, broker.Events, 1))
		require.NoError(t, l.Close())

		<-time.After(30 * time.Minute)
		l, err = Open(t.Context(), opts)
		require.NoError(t, err)
		require.EqualValues(t, 7*(steps-3), l.earliest(t, broker.Events, 1), "at once after opening")
		<-time.After(2 * time.Hour)
		synctest.Wait()
		earliest, end, err := l.Bounds(t.Context(), broker.Events, 1)
		require.NoError(t, err)
		require.Equal(t, [2]int64{7 * steps, 7 * steps}, [2]int64{earliest, end}, "all of it")
		require.Len(t, all(t, l, broker.Fences, 0), 1, "age is not for compacted streams")
		require.NoError(t, l.Close())

		opts.RetentionAge = 0
		l, err = Open(t.Context(), opts)
		require.NoError(t, err)
		require.EqualValues(t, 7*steps, l.earliest(t, broker.Events, 1), "what was hidden does not come back")
		offsets, err := l.Produce(t.Context(), many(1, func(i int) broker.Record { return f.event(1, i) }))
		require.NoError(t, err)
		require.Equal(t, []int64{7 * steps}, offsets)
		require.NoError(t, l.Close())
	})
}

func TestHiddenRecordsMakeRoomFirst(t *testing.T) {
	l := bounded(t, MinRetentionBytes)
	d := newDemo(t, l)
	for range 20 {
		d.round(100)
	}
	_, end, err := l.Bounds(t.Context(), broker.Enriched, 5)
	require.NoError(t, err)
	require.NoError(t, l.trim(t.Context(), broker.Enriched, 5, end))
	first := func() (s span) {
		require.NoError(t, l.view(func(tx *bbolt.Tx) (err error) {
			s, _, err = openRun(tx, place{broker.Enriched, 5}).spanAt(0)
			return err
		}))
		return s
	}
	require.Zero(t, first().first, "its pages are not needed yet")
	for first().end < end {
		if d.round(100); first().end < end {
			require.Zero(t, l.earliest(t, broker.Enriched, 4), "of other partitions nothing goes")
		}
	}
}

func TestWithoutABoundHiddenRecordsAreUsedAgain(t *testing.T) {
	l := bounded(t, -1)
	d := newDemo(t, l)
	var size int64
	for i := range 40 {
		d.round(100)
		for p := range int32(8) {
			for _, s := range []broker.Stream{broker.Input, broker.Enriched, broker.Events} {
				_, end, err := l.Bounds(t.Context(), s, p)
				require.NoError(t, err)
				require.NoError(t, l.trim(t.Context(), s, p, end))
			}
		}
		if i == 10 {
			size = l.usage().size
		}
	}
	require.Less(t, l.usage().size, 2*size)
}

func TestTombstonesAreBounded(t *testing.T) {
	l := bounded(t, 64<<20)
	const n = stateTombstonesKept + 500
	at := place{broker.State, 1}
	records := many(n, func(i int) broker.Record {
		return broker.Record{Stream: broker.State, Partition: 1, Key: fmt.Appendf(nil, "taxi-%d", i), Value: []byte("v")}
	})
	_, err := l.Produce(t.Context(), records)
	require.NoError(t, err)
	for i := range records {
		records[i].Value = nil
	}
	_, err = l.Produce(t.Context(), records)
	require.NoError(t, err)
	left := all(t, l, at.s, at.p)
	require.Len(t, left, stateTombstonesKept)
	require.EqualValues(t, n+500, left[0].Offset, "the newest are kept")
	require.Equal(t, stateTombstonesKept, l.parts[at].tombs)

	records = records[400:600] // those whose tombstones went and those whose tombstones are there
	for i := range records {
		records[i].Value = []byte("back")
	}
	_, err = l.Produce(t.Context(), records)
	require.NoError(t, err)
	require.Equal(t, stateTombstonesKept-100, l.parts[at].tombs)
	require.Len(t, all(t, l, at.s, at.p), stateTombstonesKept+100)
	require.NoError(t, l.load())
	require.Equal(t, stateTombstonesKept-100, l.parts[at].tombs, "counted anew it is the same")
}
