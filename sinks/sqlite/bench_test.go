package sqlite

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func BenchmarkWrite(b *testing.B) {
	for _, c := range []struct{ vehicles, batch int }{{2000, 2000}, {2000, 12000}, {100_000, 12000}} {
		b.Run(fmt.Sprintf("vehicles=%d/batch=%d", c.vehicles, c.batch), func(b *testing.B) {
			s := open(b, Options{})
			const rounds = 40
			batches := fixes(0, c.vehicles, c.batch*rounds, 1_764_000_000_000, 2000)
			size := 0
			for i := range batches {
				size += len(batches[i].Body)
			}
			b.ReportAllocs()
			n, written := 0, int64(0)
			for b.Loop() {
				if n == rounds {
					b.StopTimer()
					n = 0
					for i := range batches {
						batches[i].Offset += int64(len(batches))
					}
					b.StartTimer()
				}
				_, err := s.Write(b.Context(), batches[n*c.batch:(n+1)*c.batch])
				require.NoError(b, err)
				n++
				written += int64(c.batch)
			}
			b.ReportMetric(float64(written)/b.Elapsed().Seconds(), "positions/s")
			info, err := os.Stat(s.path)
			require.NoError(b, err)
			b.ReportMetric(float64(info.Size())/float64(written), "B/position")
		})
	}
}
