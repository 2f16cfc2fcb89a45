package actors

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/cenkalti/backoff/v5"

	"github.com/trackmesh/trackmesh/broker"
	trackmeshv1 "github.com/trackmesh/trackmesh/messages/trackmesh/v1"
	"github.com/trackmesh/trackmesh/track"
)

// fencedWait is how long a partition that another claim has taken waits for whoever decides ownership to say so. Claiming back at
// once would take it from its new owner: a node that was frozen, or hears later than the others that the partition moves.
const fencedWait = time.Second

// stopWait is how long a partition may take for its last commit.
const stopWait = 10 * time.Second

// runner takes one partition through its lives:
//
//	claiming ──> recovering ──> running ──> gone
//	   ▲                           │ any error
//	   └──────── stopped <─────────┘ (backs off)
//
// Each life has a claim, a lane, and actors of its own; nothing is carried over from one to the next but what the log holds.
type runner struct {
	host    *Host
	id      int32
	log     *slog.Logger
	ctx     context.Context
	cancel  context.CancelFunc
	done    chan struct{}
	hard    atomic.Bool               // end without a last commit
	address atomic.Pointer[address]   // while running
	current atomic.Pointer[partition] // while running
	phase   atomic.Pointer[PartitionStatus]
}

func newRunner(h *Host, id int32) *runner {
	r := &runner{host: h, id: id, log: h.opts.Logger.With("partition", id), done: make(chan struct{})}
	r.ctx, r.cancel = context.WithCancel(h.ctx)
	r.say("claiming", nil)
	return r
}

func (r *runner) say(state string, err error) {
	s := &PartitionStatus{Partition: r.id, State: state}
	if err != nil {
		s.Err = err.Error()
		var help *helpError
		s.NeedsHelp = errors.As(err, &help)
	}
	r.phase.Store(s)
}

func (r *runner) status() PartitionStatus {
	if p := r.current.Load(); p != nil {
		if s := p.view.Load(); s != nil {
			return *s
		}
	}
	return *r.phase.Load()
}

// address is where a life's actor takes questions.
type address struct {
	pid  *actor.PID
	gone chan struct{} // closed when the actor takes no more
}

// stop ends the runner: with a last commit while ctx lasts.
func (r *runner) stop(ctx context.Context) error {
	r.cancel()
	select {
	case <-r.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stopping partition %d: %w", r.id, context.Cause(ctx))
	}
}

// abandon ends the runner without a last commit. It returns at once.
func (r *runner) abandon() {
	r.hard.Store(true)
	r.cancel()
}

func (r *runner) run() {
	defer close(r.done)
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.MaxInterval = 100*time.Millisecond, 15*time.Second
	for r.ctx.Err() == nil {
		started := time.Now()
		err := r.live()
		if r.ctx.Err() != nil {
			return
		}
		if time.Since(started) > time.Minute {
			wait.Reset()
		}
		pause := wait.NextBackOff()
		if errors.Is(err, broker.ErrFenced) {
			pause = max(pause, fencedWait)
		}
		r.host.metrics.stopped.WithLabelValues(causeOf(err)).Inc()
		r.log.Error("partition stopped; it will load its state from the log again", "err", err, "pause", pause)
		r.say("stopped", err)
		select {
		case <-r.ctx.Done():
		case <-time.After(pause):
		}
	}
}

// helpError is an error that goes away only when somebody does something.
type helpError struct{ error }

func (e *helpError) Unwrap() error { return e.error }

func causeOf(err error) string {
	var gap *broker.OffsetError
	var panicked *panicError
	var help *helpError
	switch {
	case errors.Is(err, broker.ErrFenced):
		return "fenced"
	case errors.Is(err, broker.ErrFull):
		return "disk_full"
	case errors.As(err, &gap):
		return "offset_gap"
	case errors.As(err, &panicked):
		return "panic"
	case errors.As(err, &help):
		return "needs_help"
	}
	return "log"
}

// live is one life: claim, recover, run until told to stop (nil) or something fails. A panic on the way is such a failure.
func (r *runner) live() (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &panicError{value: v, stack: stack()}
		}
	}()
	r.say("claiming", nil)
	claim, err := r.host.opts.Log.Claim(r.ctx, r.id, r.host.opts.Node)
	if err != nil {
		return fmt.Errorf("claiming partition %d: %w", r.id, err)
	}
	defer claim.Close()
	r.say("recovering", nil)
	state, err := restore(r.ctx, claim)
	if err != nil {
		return err
	}
	if err = r.settleStart(claim, state); err != nil {
		return err
	}
	if state.remade, err = r.awaitFences(state.checkpoint); err != nil {
		return err
	}
	return r.runPartition(claim, state)
}

