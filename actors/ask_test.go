package actors

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"
)

func TestAQuestionToAnActorThatStopsIsAnsweredAtOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.committed(0)
	deaf := &address{pid: b.system.Root.Spawn(actor.PropsFromFunc(func(actor.Context) {})), gone: make(chan struct{})}
	b.host.mu.Lock()
	r := b.host.runners[0]
	b.host.mu.Unlock()
	here := r.address.Swap(deaf)
	answered := make(chan error, 2)
	go func() { answered <- b.host.AwaitApplied(context.Background(), 0, 1000) }()
	go func() { _, _, _, err := b.host.Path(context.Background(), "v1", 0, 0, 1); answered <- err }()
	close(deaf.gone)
	for range 2 {
		select {
		case err := <-answered:
			require.ErrorIs(t, err, ErrNotHere)
		case <-time.After(10 * time.Second):
			t.Fatal("nobody answers")
		}
	}
	r.address.Store(here)
}

func TestQuestionsAreAnsweredWhileThePartitionIsTakenAwayAgainAndAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.produce(at("v1", 0))
	b.committed(1)
	ctx, stop := context.WithCancel(context.Background())
	var askers sync.WaitGroup
	for range 4 {
		askers.Go(func() {
			for ctx.Err() == nil {
				if err := b.host.AwaitApplied(context.Background(), 0, 1000); !errors.Is(err, ErrNotHere) {
					t.Errorf("a command that was never sent: %v", err)
				}
				if _, _, _, err := b.host.Path(context.Background(), "v1", 0, 0, 1); err != nil && !errors.Is(err, ErrNotHere) {
					t.Errorf("the path: %v", err)
				}
			}
		})
	}
	for range 20 {
		require.NoError(t, b.host.Stop(context.Background(), 0))
		b.host.Start(0)
		b.committed(1)
	}
	require.NoError(t, b.host.Stop(context.Background(), 0))
	stop()
	askers.Wait()
}
