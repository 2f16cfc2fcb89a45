//go:build unix

package load

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/actors"
	"github.com/trackmesh/trackmesh/live"
	"github.com/trackmesh/trackmesh/test/usage"
)

// BenchmarkMemory keeps tracks alive, each with a path, attributes and two fences, as a node does: through the actors and with the live
// index. "awake" is right after the last record, when no actor is idle yet, "resident" when those that are idle for some seconds are
// stopped, as they are in a node with more than 100,000; both less what the fleet that sends takes. Run it with GOMEMLIMIT, one sub-benchmark
// a process:
//
//	GOMEMLIMIT=1900MiB go test -run '^$' -bench 'Memory/1M' -benchtime 1x -timeout 30m ./test/load
func BenchmarkMemory(b *testing.B) {
	for _, c := range []struct {
		name            string
		vehicles, steps int
	}{
		{"1M tracks of 20 fixes", 1_000_000, 20},
		{"100k tracks of 20 fixes", 100_000, 20},
		{"20k tracks of 256 fixes", 20_000, 256},
	} {
		b.Run(c.name, func(b *testing.B) {
			vehicles := c.vehicles
			if testing.Short() {
				vehicles /= 1000
			}
			memory(b, vehicles, c.steps)
		})
	}
}

// idleWait is longer than a crowded node keeps actors without messages.
const idleWait = 8 * time.Second

func memory(b *testing.B, vehicles, steps int) {
	fleet := NewFleet(vehicles)
	fleet.Attributes = true
	log := NewMemoryLog(fleet, 8, steps)
	fences := SetOf(Everywhere(2))
	harness := heapInUse()
	for b.Loop() {
		path, err := Start(log, fences, actors.HistoryOff)
		require.NoError(b, err)
		Measure(b.Context(), path.Handled, 0, log.Records(), func() time.Duration { return 0 })
		awake := usage.Resident() - int64(harness)
		awaitShown(b, path.Fleet, vehicles)
		held := heapInUse() - harness
		<-time.After(idleWait)
		idle := heapInUse() - harness
		resident := usage.Resident() - int64(harness)
		require.NoError(b, path.Stop(context.Background()))
		b.ReportMetric(float64(resident)/(1<<20), "resident-MiB")
		b.ReportMetric(float64(awake)/(1<<20), "awake-resident-MiB")
		b.ReportMetric(float64(held)/float64(vehicles), "awake-heap-B/track")
		b.ReportMetric(float64(idle)/float64(vehicles), "heap-B/track")
	}
}

func heapInUse() uint64 {
	runtime.GC()
	runtime.GC() // what the first one finalised
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// awaitShown waits until the live index has every track.
func awaitShown(b *testing.B, fleet *live.Fleet, vehicles int) {
	b.Helper()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for b.Context().Err() == nil {
		if counts, _ := fleet.Counts(); counts.Total >= vehicles {
			return
		}
		<-ticker.C
	}
}
