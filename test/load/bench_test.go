//go:build unix

package load

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/actors"
	"github.com/trackmesh/trackmesh/test/usage"
)

// BenchmarkLanes is the data path without a broker: decoding, tracks, fences, snapshots and commits that nobody writes. What making the
// input takes is measured by itself and left out of the CPU.
func BenchmarkLanes(b *testing.B) {
	for _, c := range []struct {
		name            string
		vehicles, steps int
		history         actors.History
	}{ // the first step makes the vehicles: it is not measured
		{"10k vehicles, history off", 10_000, 200, actors.HistoryOff},
		{"1M vehicles, history off", 1_000_000, 5, actors.HistoryOff},
		{"10k vehicles, history all", 10_000, 100, actors.HistoryAll},
	} {
		b.Run(c.name, func(b *testing.B) {
			vehicles := c.vehicles
			if testing.Short() {
				vehicles /= 100
			}
			lanes(b, NewMemoryLog(NewFleet(vehicles), 8, c.steps), c.history)
		})
	}
}

func lanes(b *testing.B, log *MemoryLog, history actors.History) {
	fences := SetOf(Polygons(1000, 64))
	making := makingInput(log)
	for b.Loop() {
		path, err := Start(log, fences, history)
		require.NoError(b, err)
		m := Measure(b.Context(), path.Handled, max(log.Records()/10, int64(log.fleet.Vehicles)), log.Records(), func() time.Duration { return 0 })
		require.NoError(b, path.Stop(context.Background()))
		b.ReportMetric(m.PerRecord(m.CPU)-making, "CPU-µs/record")
		b.ReportMetric(m.Rate(), "records/s")
	}
}

// makingInput is the CPU of making one record, in microseconds.
func makingInput(log *MemoryLog) float64 {
	start, made := usage.CPU(), 0
	for p := range log.partitions {
		for from := int64(0); from < min(log.end(p), 10*fetchRecords); {
			f := log.make(p, from)
			made += len(f.Records)
			from = f.Next
		}
	}
	return float64((usage.CPU() - start).Microseconds()) / float64(made)
}

func TestTheFleetIsSpreadOverThePartitions(t *testing.T) {
	log := NewMemoryLog(NewFleet(1000), 4, 2)
	total := int64(0)
	for p := range int32(4) {
		total += log.end(p)
		require.NotZero(t, log.end(p))
	}
	require.Equal(t, log.Records(), total)
	require.Contains(t, string(log.make(0, 0).Records[0].Value), `"vehicle":"vehicle-`)
}
