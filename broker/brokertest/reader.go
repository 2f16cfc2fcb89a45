package brokertest

import (
	"context"
	"fmt"
	"sync"

	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/broker"
)

func readerTests() map[string]func(*env) {
	return map[string]func(*env){
		"many partitions at once, none starves":           readMany,
		"small bounds still bring large records":          smallBounds,
		"a removed partition brings nothing more":         removed,
		"a paused partition brings nothing until resumed": paused,
		"no record of an earlier Add after a new one":     addedAgain,
		"adding while another goroutine polls":            addWhilePolling,
		"two readers do not disturb each other":           twoReaders,
		"what was returned is never written again":        recordsStay,
		"a compacted stream is read in order of offsets":  readCompacted,
	}
}

func readMany(e *env) {
	const n = 300
	var batch []broker.Record
	for p := range int32(partitions) {
		batch = append(batch, numbered(broker.Input, p, 0, n)...)
		batch = append(batch, numbered(broker.Commands, p, 1000, n)...)
	}
	e.produce(batch...)
	r := e.reader(broker.ReaderOptions{})
	defer r.Close()
	got, left := map[place][]string{}, 2*partitions
	for p := range int32(partitions) {
		r.Add(broker.Input, p, 0)
		r.Add(broker.Commands, p, 0)
	}
	for left > 0 {
		for _, f := range e.poll(r) {
			require.NoError(e, f.Err)
			at := place{f.Stream, f.Partition}
			got[at] = append(got[at], values(f.Records)...)
			for _, rec := range f.Records {
				require.Equal(e, f.Stream, rec.Stream)
				require.Equal(e, f.Partition, rec.Partition)
			}
			if len(got[at]) == n && len(f.Records) > 0 {
				left--
			}
		}
	}
	for p := range int32(partitions) {
		require.Equal(e, values(numbered(broker.Input, p, 0, n)), got[place{broker.Input, p}])
		require.Equal(e, values(numbered(broker.Input, p, 1000, n)), got[place{broker.Commands, p}])
	}
}

func smallBounds(e *env) {
	big := noise(e.log.Layout().MaxRecordBytes / 2)
	for range 3 {
		e.produce(broker.Record{Stream: broker.Input, Key: []byte("k"), Value: big}, record(broker.Input, 0, "k", "small"))
	}
	r := e.reader(broker.ReaderOptions{MaxBufferedBytes: 64 << 10, MaxPartitionBytes: 16 << 10})
	defer r.Close()
	r.Add(broker.Input, 0, 0)
	got := e.take(r, 6)
	for i, rec := range got {
		if i%2 == 0 {
			require.Len(e, rec.Value, len(big))
		} else {
			require.Equal(e, "small", string(rec.Value))
		}
	}
}

// until polls until a record with that value comes, and returns all records on the way.
func (e *env) until(r broker.Reader, value string) []broker.Record {
	e.Helper()
	var out []broker.Record
	for {
		for _, f := range e.poll(r) {
			require.NoError(e, f.Err)
			out = append(out, f.Records...)
		}
		for _, rec := range out {
			if string(rec.Value) == value {
				return out
			}
		}
	}
}

func removed(e *env) {
	r := e.reader(broker.ReaderOptions{})
	defer r.Close()
	r.Add(broker.Input, 0, 0)
	r.Add(broker.Input, 1, 0)
	e.produce(record(broker.Input, 0, "k", "seen"))
	e.until(r, "seen")
	r.Remove(broker.Input, 0)
	r.Remove(broker.Input, 3) // never added: nothing happens
	e.produce(record(broker.Input, 0, "k", "unseen"))
	for i := range 5 {
		mark := fmt.Sprint("mark ", i)
		e.produce(record(broker.Input, 1, "k", mark))
		for _, rec := range e.until(r, mark) {
			require.Equal(e, int32(1), rec.Partition)
		}
	}
	r.Add(broker.Input, 0, 0)
	got := e.until(r, "unseen")
	require.Equal(e, []string{"seen", "unseen"}, values(got))
}

func paused(e *env) {
	r := e.reader(broker.ReaderOptions{})
	defer r.Close()
	r.Add(broker.Input, 0, 0)
	r.Add(broker.Input, 1, 0)
	e.produce(record(broker.Input, 0, "k", "v0"))
	e.until(r, "v0")
	r.Pause(broker.Input, 0)
	r.Pause(broker.Input, 0)
	for i := 1; i < 6; i++ {
		e.produce(record(broker.Input, 0, "k", fmt.Sprintf("v%d", i)))
		mark := fmt.Sprint("mark ", i)
		e.produce(record(broker.Input, 1, "k", mark))
		for _, rec := range e.until(r, mark) {
			require.Equal(e, int32(1), rec.Partition)
		}
	}
	r.Resume(broker.Input, 0)
	require.Equal(e, []string{"v1", "v2", "v3", "v4", "v5"}, values(e.until(r, "v5")))
	r.Pause(broker.Input, 0)
	r.Add(broker.Input, 0, 0) // an Add starts anew: not paused
	require.Equal(e, []string{"v0", "v1", "v2", "v3", "v4", "v5"}, values(e.until(r, "v5")))
}

