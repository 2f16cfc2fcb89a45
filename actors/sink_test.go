package actors

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/sinks"
)

// gatedPump says which partitions it takes in, and holds each up until it may.
type gatedPump struct {
	adding chan int32
	may    chan struct{}
}

func (p *gatedPump) Start(context.Context) error { return nil }
func (p *gatedPump) Stop(context.Context) error  { return nil }
func (p *gatedPump) Add(partitions ...int32) {
	p.adding <- partitions[0]
	<-p.may
}
func (p *gatedPump) Remove(context.Context, ...int32) error { return nil }
func (p *gatedPump) Lags() []sinks.Lag                      { return nil }

func TestAPartitionThatComesWhileTheSinkStopsDoesNotHoldItUp(t *testing.T) {
	t.Parallel()
	system := actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }))
	t.Cleanup(func() { system.Shutdown() })
	pump := &gatedPump{adding: make(chan int32, 2), may: make(chan struct{})}
	sink := &Sink{host: &Host{opts: Options{System: system}}, pump: pump, name: "gated"}
	sink.pid = system.Root.Spawn(actor.PropsFromProducer(func() actor.Actor { return &sinkActor{sink: sink} }))
	system.Root.Send(sink.pid, sinkOwns{partition: 0})
	require.EqualValues(t, 0, <-pump.adding)
	stopped := system.Root.StopFuture(sink.pid)
	system.Root.Send(sink.pid, sinkOwns{partition: 1}) // its actor waits for its child, which waits for the gate, and handles what comes
	_, err := system.Root.RequestFuture(sink.pid, &actor.Touch{}, 10*time.Second).Result()
	require.NoError(t, err)
	close(pump.may)
	require.NoError(t, stopped.Wait())
}
