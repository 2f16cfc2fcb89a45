package actors

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/broker"
)

// brokenReader fails every poll at once.
type brokenReader struct {
	broker.Reader
	polls int
	added []broker.Stream
}

func (r *brokenReader) Add(s broker.Stream, _ int32, _ int64) { r.added = append(r.added, s) }

func (r *brokenReader) Poll(context.Context) ([]broker.Fetch, error) {
	r.polls++
	return nil, errors.New("odd")
}

func TestAReaderThatFailsIsAskedAgainWithBackOffAndTakesFeedsMeanwhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		reader := &brokenReader{}
		p := newPump(reader, nil, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		go p.run(ctx)
		time.Sleep(time.Minute) //nolint:forbidigo // the bubble's clock
		synctest.Wait()
		require.Greater(t, reader.polls, 5)
		require.Less(t, reader.polls, 60)
		began := time.Now()
		require.NoError(t, p.add(ctx, &feed{partition: 0}, 1, 2))
		require.Less(t, time.Since(began), 100*time.Millisecond, "a feed need not wait for the pause to end")
		require.Equal(t, []broker.Stream{broker.Input, broker.Commands}, reader.added)
		cancel()
		<-p.done
	})
}
