package actors

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/broker"
	"github.com/trackmesh/trackmesh/fence"
	trackmeshv1 "github.com/trackmesh/trackmesh/messages/trackmesh/v1"
)

// insideYard is a record of v1 within the square.
func insideYard(second int) string {
	return fmt.Sprintf(`{"v":"v1","t":%d,"x":-73.97,"y":40.75}`, base+int64(second)*1000)
}

func TestAFencesTopicThatWasMadeAnewIsAdoptedWhenThePartitionStarts(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*trackmeshv1.Checkpoint){
		"with fewer records": func(cp *trackmeshv1.Checkpoint) { cp.FenceVersion, cp.FencesTopicId = 1000, "" },
		"of another id":      func(cp *trackmeshv1.Checkpoint) { cp.FencesTopicId = "ffffffffffffffffffffffffffffffff" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := context.Background()
			b := newBench(t, nil)
			version, err := b.board.Put(ctx, "yard", []byte(square), nil)
			require.NoError(t, err)
			require.NoError(t, b.host.AwaitFences(ctx, version))
			b.produce(insideYard(0))
			b.committed(1)
			cp := b.restored().checkpoint
			require.Equal(t, b.log.Layout().FencesID, cp.GetFencesTopicId())
			_, err = b.board.Delete(ctx, "yard", nil)
			require.NoError(t, err)
			_, err = b.board.Put(ctx, "lot", []byte(square), nil)
			require.NoError(t, err)
			change(cp)
			b.leaveCheckpoint(cp)
			b.host.Start(0)
			b.committed(1)
			events := b.eventually(3)
			require.Contains(t, events[1], `"type":"exit","cause":"fence_changed"`)
			require.Contains(t, events[1], `"yard"`)
			require.Contains(t, events[2], `"type":"enter","cause":"fence_changed"`)
			require.Contains(t, events[2], `"lot"`)
			require.Equal(t, 1, counted(b.host.metrics.fencesRemade))
			b.restart()
			b.committed(1)
			require.Len(t, b.values(broker.Events), 3, "once")
		})
	}
}

func (b *bench) eventually(events int) []string {
	b.t.Helper()
	require.Eventually(b.t, func() bool { return len(b.values(broker.Events)) == events }, 10*time.Second, 5*time.Millisecond, "%v", b.values(broker.Events))
	return b.values(broker.Events)
}

// leaveCheckpoint makes a checkpoint the last of a stopped partition.
func (b *bench) leaveCheckpoint(cp *trackmeshv1.Checkpoint) {
	b.t.Helper()
	ctx := context.Background()
	claim, err := b.log.Claim(ctx, 0, "test")
	require.NoError(b.t, err)
	defer claim.Close()
	require.NoError(b.t, claim.Restore(ctx, func(*broker.Record) error { return nil }))
	value, err := cp.MarshalVT()
	require.NoError(b.t, err)
	require.NoError(b.t, claim.Commit(ctx, []broker.Record{{Stream: broker.State, Key: []byte(broker.CheckpointKey), Value: value}}))
}

// givenSets are fence sets that a test gives.
type givenSets struct {
	set  atomic.Pointer[fence.Set]
	late bool // no version ever arrives
}

func (g *givenSets) Current() *fence.Set { return g.set.Load() }

func (g *givenSets) Await(ctx context.Context, _ int64) error {
	if !g.late {
		return nil
	}
	<-ctx.Done()
	return context.Cause(ctx)
}

func setOf(t *testing.T, id string, version int64) *fence.Set {
	t.Helper()
	f, err := fence.Parse(id, []byte(square), version)
	require.NoError(t, err)
	return fence.NewSet().Apply([]fence.Change{{ID: id, Fence: f, Version: version}})
}

func TestARunningPartitionAdoptsTheFencesOfATopicThatWasMadeAnew(t *testing.T) {
	t.Parallel()
	given := &givenSets{}
	given.set.Store(setOf(t, "yard", 10))
	b := newBench(t, func(o *Options) { o.Fences = given })
	b.produce(insideYard(0))
	b.eventually(1)
	given.set.Store(setOf(t, "lot", 3))
	events := b.eventually(3)
	require.Contains(t, events[1], `"type":"exit","cause":"fence_changed"`)
	require.Contains(t, events[2], `"type":"enter","cause":"fence_changed"`)
	require.EqualValues(t, 3, b.restored().checkpoint.GetFenceVersion())
}

func TestAPartitionThatWaitsForFencesSaysSo(t *testing.T) {
	t.Parallel()
	given := &givenSets{late: true}
	given.set.Store(fence.NewSet())
	b := newBench(t, func(o *Options) { o.Fences = given })
	require.Eventually(t, func() bool {
		s := b.host.Status()
		return len(s) == 1 && s[0].State == "recovering" && s[0].Err != ""
	}, 20*time.Second, 10*time.Millisecond)
	require.Contains(t, b.host.Status()[0].Err, "waits for the fences to be read")
}

// remadeLog is a log of fences that is made anew while it is read.
type remadeLog struct {
	broker.Log
	mu      sync.Mutex
	records []broker.Record
	broken  chan struct{} // closed: readers fail
}

func (l *remadeLog) make(ids ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.records = nil
	for i, id := range ids {
		l.records = append(l.records, broker.Record{Stream: broker.Fences, Offset: int64(i), Key: []byte(id), Value: []byte(square)})
	}
	if l.broken != nil {
		close(l.broken)
	}
	l.broken = make(chan struct{})
}

func (l *remadeLog) Bounds(context.Context, broker.Stream, int32) (earliest, end int64, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return 0, int64(len(l.records)), nil
}

func (l *remadeLog) NewReader(broker.ReaderOptions) (broker.Reader, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return &remadeReader{records: l.records, broken: l.broken}, nil
}

type remadeReader struct {
	broker.Reader
	records []broker.Record
	broken  chan struct{}
}

func (r *remadeReader) Add(broker.Stream, int32, int64) {}
func (r *remadeReader) Close()                          {}

func (r *remadeReader) Poll(ctx context.Context) ([]broker.Fetch, error) {
	if n := int64(len(r.records)); n > 0 {
		f := broker.Fetch{Stream: broker.Fences, Records: r.records, Next: n, End: n}
		r.records = nil
		return []broker.Fetch{f}, nil
	}
	select {
	case <-r.broken:
		return nil, errors.New("the topic has another id")
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func TestTheBoardShowsATopicThatWasMadeAnewThoughItsVersionsAreLower(t *testing.T) {
	t.Parallel()
	log := &remadeLog{}
	log.make("a", "b", "c", "d")
	b := NewFenceBoard(log, slog.New(slog.DiscardHandler))
	require.NoError(t, b.Start(context.Background()))
	t.Cleanup(b.Stop)
	require.Equal(t, 4, b.Current().Len())
	log.make("e", "f")
	require.Eventually(t, func() bool { return b.Current().Len() == 2 }, 10*time.Second, time.Millisecond)
	require.EqualValues(t, 1, b.Current().Version())
	require.NoError(t, b.Health())
	short, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	require.Error(t, b.Await(short, 3), "the new topic has no such version yet")
	log.make()
	require.Eventually(t, func() bool { return b.Current().Len() == 0 }, 10*time.Second, time.Millisecond)
}