// settleStart gives a partition without a checkpoint its first, and refuses a checkpoint of another topic.
func (r *runner) settleStart(claim broker.Claim, state *restored) error {
	cp := state.checkpoint
	id := r.host.layout.InputID
	if cp != nil && cp.GetInputTopicId() == id {
		return nil
	}
	if cp != nil && !r.host.opts.SkipOffsetGap {
		return &helpError{fmt.Errorf("topic %s was deleted and made again since the last commit (id %s, now %s), so the offsets of partition %d mean nothing any more: "+
			"start with --on-offset-gap=skip to go on at the new topic's earliest record", r.host.layout.Input, cp.GetInputTopicId(), id, r.id)}
	}
	input, err := r.firstOffset(broker.Input, r.host.opts.StartLatest && cp == nil)
	if err != nil {
		return err
	}
	command, err := r.firstOffset(broker.Commands, false)
	if err != nil {
		return err
	}
	if cp == nil {
		cp = &trackmeshv1.Checkpoint{FenceVersion: -1, FencesTopicId: r.host.layout.FencesID, CommandOffset: command}
	}
	cp.Version, cp.Term, cp.InputTopicId, cp.InputOffset = stateVersion, claim.Term(), id, input
	value, err := cp.MarshalVT()
	if err != nil {
		return fmt.Errorf("encoding the first checkpoint: %w", err)
	}
	first := broker.Record{Stream: broker.State, Partition: r.id, Key: []byte(broker.CheckpointKey), Value: value}
	if err := claim.Commit(r.ctx, []broker.Record{first}); err != nil {
		return fmt.Errorf("committing the first checkpoint: %w", err)
	}
	state.checkpoint = cp
	return nil
}

// fencesPatience is how long a partition waits for the board before it says so.
const fencesPatience = 2 * time.Second

// awaitFences waits until the board has read the fences that the checkpoint was judged by. remade is that it never will, for their
// topic was made anew: then what there is now is judged against every track, as one edit.
func (r *runner) awaitFences(cp *trackmeshv1.Checkpoint) (remade bool, err error) {
	for {
		if remade, err = r.fencesRemade(cp); err != nil || remade {
			return remade, err
		}
		bounded, cancel := context.WithTimeout(r.ctx, fencesPatience)
		err = r.host.opts.Fences.Await(bounded, cp.GetFenceVersion())
		cancel()
		if err == nil || r.ctx.Err() != nil {
			return false, err
		}
		r.say("recovering", fmt.Errorf("it waits for the fences to be read up to version %d, which its last commit was judged by", cp.GetFenceVersion()))
	}
}

func (r *runner) fencesRemade(cp *trackmeshv1.Checkpoint) (bool, error) {
	_, end, err := r.host.opts.Log.Bounds(r.ctx, broker.Fences, 0)
	if err != nil {
		return false, fmt.Errorf("asking for the bounds of the fences: %w", err)
	}
	id := cp.GetFencesTopicId()
	if end > cp.GetFenceVersion() && (id == "" || id == r.host.layout.FencesID) {
		return false, nil
	}
	r.log.Error("the fences' topic was made anew since the last commit; the tracks are judged by the fences that it holds now: import the lost ones again",
		"topic", r.host.layout.Topic(broker.Fences), "checkpoint_version", cp.GetFenceVersion(), "end", end)
	r.host.metrics.fencesRemade.Inc()
	return true, nil
}

func (r *runner) firstOffset(s broker.Stream, latest bool) (int64, error) {
	earliest, end, err := r.host.opts.Log.Bounds(r.ctx, s, r.id)
	if err != nil {
		return 0, fmt.Errorf("asking for the bounds of %s[%d]: %w", s, r.id, err)
	}
	if latest {
		return end, nil
	}
	return earliest, nil
}

// runPartition spawns the partition's actor on a lane of its own and feeds it until it fails or the runner is stopped.
func (r *runner) runPartition(claim broker.Claim, state *restored) error {
	h := r.host
	failed := make(chan error, 1)
	fail := func(err error) {
		select {
		case failed <- err:
		default: // the first error says it
		}
	}
	p := r.newPartition(claim, state, fail)
	defer p.lane.stop()
	defer h.opts.Fleet.Drop(r.id)
	if err := r.locate(p, fail); err != nil {
		return err
	}
	// From the spawn on the partition belongs to its lane: what is needed of it here is taken before.
	input, command, tracks := p.at.input, p.at.command, len(p.table.byVehicle)
	pid, err := h.opts.System.Root.SpawnNamed(actor.PropsFromProducer(func() actor.Actor { return p }, actor.WithDispatcher(p.lane), actor.WithGuardian(stopOnFailure)), fmt.Sprintf("partition-%d-%d", r.id, claim.Term())) // a name of its own: an actor that would not stop must not keep the next life from beginning
	if err != nil {
		return fmt.Errorf("spawning the actor of partition %d: %w", r.id, err)
	}
	defer r.stopActors(pid, p)
	p.feed.pid = pid
	here := &address{pid: pid, gone: make(chan struct{})}
	r.address.Store(here)  // before it is fed: who sees a record's effect may ask about it
	defer close(here.gone) // a question that the actor has not seen will not be answered
	defer r.address.Store(nil)
	if err := h.pump.add(r.ctx, p.feed, input, command); err != nil {
		return err
	}
	r.current.Store(p)
	r.log.Info("partition runs", "term", claim.Term(), "tracks", tracks, "input_offset", input)
	defer h.fencesMoved.announce() // nobody need wait for this partition's fences any more
	defer r.current.Store(nil)
	select {
	case err := <-failed:
		return err
	case <-r.ctx.Done():
		if r.hard.Load() {
			return nil
		}
		return r.finish(pid)
	}
}

