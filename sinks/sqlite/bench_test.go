//go:build unix

package sqlite

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/geo"
	"github.com/trackmesh/trackmesh/history"
	"github.com/trackmesh/trackmesh/sinks/sqlite/packed"
	"github.com/trackmesh/trackmesh/test/usage"
)

// BenchmarkWrite writes live batches (each vehicle once), batches of one that catches up, and the worst case: every fix
// begins a chunk of a vehicle that is new.
func BenchmarkWrite(b *testing.B) {
	for _, c := range []struct{ vehicles, batch int }{{2000, 2000}, {2000, 12_000}, {480_000, 12_000}} {
		b.Run(fmt.Sprintf("vehicles=%d/batch=%d", c.vehicles, c.batch), func(b *testing.B) {
			const rounds = 40
			docs := fixes(0, c.vehicles, c.batch*rounds, someDay, 2000)
			s := open(b, Options{})
			b.ReportAllocs()
			var written, bytes int64
			var cpu time.Duration
			n := 0
			for b.Loop() {
				b.StopTimer()
				if n == rounds { // the same again, as new records for a new store
					n = 0
					require.NoError(b, s.Close())
					s = open(b, Options{})
				}
				batch := docs[n*c.batch : (n+1)*c.batch]
				before := usage.CPU()
				b.StartTimer()
				_, err := s.Write(b.Context(), batch)
				b.StopTimer()
				cpu += usage.CPU() - before
				require.NoError(b, err)
				n++
				written += int64(len(batch))
				if n == rounds || written == int64(len(batch)) {
					bytes = int64(s.size()) / (int64(n) * int64(len(batch)))
				}
				b.StartTimer()
			}
			b.ReportMetric(float64(written)/b.Elapsed().Seconds(), "positions/s")
			b.ReportMetric(float64(cpu.Nanoseconds())/1e3/float64(written), "cpu-µs/position")
			b.ReportMetric(float64(bytes), "file-B/position")
		})
	}
}

func BenchmarkQuestions(b *testing.B) {
	s := open(b, Options{})
	docs := fixes(0, 2000, 400_000, someDay, 2000)
	for i := 0; i < len(docs); i += 10_000 {
		_, err := s.Write(b.Context(), docs[i:i+10_000])
		require.NoError(b, err)
	}
	start := time.UnixMilli(someDay)
	small := &geo.Box{West: -73.99, South: 40.70, East: -73.98, North: 40.71}
	for name, ask := range map[string]func() error{
		"cells of everything": func() error {
			_, err := s.Cells(b.Context(), history.CellQuery{Precision: 6})
			return err
		},
		"cells in a small box": func() error {
			_, err := s.Cells(b.Context(), history.CellQuery{Precision: 8, Box: small})
			return err
		},
		"path": func() error {
			_, err := s.Path(b.Context(), history.PathQuery{Vehicle: "taxi-0007"})
			return err
		},
		"at": func() error {
			_, err := s.At(b.Context(), history.AtQuery{At: start.Add(5 * time.Minute), MaxAge: time.Minute})
			return err
		},
		"replay of ten seconds": func() error {
			_, err := s.Replay(b.Context(), history.ReplayQuery{From: start.Add(time.Minute), To: start.Add(70 * time.Second)})
			return err
		},
		"histogram of everything": func() error {
			_, err := s.Histogram(b.Context(), time.Time{}, time.Time{}, time.Minute)
			return err
		},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				require.NoError(b, ask())
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	d := fixes(0, 1, 1, someDay, 1000)
	b.SetBytes(int64(len(d[0].Body)))
	b.ReportAllocs()
	var p packed.Position
	for b.Loop() {
		require.NoError(b, p.Parse(&d[0]))
	}
}
