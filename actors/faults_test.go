package actors

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/broker"
	trackmeshv1 "github.com/trackmesh/trackmesh/messages/trackmesh/v1"
	"github.com/trackmesh/trackmesh/track"
)

func TestManyIngestClientsDoNotMakeTheCheckpointTooLarge(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	limit := b.log.Layout().MaxRecordBytes
	records := make([]broker.Record, limit/128+100)
	for i := range records {
		id := fmt.Sprintf("%0128d", i)
		records[i] = broker.Record{Stream: broker.Input, Value: []byte(at("v1", 0)), Headers: []broker.Header{
			{Key: HeaderProducer, Value: []byte(id)}, {Key: HeaderSequence, Value: []byte("1")},
		}}
	}
	b.append(records...)
	b.append(broker.Record{Stream: broker.Input, Value: []byte(at("v1", 10)), Headers: records[len(records)-1].Headers})
	b.committed(int64(len(records) + 1))
	require.Len(t, b.values(broker.Enriched), 1, "the newest client is still known")
}

func TestAProducerThatIsTooLongIsNotRemembered(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	long := []byte(strings.Repeat("p", 600_000))
	for i := range 2 {
		b.append(broker.Record{Stream: broker.Input, Value: []byte(at("v1", i)), Headers: []broker.Header{
			{Key: HeaderProducer, Value: append(long, byte('0'+i))}, {Key: HeaderSequence, Value: []byte("1")},
		}})
	}
	b.committed(2)
}

func TestACommandThatCannotBeRememberedIsADeadLetterOfTheCommands(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	cmd := &trackmeshv1.Command{Vehicle: "v1", IdempotencyKey: strings.Repeat("k", 40_000)}
	value, err := cmd.MarshalVT()
	require.NoError(t, err)
	b.append(broker.Record{Stream: broker.Commands, Value: value})
	b.produce(at("v1", 0))
	b.committed(1)
	require.Eventually(t, func() bool { return len(b.read(broker.Dead)) == 1 }, 20*time.Second, 10*time.Millisecond)
	topic, _ := b.read(broker.Dead)[0].Header("source_topic")
	require.Equal(t, "positions.commands", string(topic))
}

func TestAPanicThatEscapesFromATrackReloadsThePartition(t *testing.T) {
	t.Parallel()
	var once sync.Once
	b := newBench(t, func(o *Options) {
		o.Logger = slog.New(panickingHandler{})
		o.BeforeObserve = func(*track.Fix) { once.Do(func() { panic("poison") }) }
	})
	b.produce(at("v1", 0))
	b.committed(1)
	require.Len(t, b.read(broker.Enriched), 1, "the reloaded partition has handled it")
	require.Empty(t, b.read(broker.Dead), "nothing of the life that broke was committed")
}

// panickingHandler breaks where a track's panic is handled.
type panickingHandler struct{}

func (panickingHandler) Enabled(context.Context, slog.Level) bool { return true }
func (h panickingHandler) WithAttrs([]slog.Attr) slog.Handler     { return h }
func (h panickingHandler) WithGroup(string) slog.Handler          { return h }

func (panickingHandler) Handle(_ context.Context, r slog.Record) error {
	if strings.HasPrefix(r.Message, "track panicked") {
		panic("the log is broken")
	}
	return nil
}

// slowLog holds commits back until it is told to let them go.
type slowLog struct {
	broker.Log
	claims chan struct{} // one for each claim
	hold   chan struct{} // closed: commits go through
	begun  chan struct{} // one for each commit that is held
}

type slowClaim struct {
	broker.Claim
	log *slowLog
}

func (l *slowLog) Claim(ctx context.Context, p int32, node string) (broker.Claim, error) {
	c, err := l.Log.Claim(ctx, p, node)
	l.claims <- struct{}{}
	return &slowClaim{c, l}, err
}

func (c *slowClaim) Commit(ctx context.Context, records []broker.Record) error {
	if len(records) > 1 {
		c.log.begun <- struct{}{}
		<-c.log.hold
	}
	return c.Claim.Commit(ctx, records)
}

func TestALifeBeginsWhenTheOneBeforeItIsOver(t *testing.T) {
	t.Parallel()
	slow := &slowLog{claims: make(chan struct{}, 10), hold: make(chan struct{}), begun: make(chan struct{}, 100)}
	b := newBench(t, func(o *Options) { o.Log = slow })
	release := sync.OnceFunc(func() { close(slow.hold) })
	t.Cleanup(release)
	<-slow.claims
	b.produce(at("v1", 0))
	<-slow.begun
	now, cancel := context.WithCancel(context.Background())
	cancel()
	require.Error(t, b.host.Stop(now, 0), "its commit is under way")
	b.host.Start(0)
	select {
	case <-slow.claims:
		t.Fatal("two lives of one partition at once")
	case <-time.After(300 * time.Millisecond):
	}
	release()
	<-slow.claims
	b.committed(1)
	require.NotNil(t, b.fleet.Partition(0), "the old life did not take the new one's index away")
	require.Len(t, b.read(broker.Enriched), 1)
}

func TestCloseWaitsForPartitionsThatAreStillStopping(t *testing.T) {
	t.Parallel()
	slow := &slowLog{claims: make(chan struct{}, 10), hold: make(chan struct{}), begun: make(chan struct{}, 100)}
	b := newBench(t, func(o *Options) { o.Log = slow })
	b.produce(at("v1", 0))
	<-slow.begun
	b.host.mu.Lock()
	r := b.host.runners[0]
	b.host.mu.Unlock()
	now, cancel := context.WithCancel(context.Background())
	cancel()
	time.AfterFunc(100*time.Millisecond, func() { close(slow.hold) })
	require.Error(t, b.host.Close(now))
	select {
	case <-r.done:
	default:
		t.Fatal("a claim outlives its host: the log may be closed under it")
	}
}

func TestWaitingForFencesEndsWhenThePartitionThatIsBehindLeaves(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.committed(0)
	waited := make(chan error, 1)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	go func() { waited <- b.host.AwaitFences(ctx, 1000) }()
	require.Eventually(t, func() bool {
		b.host.fencesMoved.mu.Lock()
		defer b.host.fencesMoved.mu.Unlock()
		return b.host.fencesMoved.ch != nil
	}, 10*time.Second, time.Millisecond)
	require.NoError(t, b.host.Stop(context.Background(), 0))
	require.NoError(t, <-waited)
}

// committed waits until the partition has committed the input up to an offset.
func (b *bench) committed(next int64) {
	b.t.Helper()
	require.Eventually(b.t, func() bool {
		s := b.host.Status()
		return len(s) == 1 && s[0].State == "running" && s[0].Committed >= next
	}, 10*time.Second, 5*time.Millisecond, "nothing was committed")
}

func TestAFenceWithAHugeNameStopsNoPartition(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	name := strings.Repeat("x", b.log.Layout().MaxRecordBytes-300)
	huge := strings.Replace(square, `"name":"Yard"`, `"name":"`+name+`"`, 1)
	b.append(broker.Record{Stream: broker.Fences, Key: []byte("yard"), Value: []byte(huge)})
	require.NoError(t, b.board.Await(context.Background(), 0))
	b.produce(at("v1", 0), at("v1", 10), at("v1", 20))
	b.committed(3)
}
