package actors

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/broker"
	"github.com/trackmesh/trackmesh/live"
	trackmeshv1 "github.com/trackmesh/trackmesh/messages/trackmesh/v1"
	"github.com/trackmesh/trackmesh/track"
)

const square = `{"type":"Feature","id":"yard","geometry":{"type":"Polygon","coordinates":[[[-73.97905,40.74],[-73.96,40.74],[-73.96,40.76],[-73.97905,40.76],[-73.97905,40.74]]]},"properties":{"name":"Yard"}}`

func TestRecordsBecomeDocumentsEventsAndDeadLettersOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	_, err := b.board.Put(context.Background(), "yard", []byte(square), nil)
	require.NoError(t, err)
	require.NoError(t, b.host.AwaitFences(context.Background(), b.board.Current().Version()))
	b.produce(at("v1", 0), "garbage", at("v2", 1), at("v1", 10), at("v1", 10), at("v1", 20))
	b.settled(6)

	documents := b.read(broker.Enriched)
	require.Len(t, documents, 4, "the duplicate makes nothing")
	for _, d := range documents {
		var doc struct{ Source struct{ Offset int64 } }
		require.NoError(t, json.Unmarshal(d.Value, &doc))
		id, ok := d.Header("id")
		require.True(t, ok)
		require.Equal(t, fmt.Sprintf("%s-0-%d", b.log.Layout().InputID[:8], doc.Source.Offset), string(id))
	}
	dead := b.read(broker.Dead)
	require.Len(t, dead, 1)
	require.Equal(t, "garbage", string(dead[0].Value))
	for key, want := range map[string]string{"reason": "unparsable", "source_topic": "positions", "source_partition": "0", "source_offset": "1"} {
		got, _ := dead[0].Header(key)
		require.Equal(t, want, string(got), key)
	}
	events := b.values(broker.Events)
	require.Len(t, events, 1)
	require.Contains(t, events[0], `"type":"enter"`)
	require.Contains(t, events[0], `"name":"Yard"`)
}

func TestARestartGoesOnWhereTheLastCommitEnded(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	for i := range 30 {
		b.produce(at("v1", i))
		if i%7 == 0 {
			b.restart()
		}
	}
	b.settled(30)
	documents := b.values(broker.Enriched)
	require.Len(t, documents, 30)
	for i, d := range documents {
		require.Contains(t, d, fmt.Sprintf(`"offset":%d}`, i))
	}
	require.Contains(t, documents[29], `"odometer_metres":289`, "the odometer went on over the restarts")
	require.Eventually(t, func() bool { v, _ := b.fleet.Track("v1", 0); return v != nil && v.Offset == 29 }, 10*time.Second, 5*time.Millisecond)
}

func TestAPanicInATrackCostsOneRecordAndNoState(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *Options) {
		o.BeforeObserve = func(f *track.Fix) {
			if f.Vehicle == "v1" && f.Offset == 3 {
				panic("poison")
			}
		}
	})
	b.produce(at("v1", 0), at("v2", 0), at("v1", 10), at("v1", 20), at("v1", 30), at("v2", 30), `{"v":"decoder-bug"}`, at("v2", 40))
	b.settled(8)
	dead := b.read(broker.Dead)
	require.Len(t, dead, 2)
	var reasons []string
	for _, d := range dead {
		reason, _ := d.Header("reason")
		reasons = append(reasons, string(reason))
	}
	require.ElementsMatch(t, []string{"internal", "unparsable"}, reasons)
	var odometer []string
	for _, d := range b.values(broker.Enriched) {
		if strings.Contains(d, `"v1"`) {
			odometer = append(odometer, d)
		}
	}
	require.Len(t, odometer, 3)
	require.Contains(t, odometer[2], `"distance_metres":199`, "the track goes on from the fix before the poison")
}

func TestARepeatedIngestRequestMakesNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	line := func(sequence string, second int) broker.Record {
		return broker.Record{Stream: broker.Input, Value: []byte(at("v1", second)), Headers: []broker.Header{
			{Key: HeaderProducer, Value: []byte("p")}, {Key: HeaderSequence, Value: []byte(sequence)},
		}}
	}
	b.append(line("1", 0), line("2", 10))
	b.settled(2)
	b.append(line("1", 0), line("2", 10), line("3", 20))
	b.settled(5)
	require.Len(t, b.values(broker.Enriched), 3)
}

