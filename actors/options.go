package actors

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/trackmesh/trackmesh/broker"
	"github.com/trackmesh/trackmesh/fence"
	"github.com/trackmesh/trackmesh/live"
	"github.com/trackmesh/trackmesh/track"
)

// History says which fixes become documents.
type History uint8

// Which fixes become documents: every accepted one, those inside at least one fence, or none.
const (
	HistoryAll History = iota
	HistoryInFences
	HistoryOff
)

// Decoder turns a record into a fix. A reason that is not empty refuses the record. One decoder serves one lane.
type Decoder interface {
	Decode(rec *broker.Record, now int64, fix *track.Fix) (reason, detail string)
}

// FenceSets gives the newest fence set and waits for one that holds a version. FenceBoard is one.
type FenceSets interface {
	Current() *fence.Set
	Await(ctx context.Context, version int64) error
}

// Options of a Host. The zero of a field without a named default is refused.
type Options struct {
	System *actor.ActorSystem
	Log    broker.Log
	Fences FenceSets
	Fleet  *live.Fleet // takes what changed in the tracks
	// NewDecoder makes a decoder for a lane. intern returns the vehicle's string where the partition knows it already.
	NewDecoder func(intern func([]byte) (string, bool)) Decoder
	Settings   track.Settings
	History    History
	// CommitInterval is how long output waits for its commit. Default 200 ms; it stretches so that a node stays under 100 commits/s.
	CommitInterval time.Duration
	// MaxPendingBytes commits earlier. Default 4 MiB.
	MaxPendingBytes int
	// MaxQueuedBytes is how much input may wait for a lane before its partition is paused. Default 4 MiB.
	MaxQueuedBytes int64
	// QuietClock lets the event clock go on while no records come.
	QuietClock bool
	// SkipOffsetGap goes on at the earliest record when the checkpoint's offset has left the log; otherwise the partition stops.
	SkipOffsetGap bool
	// StartLatest makes a partition without a checkpoint start at the end of the log.
	StartLatest bool
	// IdleAfter stops the actor of a track without messages. Default 5 min.
	IdleAfter time.Duration
	// MaxActors is how many tracks of this node may keep their actors for as long as that; above, those without a message for a few
	// seconds lose them. Default 100,000.
	MaxActors  int
	Node       string
	Now        func() time.Time // default time.Now
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	// BeforeObserve is a seam for tests: it runs in the track's actor before each fix.
	BeforeObserve func(*track.Fix)
	// BeforeOperation is one too: it runs before each operation on a track that no record causes (tick, fences, snapshot,
	// encode, view, path).
	BeforeOperation func(operation, vehicle string)
}

func (o *Options) validate() error {
	var errs []error
	for _, missing := range []struct {
		name string
		is   bool
	}{
		{"System", o.System == nil},
		{"Log", o.Log == nil},
		{"Fences", o.Fences == nil},
		{"Fleet", o.Fleet == nil},
		{"NewDecoder", o.NewDecoder == nil},
		{"Logger", o.Logger == nil},
		{"Registerer", o.Registerer == nil},
	} {
		if missing.is {
			errs = append(errs, errors.New("actors: option "+missing.name+" is missing"))
		}
	}
	errs = append(errs, o.Settings.Validate())
	o.CommitInterval = orDefault(o.CommitInterval, 200*time.Millisecond)
	o.MaxPendingBytes = orDefault(o.MaxPendingBytes, 4<<20)
	o.MaxQueuedBytes = orDefault(o.MaxQueuedBytes, 4<<20)
	o.IdleAfter = orDefault(o.IdleAfter, 5*time.Minute)
	o.MaxActors = orDefault(o.MaxActors, 100_000)
	if o.Now == nil {
		o.Now = time.Now
	}
	return errors.Join(errs...)
}

func orDefault[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}