func (r *runner) newPartition(claim broker.Claim, state *restored, fail func(error)) *partition {
	h := r.host
	p := &partition{
		id: r.id, host: h, opts: &h.opts, lane: newLane(), claim: claim, index: h.opts.Fleet.Prepare(r.id), log: r.log,
		table: state.table, tally: newTally(), failure: fail,
		feed: &feed{partition: r.id, broken: fail, limit: h.opts.MaxQueuedBytes},
	}
	p.decoder, p.trackProps = h.opts.NewDecoder(p.known), p.propsOfTracks()
	p.resumePosition(state)
	p.env = track.Env{Settings: &h.opts.Settings, Fences: h.opts.Fences.Current(), EventClock: p.clock.event}
	p.rejudge, p.remade = state.checkpoint.GetFenceVersion(), state.remade
	for _, e := range p.table.byVehicle {
		e.misplaced = p.strange(e.vehicle)
		p.attempt(opTick, e, func() { p.table.reschedule(&p.env, e) })
	}
	return p
}

// locate finds where the partition reads on. An offset that has left the log stops it, unless it was told to skip.
func (r *runner) locate(p *partition, fail func(error)) error {
	p.feed.broken = func(err error) {
		if gap, ok := errors.AsType[*broker.OffsetError](err); ok {
			fail(r.explainGap(gap))
			return
		}
		fail(err)
	}
	var err error
	if p.at.input, p.at.inputEnd, err = r.readable(broker.Input, p.at.input); err != nil {
		return err
	}
	p.committed = p.at.input
	p.at.command, _, err = r.readable(broker.Commands, p.at.command)
	return err
}

// readable is the offset itself while the log has it, else the earliest with --on-offset-gap=skip; and the log's end.
func (r *runner) readable(s broker.Stream, offset int64) (from, end int64, err error) {
	earliest, end, err := r.host.opts.Log.Bounds(r.ctx, s, r.id)
	if err != nil {
		return 0, 0, fmt.Errorf("asking for the bounds of %s[%d]: %w", s, r.id, err)
	}
	if offset >= earliest && offset <= end {
		return offset, end, nil
	}
	gap := &broker.OffsetError{Stream: s, Partition: r.id, Asked: offset, Earliest: earliest, End: end}
	if !r.host.opts.SkipOffsetGap {
		return 0, 0, r.explainGap(gap)
	}
	r.log.Error("skipping records that have left the log, as --on-offset-gap=skip says", "err", gap)
	r.host.metrics.stopped.WithLabelValues("offset_gap_skipped").Inc()
	return earliest, end, nil
}

func (r *runner) explainGap(gap *broker.OffsetError) error {
	return &helpError{fmt.Errorf("%w: the records between were removed before they were handled; "+
		"lengthen the topic's retention, or start with --on-offset-gap=skip to go on at the earliest record and lose them", gap)}
}

// finish asks for a last commit.
func (r *runner) finish(pid *actor.PID) error {
	done := make(chan error, 1)
	r.host.opts.System.Root.Send(pid, &finishMessage{done: done})
	select {
	case err := <-done:
		return err
	case <-time.After(stopWait):
		return fmt.Errorf("the last commit of partition %d took more than %s", r.id, stopWait)
	}
}

// stopActors stops the feed, then the partition's actor and with it those of its tracks.
func (r *runner) stopActors(pid *actor.PID, p *partition) {
	if err := r.host.pump.remove(context.WithoutCancel(r.ctx), r.id); err != nil && !errors.Is(err, broker.ErrClosed) {
		r.log.Warn("removing the partition from its reader failed", "err", err)
	}
	if err := r.host.opts.System.Root.StopFuture(pid).Wait(); err != nil {
		r.log.Warn("the partition's actor did not stop in time", "err", err)
	}
	p.lane.stop() // an actor that did not stop in time may still touch the table
	for _, e := range p.table.byVehicle {
		if e.pid != nil {
			r.host.woke(-1)
		}
	}
}
