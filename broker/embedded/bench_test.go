package embedded

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/broker"
)

// fixture makes records like those of the demo.
type fixture struct {
	rng      *rand.Rand
	vehicles int
}

func newFixture(vehicles int) *fixture {
	return &fixture{rand.New(rand.NewPCG(1, 2)), vehicles}
}

func (f *fixture) input(p int32, i int) broker.Record {
	v := fmt.Sprintf("taxi-%05d", f.rng.IntN(f.vehicles)*8+int(p))
	return broker.Record{Stream: broker.Input, Partition: p, Key: []byte(v), Value: fmt.Appendf(nil,
		`{"vehicle":"%s","time":"2026-11-24T10:%02d:%02d.%03dZ","longitude":-73.%06d,"latitude":40.%06d,"speed":%d.%d}`,
		v, i/60%60, i%60, f.rng.IntN(1000), f.rng.IntN(1e6), f.rng.IntN(1e6), f.rng.IntN(20), f.rng.IntN(10))}
}

func (f *fixture) document(p int32, i int) broker.Record {
	v := fmt.Sprintf("taxi-%05d", f.rng.IntN(f.vehicles)*8+int(p))
	return broker.Record{Stream: broker.Enriched, Partition: p, Key: []byte(v), Value: fmt.Appendf(nil,
		`{"@timestamp":"2026-11-24T10:%02d:%02d.%03dZ","vehicle":"%s","location":[-73.%06d,40.%06d],"geohash":"dr5ru%07d","speed_mps":%d.%d,`+
			`"heading_degrees":%d.5,"distance_metres":%d.25,"odometer_metres":%d.75,"status":"moving","flags":[],"fences":["manhattan"],"attributes":{},`+
			`"source":{"topic":"positions","partition":%d,"offset":%d},"ingested_at":"2026-11-24T10:%02d:%02d.%03dZ","lag_ms":%d}`,
		i/60%60, i%60, f.rng.IntN(1000), v, f.rng.IntN(1e6), f.rng.IntN(1e6), f.rng.IntN(1e7), f.rng.IntN(20), f.rng.IntN(10),
		f.rng.IntN(360), f.rng.IntN(60), f.rng.IntN(1e6), p, i, i/60%60, i%60, f.rng.IntN(1000), f.rng.IntN(900))}
}

func (f *fixture) snapshot(p int32) broker.Record {
	b := make([]byte, 200)
	for i := range 60 { // some of a snapshot is numbers, some repeats
		b[i*3] = byte(f.rng.Uint32())
	}
	return broker.Record{Stream: broker.State, Partition: p, Key: fmt.Appendf(nil, "taxi-%05d", f.rng.IntN(f.vehicles)*8+int(p)), Value: b}
}

func (f *fixture) event(p int32, i int) broker.Record {
	r := f.document(p, i)
	r.Stream = broker.Events
	return r
}

func many(n int, f func(i int) broker.Record) []broker.Record {
	out := make([]broker.Record, n)
	for i := range out {
		out[i] = f(i)
	}
	return out
}

func benchLog(b *testing.B) *Log {
	b.Helper()
	opts := options(b.TempDir())
	opts.Partitions = 8
	return open(b, opts)
}

