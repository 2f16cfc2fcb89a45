package actors

import (
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/trackmesh/trackmesh/broker"
	"github.com/trackmesh/trackmesh/live"
	"github.com/trackmesh/trackmesh/track"
)

// phase of a running partition:
//
//	        input, fences, timers            markers ran            interval or size
//	┌─────────┐ ───────────────> ┌──────────┐ ─────────> ┌─────────┐ ──────────────> ┌────────────┐
//	│  free   │                  │ handling │            │  free   │                 │ committing │
//	└─────────┘                  └──────────┘            └─────────┘ <────────────── └────────────┘
//	                                                                     committed         │ error
//	                                                                                       ▼
//	                                                                                    ┌────────┐
//	                                                                                    │ failed │ answers nothing,
//	                                                                                    └────────┘ its runner reloads it
//
// Queries are answered in every phase but failed; input waits in the inbox while handling and committing.
type phase uint8

const (
	free phase = iota
	handling
	committing
	failed
)

// partition is the actor of one partition. Everything below is touched on its lane only, except where said.
type partition struct {
	id      int32
	host    *Host
	opts    *Options
	lane    *lane
	claim   broker.Claim // Commit runs off the lane, one at a time, while the phase is committing
	decoder Decoder
	index   *live.Partition
	log     *slog.Logger
	context actor.Context

	trackProps *actor.Props

	phase   phase
	inbox   []*batch
	current *batch
	feed    *feed

	table     *table
	env       track.Env
	out       track.Output
	saved     track.Track // a track as it was before the message that it handles
	before    track.Mark  // and the length of the output then
	at        position
	committed int64 // at.input as of the last commit
	keys      *keyring
	fixes     slab[fixMessage]
	batched   []*entry    // the vehicles of the batch that is being read, in order of their first fix
	found     *entry      // the vehicle that the decoder asked for last
	spawning  *trackActor // the next track to start
	pending   pending
	tally     *tally

	clock     clock
	published time.Time     // when the live index was last changed
	resting   time.Duration // how long it then stays as it is
	swept     time.Time
	waiters   []applyWaiter
	stopping  chan<- error // set by finish: commit what is there, then end
	failure   func(error)  // tells the runner
	rejudge   int64        // the fence version of the checkpoint that the partition started from
	remade    bool         // that version was of another topic of fences
	view      atomic.Pointer[PartitionStatus]
	leading   bool      // moves of fences are being written
	led       time.Time // when the last round of them began
}

// position is where the partition stands in the streams that it reads: its part of the checkpoint.
type position struct {
	input, command int64 // the next offset to read
	inputEnd       int64 // the offset after the last record known
	events         uint64
	producers      map[string]producer
}

// producer is the highest sequence seen of an ingest client.
type producer struct {
	sequence uint64
	seenAt   int64 // UTC ms
}

// Messages to a partition's actor.
type (
	// batch is what one poll of the reader found for the partition.
	batch struct {
		stream  broker.Stream
		records []broker.Record
		next    int64 // the offset to go on from
		end     int64 // the offset after the last record known
		bytes   int64
	}
	tickMessage struct{}
	committed   struct {
		err  error
		took time.Duration
	}
	finishMessage struct{ done chan<- error }
)

// Receive is the mailbox glue. What panics here and not in a track stops the partition.
func (p *partition) Receive(c actor.Context) {
	p.guarded(func() { p.receive(c) })()
}

func (p *partition) receive(c actor.Context) {
	switch m := c.Message().(type) {
	case *actor.Started:
		p.context = c
		p.openIndex()
		p.rejudgeAfter(p.rejudge, p.remade)
	case *batch:
		p.inbox = append(p.inbox, m)
		p.goOn()
	case *tickMessage:
		p.tick()
	case *committed:
		p.afterCommit(m)
	case *pathQuery:
		m.reply <- p.path(m)
	case *applyWaiter:
		p.await(m)
	case *ledMessage:
		p.afterLead(m)
	case *finishMessage:
		p.finish(m)
	}
}

// finish commits what is there and then ends.
func (p *partition) finish(m *finishMessage) {
	if p.phase == failed {
		m.done <- errMoved
		return
	}
	p.stopping = m.done
	p.goOn()
}

// goOn does the next thing that there is to do, if nothing is under way.
func (p *partition) goOn() {
	if p.phase != free {
		return
	}
	switch {
	case p.shouldCommit():
		p.commit()
	case p.stopping != nil:
		p.end(nil)
	case p.adoptFences():
		p.mark()
	case len(p.inbox) > 0:
		p.begin()
	}
}

// mark puts settle behind everything that was just sent to the partition's tracks.
func (p *partition) mark() {
	p.phase = handling
	p.lane.Schedule(p.guarded(p.settle))
}

// settle runs when every track has handled its messages: it fires the timers that are due, takes the output, and goes on.
func (p *partition) settle() {
	if p.phase != handling {
		return
	}
	p.fireTimers()
	p.collect()
	if b := p.current; b != nil {
		p.advance(b)
		p.current = nil
	}
	p.phase = free
	p.publish()
	p.goOn()
}

// fail stops the partition without a commit; its runner loads the state from the log again.
func (p *partition) fail(err error) {
	if p.phase == failed {
		return
	}
	p.phase = failed
	p.release()
	if p.stopping != nil {
		p.end(err)
		return
	}
	p.failure(err)
}

func (p *partition) end(err error) {
	p.phase = failed
	p.release()
	p.stopping <- err
	p.stopping = nil
}

// release lets those go who wait for something that will not come any more.
func (p *partition) release() {
	for _, w := range p.waiters {
		w.done <- errMoved
	}
	p.waiters = nil
}

// guarded makes what escapes from fn stop the partition: its state may be half changed.
func (p *partition) guarded(fn func()) func() {
	return func() {
		defer p.escaped()
		fn()
	}
}

// escaped is deferred around whatever runs on the lane.
func (p *partition) escaped() {
	if r := recover(); r != nil {
		p.fail(&panicError{value: r, stack: stack()})
	}
}