func TestATooLargeDocumentBecomesATruncatedDeadLetter(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	limit := b.log.Layout().MaxRecordBytes
	big := strings.Repeat("x", limit-600)
	b.produce(fmt.Sprintf(`{"v":"v1","t":%d,"x":1,"y":1,"attributes":{"a":%q}}`, int64(base), big), at("v2", 0))
	b.settled(2)
	require.Len(t, b.values(broker.Enriched), 1)
	dead := b.read(broker.Dead)
	require.Len(t, dead, 1)
	reason, _ := dead[0].Header("reason")
	require.Equal(t, "too_large", string(reason))
	require.LessOrEqual(t, len(dead[0].Value), keptOfTooLarge)
	full, _ := dead[0].Header("full_bytes")
	require.NotEmpty(t, string(full))
}

func TestAMessageToATrackIsAppliedOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.produce(at("v1", 0), at("v1", 10))
	b.settled(2)
	ctx := context.Background()
	command := &trackmeshv1.Command{Vehicle: "v1", IdempotencyKey: "k1", Body: &trackmeshv1.Command_Annotate{Annotate: &trackmeshv1.Annotate{Attributes: map[string]string{"driver": "Ann"}}}}
	p, offset, err := b.host.Send(ctx, command)
	require.NoError(t, err)
	bounded, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	require.Eventually(t, func() bool { return b.host.AwaitApplied(bounded, p, offset) == nil }, 10*time.Second, 10*time.Millisecond)
	command.Body = &trackmeshv1.Command_Annotate{Annotate: &trackmeshv1.Annotate{Attributes: map[string]string{"driver": "Bob"}}}
	p, offset, err = b.host.Send(ctx, command)
	require.NoError(t, err)
	require.NoError(t, b.host.AwaitApplied(bounded, p, offset))
	b.restart()
	require.Eventually(t, func() bool { v, _ := b.fleet.Track("v1", 0); return v != nil }, 10*time.Second, 5*time.Millisecond)
	view, _ := b.fleet.Track("v1", 0)
	require.JSONEq(t, `{"driver":"Ann"}`, string(view.Attributes))
}

func TestFenceEditsWhileThePartitionIsDownAreJudgedOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.produce(at("v1", 30))
	b.settled(1)
	ctx := context.Background()
	require.NoError(t, b.host.Stop(ctx, 0))
	_, err := b.board.Put(ctx, "yard", []byte(square), nil)
	require.NoError(t, err)
	b.host.Start(0)
	require.Eventually(t, func() bool { return len(b.values(broker.Events)) == 1 }, 10*time.Second, 10*time.Millisecond)
	require.Contains(t, b.values(broker.Events)[0], `"cause":"fence_changed"`)
	_, err = b.board.Delete(ctx, "yard", nil)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return len(b.values(broker.Events)) == 2 }, 10*time.Second, 10*time.Millisecond)
	require.Contains(t, b.values(broker.Events)[1], `"type":"exit"`)
	b.restart()
	b.restart()
	require.Len(t, b.values(broker.Events), 2)
}

func TestIfMatchIsJudgedAtTheEndOfTheLog(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	ctx := context.Background()
	absent := int64(-1)
	v1, err := b.board.Put(ctx, "yard", []byte(square), &absent)
	require.NoError(t, err)
	_, err = b.board.Put(ctx, "yard", []byte(square), &absent)
	require.ErrorIs(t, err, ErrVersion)
	v2, err := b.board.Put(ctx, "yard", []byte(square), &v1)
	require.NoError(t, err)
	require.Greater(t, v2, v1)
	_, err = b.board.Delete(ctx, "yard", &v1)
	require.ErrorIs(t, err, ErrVersion)
	_, err = b.board.Delete(ctx, "nowhere", nil)
	require.ErrorIs(t, err, ErrNoFence)
}

func TestThePathComesFromMemory(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.produce(at("v1", 0), at("v1", 10), at("v1", 20))
	require.Eventually(t, func() bool { v, _ := b.fleet.Track("v1", 0); return v != nil && v.Offset == 2 }, 10*time.Second, 5*time.Millisecond)
	points, since, known, err := b.host.Path(context.Background(), "v1", 0, 0, 2)
	require.NoError(t, err)
	require.True(t, known)
	require.Len(t, points, 2)
	require.EqualValues(t, base, since)
	_, _, known, err = b.host.Path(context.Background(), "nobody", 0, 0, 2)
	require.NoError(t, err)
	require.False(t, known)
}

