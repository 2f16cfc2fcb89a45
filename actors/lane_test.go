package actors

import (
	"log/slog"
	"sync/atomic"
	"testing"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"
)

func TestLaneRunsInTheOrderOfScheduling(t *testing.T) {
	t.Parallel()
	l := newLane()
	var got []int
	for i := range 1000 {
		l.Schedule(func() {
			got = append(got, i)
			if i == 10 {
				l.Schedule(func() { got = append(got, 1000) })
			}
		})
	}
	last := make(chan struct{})
	l.Schedule(func() { l.Schedule(func() { close(last) }) })
	<-last
	l.stop()
	require.Len(t, got, 1001)
	require.IsIncreasing(t, got[:11])
}

func TestLaneRunsAMarkerBehindTheMessagesOfItsBatch(t *testing.T) {
	t.Parallel()
	system := actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }))
	defer system.Shutdown()
	l := newLane()
	var handled atomic.Int64
	props := actor.PropsFromFunc(func(c actor.Context) {
		if _, ok := c.Message().(int); ok {
			handled.Add(1)
		}
	}, actor.WithDispatcher(l))
	pids := make([]*actor.PID, 50)
	for i := range pids {
		pids[i] = system.Root.Spawn(props)
	}
	seen := make(chan int64, 1)
	l.Schedule(func() {
		for i := range 5000 {
			system.Root.Send(pids[i%len(pids)], i)
		}
		l.Schedule(func() { seen <- handled.Load() })
	})
	require.EqualValues(t, 5000, <-seen)
	l.stop()
}

func TestLaneDropsWhatComesAfterStop(t *testing.T) {
	t.Parallel()
	l := newLane()
	l.stop()
	l.Schedule(func() { t.Error("ran after stop") })
}
