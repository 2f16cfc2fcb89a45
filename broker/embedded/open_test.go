package embedded

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"

	"github.com/trackmesh/trackmesh/broker"
)

func TestADirectoryInUseIsRefused(t *testing.T) {
	opts := options(t.TempDir())
	open(t, opts)
	opts.LockTimeout = 100 * time.Millisecond
	_, err := Open(t.Context(), opts)
	require.EqualError(t, err, "data directory "+opts.Dir+" is in use by another process: stop that one, or choose another --data-dir")
}

func TestOptionsThatContradictTheLogAreRefused(t *testing.T) {
	opts := options(t.TempDir())
	l, err := Open(t.Context(), opts)
	require.NoError(t, err)
	require.NoError(t, l.Close())

	other := opts
	other.Partitions = 8
	_, err = Open(t.Context(), other)
	require.EqualError(t, err, "the log in "+opts.Dir+" was made with 4 partitions, which cannot change: use --partitions 4, or choose another --data-dir")
	other = opts
	other.Topic = "ships"
	_, err = Open(t.Context(), other)
	require.EqualError(t, err, "the log in "+opts.Dir+" holds the topic positions, not ships: use --topic positions, or choose another --data-dir")

	other = opts
	other.Partitions = 0 // whatever it has
	require.EqualValues(t, 4, open(t, other).Layout().Partitions)
}

func TestBadOptionsAreReportedAtOnce(t *testing.T) {
	_, err := Open(t.Context(), Options{OpenOptions: broker.OpenOptions{Partitions: -1, RetentionBytes: 1000, RetentionAge: -1}, MaxRecordBytes: -1})
	for _, part := range []string{"--data-dir is empty", "--topic is empty", "--partitions -1", "--retention-bytes 1000", "--retention-age", "record limit"} {
		require.ErrorContains(t, err, part)
	}
}

func TestADirectoryThatCannotBeMadeIsAnError(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err := Open(t.Context(), options(file))
	require.ErrorContains(t, err, "making the data directory (--data-dir)")
}

// rewrite changes a closed log's file through bbolt.
func rewrite(t *testing.T, dir string, f func(*bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(filepath.Join(dir, fileName), 0o600, nil)
	require.NoError(t, err)
	require.NoError(t, db.Update(f))
	require.NoError(t, db.Close())
}

func setVersion(t *testing.T, dir string, version uint32) {
	t.Helper()
	rewrite(t, dir, func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketLog).Put(keyVersion, binary.BigEndian.AppendUint32(nil, version))
	})
}

// filled is a closed log with some records in it.
func filled(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	l, err := Open(t.Context(), options(dir))
	require.NoError(t, err)
	f := newFixture(50)
	for range 20 {
		_, err := l.Produce(t.Context(), many(200, func(i int) broker.Record { return f.document(int32(i%4), i) }))
		require.NoError(t, err)
	}
	_, err = l.Produce(t.Context(), []broker.Record{
		{Stream: broker.Fences, Key: []byte("a"), Value: []byte("1")},
		{Stream: broker.Fences, Key: []byte("b"), Value: []byte("1")},
		{Stream: broker.Fences, Key: []byte("c"), Value: []byte("1")},
		{Stream: broker.Fences, Key: []byte("a"), Value: []byte("2")},
		{Stream: broker.Fences, Key: []byte("b")},
		{Stream: broker.State, Partition: 2, Key: []byte("taxi-1"), Value: []byte("snapshot")},
	})
	require.NoError(t, err)
	require.NoError(t, l.StoreCursors(t.Context(), "sink", broker.Enriched, map[int32]int64{1: 7}))
	require.NoError(t, l.Close())
	return dir
}

func TestANewerFormatIsRefused(t *testing.T) {
	dir := filled(t)
	setVersion(t, dir, formatVersion+1)
	_, err := Open(t.Context(), options(dir))
	require.EqualError(t, err, filepath.Join(dir, fileName)+" has format 3 and this program knows 2 at most: "+
		"run the newer program that wrote it, or choose another --data-dir")
}

func TestAnOlderFormatIsMigrated(t *testing.T) {
	dir := filled(t)
	rewrite(t, dir, func(tx *bbolt.Tx) error { // what format 1 did not have
		for _, at := range places(4) {
			if at.s.Compacted() {
				require.NoError(t, tx.DeleteBucket(at.bucket('o')))
				require.NoError(t, tx.DeleteBucket(at.bucket('t')))
			}
		}
		return tx.DeleteBucket(bucketEarliest)
	})
	setVersion(t, dir, 1)
	// A crash amid the migration: some of it is done and the version is not changed.
	rewrite(t, dir, func(tx *bbolt.Tx) error { return indexPlace(tx, place{broker.Fences, 0}) })

	l := open(t, options(dir))
	fences := all(t, l, broker.Fences, 0)
	require.Len(t, fences, 3)
	for i, want := range []broker.Record{{Offset: 2, Key: []byte("c"), Value: []byte("1")}, {Offset: 3, Key: []byte("a"), Value: []byte("2")}, {Offset: 4, Key: []byte("b")}} {
		require.Equal(t, want.Offset, fences[i].Offset)
		require.Equal(t, want.Key, fences[i].Key)
		require.Equal(t, want.Value, fences[i].Value)
	}
	_, end, err := l.Bounds(t.Context(), broker.Fences, 0)
	require.NoError(t, err)
	require.EqualValues(t, 5, end)
	require.Equal(t, 1, l.parts[place{broker.Fences, 0}].tombs)
	require.Len(t, all(t, l, broker.State, 2), 1)
	require.Len(t, all(t, l, broker.Enriched, 1), 1000)
	var version int
	require.NoError(t, l.view(func(tx *bbolt.Tx) (err error) { version, err = formatOf(tx); return err }))
	require.Equal(t, formatVersion, version)
}