func TestAnOffsetThatLeftTheLogStopsThePartitionUntilToldToSkip(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.produce(at("v1", 0))
	b.settled(1)
	ctx := context.Background()
	require.NoError(t, b.host.Stop(ctx, 0))
	claim, err := b.log.Claim(ctx, 0, "test")
	require.NoError(t, err)
	require.NoError(t, claim.Restore(ctx, func(*broker.Record) error { return nil }))
	cp := &trackmeshv1.Checkpoint{Version: 1, InputTopicId: b.log.Layout().InputID, InputOffset: 99, FenceVersion: -1}
	value, err := cp.MarshalVT()
	require.NoError(t, err)
	require.NoError(t, claim.Commit(ctx, []broker.Record{{Stream: broker.State, Key: []byte(broker.CheckpointKey), Value: value}}))
	claim.Close()
	b.host.Start(0)
	require.Eventually(t, func() bool { s := b.host.Status(); return len(s) == 1 && s[0].NeedsHelp }, 10*time.Second, 5*time.Millisecond)
	require.Contains(t, b.host.Status()[0].Err, "--on-offset-gap=skip")
	b.opts.SkipOffsetGap = true
	b.restart()
	b.produce(at("v1", 10))
	b.settled(2)
	require.Len(t, b.values(broker.Enriched), 2, "it went on at the earliest record that the log has, which the track knows already")
}

func TestACheckpointOfAnotherTopicIsRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.produce(at("v1", 0))
	b.settled(1)
	ctx := context.Background()
	require.NoError(t, b.host.Stop(ctx, 0))
	claim, err := b.log.Claim(ctx, 0, "test")
	require.NoError(t, err)
	require.NoError(t, claim.Restore(ctx, func(*broker.Record) error { return nil }))
	value, err := (&trackmeshv1.Checkpoint{Version: 1, InputTopicId: "ffffffffffffffffffffffffffffffff", InputOffset: 1, FenceVersion: -1}).MarshalVT()
	require.NoError(t, err)
	require.NoError(t, claim.Commit(ctx, []broker.Record{{Stream: broker.State, Key: []byte(broker.CheckpointKey), Value: value}}))
	claim.Close()
	b.host.Start(0)
	require.Eventually(t, func() bool { s := b.host.Status(); return len(s) == 1 && s[0].NeedsHelp }, 10*time.Second, 5*time.Millisecond)
	require.Contains(t, b.host.Status()[0].Err, "deleted and made again")
}

func TestAFencedPartitionClaimsAgainAndLosesNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.produce(at("v1", 0))
	ctx := context.Background()
	require.Eventually(t, func() bool { return len(b.values(broker.Enriched)) == 1 }, 10*time.Second, 5*time.Millisecond)
	thief, err := b.log.Claim(ctx, 0, "thief")
	require.NoError(t, err)
	thief.Close()
	b.produce(at("v1", 10), at("v1", 20))
	require.Eventually(t, func() bool { return len(b.values(broker.Enriched)) == 3 }, 20*time.Second, 10*time.Millisecond)
}

func TestIdleTracksLoseTheirActorAndNothingElse(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *Options) { o.IdleAfter = 100 * time.Millisecond })
	b.produce(at("v1", 0), at("v1", 10))
	require.Eventually(t, func() bool { return gauge(b.host.metrics.live) == 1 }, 10*time.Second, 5*time.Millisecond)
	require.Eventually(t, func() bool { return gauge(b.host.metrics.live) == 0 }, 10*time.Second, 5*time.Millisecond)
	b.produce(at("v1", 20))
	b.settled(3)
	require.Contains(t, b.values(broker.Enriched)[2], `"distance_metres":99`)
}

func TestTracksOfACrowdedNodeLoseTheirActorsSooner(t *testing.T) {
	t.Parallel()
	var later atomic.Int64
	b := newBench(t, func(o *Options) {
		o.MaxActors = 2
		o.Now = func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
	})
	b.produce(at("v1", 0), at("v2", 0))
	require.Eventually(t, func() bool { return gauge(b.host.metrics.live) == 2 }, 10*time.Second, 5*time.Millisecond)
	later.Store(int64(2 * crowdedIdle))
	b.produce(at("v3", 0))
	require.Eventually(t, func() bool { return gauge(b.host.metrics.live) == 1 }, 10*time.Second, 5*time.Millisecond, "only v3 is in use")
	b.produce(at("v1", 10))
	b.settled(4)
	require.Contains(t, b.values(broker.Enriched)[3], `"vehicle":"v1"`)
}

func TestTheQuietClockFiresGapsWhenNoRecordsCome(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *Options) {
		o.QuietClock = true
		o.Settings.GapAfter = 3 * time.Second
	})
	b.produce(at("v1", 0))
	require.Eventually(t, func() bool { return len(b.values(broker.Events)) == 1 }, 20*time.Second, 20*time.Millisecond)
	require.Contains(t, b.values(broker.Events)[0], `"type":"gap_started"`)
	view, coverage := b.fleet.Track("v1", 0)
	require.Equal(t, live.Coverage{Asked: 1, Answered: 1, Missing: []int32{}}, coverage)
	require.Equal(t, track.Silent, view.Status)
}
