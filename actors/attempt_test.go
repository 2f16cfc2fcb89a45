package actors

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/broker"
)

// breaks makes an operation on v1 panic, for ever or so many times, and counts how often it did.
type breaks struct {
	operation string
	times     int64 // 0: always
	happened  atomic.Int64
}

func (k *breaks) before(operation, vehicle string) {
	if operation == k.operation && vehicle == "v1" && (k.times == 0 || k.happened.Load() < k.times) {
		k.happened.Add(1)
		panic("a bug in " + operation)
	}
}

func brokenBench(t *testing.T, k *breaks) *bench {
	t.Helper()
	return newBench(t, func(o *Options) { o.BeforeOperation = k.before })
}

// undisturbed requires that the partition never stopped.
func (b *bench) undisturbed() {
	b.t.Helper()
	require.EqualValues(b.t, 1, b.host.Status()[0].Term, "the partition was claimed again")
	stops := make(chan prometheus.Metric, 10)
	b.host.metrics.stopped.Collect(stops)
	require.Empty(b.t, stops, "the partition stopped")
}

func counted(c prometheus.Metric) int {
	m := &dto.Metric{}
	if c.Write(m) != nil {
		return -1
	}
	return int(m.GetCounter().GetValue())
}

func TestAPanicInATimerCostsThatTimerAndNoReload(t *testing.T) {
	t.Parallel()
	k := &breaks{operation: "tick"}
	b := brokenBench(t, k)
	b.produce(at("v1", 0), at("v3", 0), at("v2", 0), at("v2", 400)) // the clock goes on past everybody's gap
	b.committed(4)
	require.Eventually(t, func() bool { return len(b.values(broker.Events)) == 3 }, 10*time.Second, 5*time.Millisecond,
		"the gaps of v2 and v3 are told")
	b.produce(at("v2", 401), at("v2", 402))
	b.committed(6)
	b.undisturbed()
	require.EqualValues(t, 1, k.happened.Load(), "the timer waits for something to happen to its track")
	require.Equal(t, 1, counted(b.host.metrics.panics.WithLabelValues("tick")))
	b.produce(at("v1", 410))
	b.committed(7)
	b.undisturbed()
	var of1 int
	for _, e := range b.read(broker.Events) {
		if string(e.Key) == "v1" {
			of1++
		}
	}
	require.Equal(t, 2, of1, "the next fix made up for the gap: started and ended")
	require.Empty(t, b.read(broker.Dead))
}

func TestAPanicOverEditedFencesCostsThatTrackItsEditAndNoReload(t *testing.T) {
	t.Parallel()
	k := &breaks{operation: "fences"}
	b := brokenBench(t, k)
	b.produce(at("v1", 30), at("v2", 30))
	b.committed(2)
	_, err := b.board.Put(context.Background(), "yard", []byte(square), nil)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return len(b.read(broker.Events)) == 1 }, 10*time.Second, 5*time.Millisecond)
	require.Equal(t, "v2", string(b.read(broker.Events)[0].Key))
	b.produce(at("v1", 31), at("v2", 31))
	b.committed(4)
	require.Eventually(t, func() bool { return len(b.read(broker.Events)) == 2 }, 10*time.Second, 5*time.Millisecond, "the next fix enters")
	require.Equal(t, "v1", string(b.read(broker.Events)[1].Key))
	b.undisturbed()
	require.EqualValues(t, 1, k.happened.Load())
}

func TestAPanicInASnapshotKeepsTheOneBefore(t *testing.T) {
	t.Parallel()
	k := &breaks{operation: "snapshot", times: 1}
	b := brokenBench(t, k)
	b.produce(at("v1", 0), at("v2", 0))
	b.committed(2)
	b.undisturbed()
	require.Equal(t, 1, counted(b.host.metrics.panics.WithLabelValues("snapshot")))
	b.produce(at("v1", 10))
	b.settled(3)
	b.produce(at("v1", 20))
	b.settled(4)
	require.Contains(t, b.values(broker.Enriched)[3], `"odometer_metres":199`, "the later snapshot holds what the broken one would have")
}

func TestWhatCannotBeEncodedIsADeadLetterWithItsBytes(t *testing.T) {
	t.Parallel()
	b := brokenBench(t, &breaks{operation: "encode"})
	b.produce(at("v1", 0), at("v2", 0))
	b.committed(2)
	require.Len(t, b.read(broker.Enriched), 1)
	dead := b.read(broker.Dead)
	require.Len(t, dead, 1)
	require.Equal(t, at("v1", 0), string(dead[0].Value))
	for key, want := range map[string]string{"reason": "internal", "source_offset": "0", "source_topic": "positions"} {
		got, _ := dead[0].Header(key)
		require.Equal(t, want, string(got), key)
	}
	b.undisturbed()
}

func TestAPanicInAViewOrAPathAnswersAndStopsNothing(t *testing.T) {
	t.Parallel()
	for _, operation := range []string{"view", "path"} {
		t.Run(operation, func(t *testing.T) {
			t.Parallel()
			b := brokenBench(t, &breaks{operation: operation})
			b.produce(at("v1", 0), at("v2", 0))
			require.Eventually(t, func() bool { v, _ := b.fleet.Track("v2", 0); return v != nil }, 10*time.Second, 5*time.Millisecond)
			v1, _ := b.fleet.Track("v1", 0)
			require.Equal(t, operation == "view", v1 == nil)
			b.committed(2)
			_, _, _, err := b.host.Path(context.Background(), "v1", 0, 0, 2)
			if operation == "path" {
				require.ErrorIs(t, err, errPath)
			}
			b.undisturbed()
		})
	}
}

func TestAPanicWhileTimersAreRestoredStopsNothing(t *testing.T) {
	t.Parallel()
	k := &breaks{operation: "tick"}
	b := brokenBench(t, k)
	b.produce(at("v1", 0), at("v2", 0))
	b.settled(2) // starts again, over what was restored
	b.produce(at("v1", 10), at("v2", 10))
	b.committed(4)
	require.Len(t, b.read(broker.Enriched), 4)
	require.EqualValues(t, 1, k.happened.Load())
}