func TestAFileOfAnotherProgramIsRefused(t *testing.T) {
	dir := t.TempDir()
	rewrite(t, dir, func(tx *bbolt.Tx) error { _, err := tx.CreateBucket([]byte("etcd")); return err })
	_, err := Open(t.Context(), options(dir))
	require.ErrorContains(t, err, "it is a bbolt file of another program: move it away, or choose another --data-dir")
}

func TestADamagedFileSaysWhatToDo(t *testing.T) {
	for name, harm := range map[string]func(t *testing.T, b []byte) []byte{
		"no bbolt file": func(_ *testing.T, _ []byte) []byte {
			return []byte("this is not a log, but it is long enough to be one")
		},
		"both metas gone":     func(_ *testing.T, b []byte) []byte { clear(b[:8192]); return b },
		"cut off":             func(_ *testing.T, b []byte) []byte { return b[:16384] },
		"all pages but metas": func(_ *testing.T, b []byte) []byte { clear(b[8192:]); return b },
	} {
		t.Run(name, func(t *testing.T) {
			dir := filled(t)
			path := filepath.Join(dir, fileName)
			b, err := os.ReadFile(path)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(path, harm(t, b), 0o600))
			_, err = Open(t.Context(), options(dir))
			require.ErrorContains(t, err, path+" is damaged")
			require.ErrorContains(t, err, "move it away, and start again")
			require.NotContains(t, err.Error(), "\n")

			require.NoError(t, os.Remove(path)) // what it said to do: nothing of the damaged one is left open
			open(t, options(dir))
		})
	}
}

func TestADamagedBlockStopsItsReaderAlone(t *testing.T) {
	dir := filled(t)
	rewrite(t, dir, func(tx *bbolt.Tx) error {
		r := openRun(tx, place{broker.Enriched, 1})
		k, v := r.Cursor().Seek(pieceKey(500, 1))
		changed := append([]byte{}, v...)
		changed[len(changed)/2] ^= 1
		return r.Put(append([]byte{}, k...), changed)
	})
	l := open(t, options(dir))
	r, err := l.NewReader(broker.ReaderOptions{Name: "test"})
	require.NoError(t, err)
	defer r.Close()
	r.Add(broker.Enriched, 1, 0)
	r.Add(broker.Enriched, 2, 0)
	got := map[int32]int{}
	var failure error
	for failure == nil || got[2] < 1000 {
		fetches, err := r.Poll(t.Context())
		require.NoError(t, err)
		for _, f := range fetches {
			got[f.Partition] += len(f.Records)
			if f.Err != nil {
				require.EqualValues(t, 1, f.Partition)
				failure = f.Err
			}
		}
	}
	require.ErrorContains(t, failure, "is damaged")
	require.Less(t, got[1], 1000)
}

func TestDamageFoundWhileRunningStopsAllWriting(t *testing.T) {
	for name, harm := range map[string]func(t *testing.T, l *Log, size int){
		"zeros": func(t *testing.T, l *Log, size int) {
			t.Helper()
			_, err := l.file.WriteAt(make([]byte, size-8192), 8192)
			require.NoError(t, err)
		},
		"noise": func(t *testing.T, l *Log, size int) {
			t.Helper()
			noise := make([]byte, size-8192)
			for i := range noise {
				noise[i] = byte(i * i >> 3)
			}
			_, err := l.file.WriteAt(noise, 8192)
			require.NoError(t, err)
		},
		"cut off": func(t *testing.T, l *Log, _ int) {
			t.Helper()
			require.NoError(t, l.file.Truncate(8192))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filled(t)
			l := open(t, options(dir))
			harm(t, l, int(l.usage().size))
			write := func() error {
				_, err := l.Produce(t.Context(), []broker.Record{{Stream: broker.Input, Value: []byte("v")}})
				return err
			}
			require.ErrorContains(t, write(), "is damaged")
			require.ErrorIs(t, write(), errBroken)
			require.ErrorIs(t, l.Health(), errBroken)
			r := newReader(t, l, broker.ReaderOptions{})
			r.Add(broker.Enriched, 1, 0)
			fetches, err := r.Poll(t.Context())
			require.NoError(t, err)
			require.ErrorContains(t, fetches[0].Err, "is damaged")
			_, err = l.Claim(t.Context(), 0, "node")
			require.ErrorIs(t, err, errBroken)
		})
	}
}