func rate(b *testing.B, records int) {
	b.Helper()
	b.ReportMetric(float64(records)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
	b.ReportMetric(b.Elapsed().Seconds()*1e6/float64(records)/float64(b.N), "us/record")
}

// BenchmarkProduce appends positions of 120 B from one producer.
func BenchmarkProduce(b *testing.B) {
	for _, n := range []int{1, 100, 1000, 10_000} {
		b.Run(fmt.Sprintf("records=%d", n), func(b *testing.B) {
			l, f := benchLog(b), newFixture(250)
			records := many(n, func(i int) broker.Record { return f.input(int32(i%8), i) })
			b.ReportAllocs()
			for b.Loop() {
				_, err := l.Produce(b.Context(), records)
				require.NoError(b, err)
			}
			rate(b, n)
		})
	}
}

// BenchmarkPipeline is what a node does with each record, at 8 partitions side by side: produce it, commit what it made.
// history=off commits a snapshot of every vehicle that moved and a few events; history=on a document per record as well.
func BenchmarkPipeline(b *testing.B) {
	for _, c := range []struct {
		history  bool
		vehicles int
	}{{false, 250}, {false, 1250}, {true, 250}, {true, 1250}} {
		b.Run(fmt.Sprintf("history=%t/vehicles=%d", c.history, 8*c.vehicles), func(b *testing.B) {
			pipeline(b, c.vehicles, c.history)
		})
	}
}

func pipeline(b *testing.B, vehicles int, history bool) {
	b.Helper()
	const perCommit = 2000
	l := benchLog(b)
	claims := make([]broker.Claim, 8)
	inputs, outputs := make([][]broker.Record, 8), make([][]broker.Record, 8)
	for p := range claims {
		f := newFixture(vehicles)
		c, err := l.Claim(b.Context(), int32(p), "bench")
		require.NoError(b, err)
		require.NoError(b, c.Restore(b.Context(), func(*broker.Record) error { return nil }))
		claims[p] = c
		inputs[p] = many(perCommit, func(i int) broker.Record { return f.input(int32(p), i) })
		outputs[p] = append(many(min(vehicles, perCommit), func(int) broker.Record { return f.snapshot(int32(p)) }),
			many(perCommit/100, func(i int) broker.Record { return f.event(int32(p), i) })...)
		if history {
			outputs[p] = append(outputs[p], many(perCommit, func(i int) broker.Record { return f.document(int32(p), i) })...)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		var all sync.WaitGroup
		for p := range claims {
			all.Go(func() {
				_, err := l.Produce(b.Context(), inputs[p])
				if err == nil {
					err = claims[p].Commit(b.Context(), outputs[p])
				}
				if err != nil {
					b.Error(err)
				}
			})
		}
		all.Wait()
	}
	rate(b, 8*perCommit)
	r := l.usage()
	b.ReportMetric(float64(r.size-r.free)/float64(b.N)/8/perCommit, "file_B/record")
}

// BenchmarkCommit is one partition's commit of the demo: 25 documents, 25 snapshots, an event.
func BenchmarkCommit(b *testing.B) {
	for _, partitions := range []int{1, 8} {
		b.Run(fmt.Sprintf("partitions=%d", partitions), func(b *testing.B) {
			l, f := benchLog(b), newFixture(250)
			claims := make([]broker.Claim, partitions)
			for p := range claims {
				c, err := l.Claim(b.Context(), int32(p), "bench")
				require.NoError(b, err)
				require.NoError(b, c.Restore(b.Context(), func(*broker.Record) error { return nil }))
				claims[p] = c
			}
			batch := func(p int32) []broker.Record {
				return append(append(many(25, func(i int) broker.Record { return f.document(p, i) }),
					many(25, func(int) broker.Record { return f.snapshot(p) })...), f.event(p, 1))
			}
			batches := make([][]broker.Record, partitions)
			for p := range batches {
				batches[p] = batch(int32(p))
			}
			b.ReportAllocs()
			for b.Loop() {
				var all sync.WaitGroup
				for p, c := range claims {
					all.Go(func() {
						if err := c.Commit(b.Context(), batches[p]); err != nil {
							b.Error(err)
						}
					})
				}
				all.Wait()
			}
			b.ReportMetric(float64(partitions)*float64(b.N)/b.Elapsed().Seconds(), "commits/s")
		})
	}
}

// BenchmarkRead polls documents of 8 partitions.
func BenchmarkRead(b *testing.B) {
	const n, batch = 160_000, 400
	l, f := benchLog(b), newFixture(250)
	for i := 0; i < n; i += batch {
		_, err := l.Produce(b.Context(), many(batch, func(j int) broker.Record { return f.document(int32(j%8), i+j) }))
		require.NoError(b, err)
	}
	b.ReportAllocs()
	for b.Loop() {
		r, err := l.NewReader(broker.ReaderOptions{Name: "bench"})
		require.NoError(b, err)
		for p := range int32(8) {
			r.Add(broker.Enriched, p, 0)
		}
		for got := 0; got < n; {
			fetches, err := r.Poll(b.Context())
			require.NoError(b, err)
			for _, f := range fetches {
				require.NoError(b, f.Err)
				got += len(f.Records)
			}
		}
		r.Close()
	}
	rate(b, n)
}

// BenchmarkRestore reads the state of 125,000 vehicles back.
func BenchmarkRestore(b *testing.B) {
	const n = 125_000
	l := benchLog(b)
	f := newFixture(n)
	records := make([]broker.Record, n)
	for i := range records {
		records[i] = f.snapshot(0)
		records[i].Key = fmt.Appendf(nil, "taxi-%06d", i)
	}
	_, err := l.Produce(b.Context(), records)
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		c, err := l.Claim(b.Context(), 0, "bench")
		require.NoError(b, err)
		got := 0
		require.NoError(b, c.Restore(b.Context(), func(*broker.Record) error { got++; return nil }))
		require.Equal(b, n, got)
		c.Close()
	}
	rate(b, n)
}

// BenchmarkCommitWhenFull is a round of the demo's commits (8 partitions, 25 documents each) in a log that is at its bound,
// where each transaction also deletes.
func BenchmarkCommitWhenFull(b *testing.B) {
	for _, bound := range []int64{64 << 20, 512 << 20} {
		if testing.Short() && bound > 64<<20 {
			continue // filling it takes 10 s
		}
		b.Run(fmt.Sprintf("bound=%dMiB", bound>>20), func(b *testing.B) {
			opts := options(b.TempDir())
			opts.Partitions, opts.RetentionBytes = 8, bound
			l := open(b, opts)
			claims, batches := make([]broker.Claim, 8), make([][]broker.Record, 8)
			for p := range claims {
				f := newFixture(250)
				c, err := l.Claim(b.Context(), int32(p), "bench")
				require.NoError(b, err)
				require.NoError(b, c.Restore(b.Context(), func(*broker.Record) error { return nil }))
				claims[p] = c
				batches[p] = append(many(25, func(i int) broker.Record { return f.document(int32(p), i) }),
					many(25, func(int) broker.Record { return f.snapshot(int32(p)) })...)
			}
			round := func() {
				var group sync.WaitGroup
				for p, c := range claims {
					group.Go(func() {
						if err := c.Commit(b.Context(), batches[p]); err != nil {
							b.Error(err)
						}
					})
				}
				group.Wait()
			}
			l.db.NoSync = true // the writer rests
			for full := false; !full; {
				round()
				earliest, _, err := l.Bounds(b.Context(), broker.Enriched, 0)
				require.NoError(b, err)
				full = earliest > 0
			}
			_, filled, err := l.Bounds(b.Context(), broker.Enriched, 0)
			require.NoError(b, err)
			l.db.NoSync = false
			b.ReportAllocs()
			for b.Loop() {
				round()
			}
			info, err := l.file.Stat()
			require.NoError(b, err)
			r := l.usage()
			b.ReportMetric(float64(info.Size())/float64(bound), "file/bound")
			b.ReportMetric(float64(r.free)/float64(r.size), "free/file")
			b.ReportMetric(float64(r.size-r.free)/float64(filled)/8, "file_B/record")
		})
	}
}

// BenchmarkFenceImport writes fences of 1.5 KB under random ids into a log that has some, 500 a call.
func BenchmarkFenceImport(b *testing.B) {
	const each = 500
	l, rng := benchLog(b), rand.New(rand.NewPCG(1, 2))
	shape := func() []byte {
		out := []byte(`{"type":"Feature","geometry":{"type":"Polygon","coordinates":[[`)
		for range 64 {
			out = fmt.Appendf(out, "[-73.%06d,40.%06d],", rng.IntN(1e6), rng.IntN(1e6))
		}
		return append(out, "]]}}"...)
	}
	batch := func() []broker.Record {
		return many(each, func(int) broker.Record {
			return broker.Record{Stream: broker.Fences, Key: fmt.Appendf(nil, "fence-%x", rng.Uint64()), Value: shape()}
		})
	}
	for range 40 {
		_, err := l.Produce(b.Context(), batch())
		require.NoError(b, err)
	}
	records := batch()
	b.ReportAllocs()
	for b.Loop() {
		for i := range records {
			records[i].Key = fmt.Appendf(records[i].Key[:0], "fence-%x", rng.Uint64())
		}
		_, err := l.Produce(b.Context(), records)
		require.NoError(b, err)
	}
	rate(b, each)
}

// BenchmarkOpen opens a log of 160,000 documents and 100,000 vehicles.
func BenchmarkOpen(b *testing.B) {
	opts := options(b.TempDir())
	opts.RetentionAge = time.Hour
	l, err := Open(b.Context(), opts)
	require.NoError(b, err)
	f := newFixture(250)
	for i := range 400 {
		_, err := l.Produce(b.Context(), many(400, func(j int) broker.Record { return f.document(int32(j%4), i+j) }))
		require.NoError(b, err)
	}
	_, err = l.Produce(b.Context(), many(100_000, func(i int) broker.Record {
		r := f.snapshot(int32(i % 4))
		r.Key = fmt.Appendf(nil, "taxi-%06d", i)
		return r
	}))
	require.NoError(b, err)
	require.NoError(b, l.Close())
	for b.Loop() {
		l, err := Open(b.Context(), opts)
		require.NoError(b, err)
		require.NoError(b, l.Close())
	}
}