func addedAgain(e *env) {
	const n = 400
	offsets := e.produce(numbered(broker.Input, 0, 0, n)...)
	r := e.reader(broker.ReaderOptions{MaxPartitionBytes: 1024, MaxBufferedBytes: 4096})
	defer r.Close()
	for i := range 30 {
		from := (i * 131) % n
		r.Add(broker.Input, 0, offsets[from])
		for got := 0; got < min(n-from, 1+i%7*20); {
			for _, f := range e.poll(r) {
				require.NoError(e, f.Err)
				for _, rec := range f.Records {
					require.Equal(e, offsets[from+got], rec.Offset, "the next one from where the last Add said")
					got++
				}
			}
		}
	}
}

// addWhilePolling moves one partition about from another goroutine. Each Poll's records must follow on each other; a fetch
// may at most belong to the Add before the one that is just being made.
func addWhilePolling(e *env) {
	const n, adds = 200, 60
	offsets := e.produce(numbered(broker.Input, 0, 0, n)...)
	r := e.reader(broker.ReaderOptions{})
	defer r.Close()
	r.Add(broker.Input, 0, offsets[0])
	ctx, cancel := context.WithCancel(e.ctx)
	var polling sync.WaitGroup
	polling.Go(func() {
		for {
			fetches, err := r.Poll(ctx)
			if err != nil {
				return
			}
			for _, f := range fetches {
				if f.Err != nil {
					e.Errorf("polling: %v", f.Err)
				}
				for i := 1; i < len(f.Records); i++ {
					if f.Records[i].Offset <= f.Records[i-1].Offset {
						e.Errorf("offset %d after %d in one fetch", f.Records[i].Offset, f.Records[i-1].Offset)
					}
				}
			}
		}
	})
	for i := range adds {
		r.Add(broker.Input, 0, offsets[(i*37)%n])
		r.Pause(broker.Input, 0)
		r.Resume(broker.Input, 0)
		if i%5 == 0 {
			r.Remove(broker.Input, 0)
		}
	}
	cancel()
	polling.Wait()
	r.Add(broker.Input, 0, offsets[n-2])
	got := e.take(r, 2)
	require.Equal(e, values(numbered(broker.Input, 0, n-2, 2)), values(got))
}

func twoReaders(e *env) {
	e.produce(numbered(broker.Input, 0, 0, 50)...)
	a, b := e.reader(broker.ReaderOptions{}), e.reader(broker.ReaderOptions{})
	defer b.Close()
	a.Add(broker.Input, 0, 0)
	b.Add(broker.Input, 0, 0)
	got := e.take(a, 50)
	require.Len(e, got, 50)
	a.Close()
	a.Close()
	got = e.take(b, 50)
	require.Equal(e, values(numbered(broker.Input, 0, 0, 50)), values(got))
}

func recordsStay(e *env) {
	const n = 200
	offset := e.produce(numbered(broker.Input, 0, 0, n)...)[0]
	first := e.read(broker.Input, 0, offset, n)
	for i := range 10 {
		e.produce(numbered(broker.Input, 0, n+100*i, 100)...)
		e.read(broker.Input, 0, offset, n+100*(i+1))
	}
	require.Equal(e, values(numbered(broker.Input, 0, 0, n)), values(first))
}

func readCompacted(e *env) {
	state := map[string]string{}
	var last int64
	for i := range 40 {
		key, value := fmt.Sprint("fence-", i%9), fmt.Sprint("v", i)
		rec := record(broker.Fences, 0, key, value)
		state[key] = value
		if i%4 == 3 {
			rec.Value = nil
			delete(state, key)
		}
		last = e.produce(rec)[0]
	}
	e.reopen()
	earliest, end, err := e.log.Bounds(e.ctx, broker.Fences, 0)
	require.NoError(e, err)
	require.Greater(e, end, last)
	r := e.reader(broker.ReaderOptions{})
	defer r.Close()
	got, at := map[string]string{}, int64(-1)
	r.Add(broker.Fences, 0, earliest)
	for next := int64(0); next <= last; {
		for _, f := range e.poll(r) {
			require.NoError(e, f.Err)
			next = f.Next
			for _, rec := range f.Records {
				require.Greater(e, rec.Offset, at)
				at = rec.Offset
				if rec.Value == nil {
					delete(got, string(rec.Key))
				} else {
					got[string(rec.Key)] = string(rec.Value)
				}
			}
		}
	}
	require.Equal(e, state, got)
	// A reader that is at the end sees each change, tombstones too.
	e.produce(record(broker.Fences, 0, "fence-0", "new"), broker.Record{Stream: broker.Fences, Key: []byte("fence-1")})
	tail := e.take(r, 2)
	require.Equal(e, []string{"new", ""}, values(tail))
	require.Nil(e, tail[1].Value)
}