func TestAStreamThatIsSwitchedOffHasNoReadersAndWriters(t *testing.T) {
	dir := filled(t)
	opts := options(dir)
	opts.Enriched = false
	l := open(t, opts)
	_, err := l.Produce(t.Context(), []broker.Record{{Stream: broker.Enriched, Value: []byte("v")}})
	require.EqualError(t, err, "stream enriched is switched off")
	_, _, err = l.Bounds(t.Context(), broker.Enriched, 0)
	require.Error(t, err)
	r, err := l.NewReader(broker.ReaderOptions{Name: "test"})
	require.NoError(t, err)
	defer r.Close()
	r.Add(broker.Enriched, 0, 0)
	fetches, err := r.Poll(t.Context())
	require.NoError(t, err)
	require.EqualError(t, fetches[0].Err, "stream enriched is switched off")
}

func TestMetricsComeAndGoWithTheLog(t *testing.T) {
	registry := prometheus.NewRegistry()
	opts := options(t.TempDir())
	opts.Registerer = registry
	for range 2 {
		l, err := Open(t.Context(), opts)
		require.NoError(t, err)
		_, err = l.Produce(t.Context(), []broker.Record{{Stream: broker.Input, Value: []byte("v")}})
		require.NoError(t, err)
		families, err := registry.Gather()
		require.NoError(t, err)
		values := map[string]float64{}
		for _, f := range families {
			m := f.GetMetric()[0]
			values[f.GetName()] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
		require.InDelta(t, 1, values["trackmesh_embedded_records_total"], 0)
		require.Positive(t, values["trackmesh_embedded_file_bytes"])
		require.NoError(t, l.Close())
		families, err = registry.Gather()
		require.NoError(t, err)
		require.Empty(t, families)
	}
}

func TestAnUnfinishedFileIsNoObstacle(t *testing.T) {
	whole, err := os.ReadFile(filepath.Join(filled(t), fileName))
	require.NoError(t, err)
	for _, left := range [][]byte{nil, whole[:4096], make([]byte, 16384), whole[:20480]} {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, fileName+".new"), left, 0o600))
		l := open(t, options(dir))
		require.Empty(t, all(t, l, broker.Input, 0))
		_, err := l.Produce(t.Context(), []broker.Record{{Stream: broker.Input, Value: []byte("v")}})
		require.NoError(t, err)
		require.NoFileExists(t, filepath.Join(dir, fileName+".new"))
		opts := options(dir)
		opts.LockTimeout = 100 * time.Millisecond
		_, err = Open(t.Context(), opts)
		require.ErrorContains(t, err, "in use by another process", "the lock went along with the name")
	}
}

func TestOfSeveralThatOpenANewDirectoryOneHasIt(t *testing.T) {
	for range 10 {
		opts := options(t.TempDir())
		opts.LockTimeout = 100 * time.Millisecond
		logs, errs := make(chan *Log, 5), make(chan error, 5)
		for range cap(logs) {
			go func() {
				l, err := Open(t.Context(), opts)
				logs <- l
				errs <- err
			}()
		}
		var won *Log
		for range cap(logs) {
			if l := <-logs; l != nil {
				require.Nil(t, won)
				won = l
			}
			if err := <-errs; err != nil {
				require.ErrorContains(t, err, "in use by another process")
			}
		}
		require.NotNil(t, won)
		require.NoError(t, won.Close())
	}
}

// TestOpenAndCloseAtAnyMoment closes logs that are in use, from several goroutines at once.
func TestOpenAndCloseAtAnyMoment(t *testing.T) {
	opts := options(t.TempDir())
	for range 25 {
		l, err := Open(t.Context(), opts)
		require.NoError(t, err)
		var users, closers sync.WaitGroup
		busy := make(chan struct{}, 8)
		for p := range int32(4) {
			users.Go(func() { busy <- struct{}{}; use(t, l, p) })
			users.Go(func() { busy <- struct{}{}; follow(t, l, p) })
		}
		for range 4 {
			<-busy
		}
		for range 3 {
			closers.Go(func() {
				if err := l.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		closers.Wait()
		users.Wait()
	}
}

// use claims and commits until the log is closed.
func use(t *testing.T, l *Log, p int32) {
	t.Helper()
	c, err := l.Claim(t.Context(), p, "user")
	if err == nil {
		defer c.Close()
		err = c.Restore(t.Context(), func(*broker.Record) error { return nil })
	}
	for err == nil {
		err = c.Commit(t.Context(), []broker.Record{{Stream: broker.State, Partition: p, Key: []byte("k"), Value: []byte("v")}})
	}
	if !errors.Is(err, broker.ErrClosed) {
		t.Error(err)
	}
}

// follow polls until the log is closed.
func follow(t *testing.T, l *Log, p int32) {
	t.Helper()
	r, err := l.NewReader(broker.ReaderOptions{Name: "follower"})
	if err == nil {
		defer r.Close()
		r.Add(broker.State, p, 0)
	}
	for err == nil {
		var fetches []broker.Fetch
		fetches, err = r.Poll(t.Context())
		for _, f := range fetches {
			err = f.Err
		}
	}
	if !errors.Is(err, broker.ErrClosed) {
		t.Error(err)
	}
}
