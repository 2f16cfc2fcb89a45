package actors

import (
	"github.com/asynkron/protoactor-go/actor"

	"github.com/trackmesh/trackmesh/broker"
	trackmeshv1 "github.com/trackmesh/trackmesh/messages/trackmesh/v1"
	"github.com/trackmesh/trackmesh/track"
)

// trackActor holds one vehicle. It runs on its partition's lane and appends its output to the partition's open commit.
type trackActor struct {
	partition *partition
	entry     *entry
	mailbox   mailbox
}

// Messages to a track's actor.
type (
	// fixMessage is the first of the fixes that a batch has of one vehicle.
	fixMessage struct {
		fix    track.Fix
		clock  int64 // the partition's event clock with this fix
		record *broker.Record
		next   *fixMessage // nil: the last
	}
	commandMessage struct {
		command *trackmeshv1.Command
		record  *broker.Record
	}
)

// Receive handles one message, or undoes it. What escapes from that stops the partition: its state may be half changed.
func (a *trackActor) Receive(c actor.Context) {
	defer a.partition.escaped()
	switch m := c.Message().(type) {
	case *fixMessage:
		for ; m != nil; m = m.next {
			a.partition.observe(a.entry, m)
		}
	case *commandMessage:
		a.partition.apply(a.entry, m)
	}
}

// send gives a message to the track's actor, which it starts when the track was idle.
func (p *partition) send(e *entry, message any, now int64) {
	if e.pid == nil {
		p.spawning = &trackActor{partition: p, entry: e, mailbox: mailbox{lane: p.lane}}
		e.pid = p.context.Spawn(p.trackProps)
		p.host.woke(1)
	}
	e.usedAt = now
	p.context.Send(e.pid, message)
}

// propsOfTracks are common to the tracks of a partition: whoever spawns one puts it into spawning before.
func (p *partition) propsOfTracks() *actor.Props {
	return actor.PropsFromProducer(func() actor.Actor { return p.spawning }, actor.WithDispatcher(p.lane), actor.WithSupervisor(stopOnFailure),
		actor.WithMailbox(func() actor.Mailbox { return &p.spawning.mailbox }))
}

// stopOnFailure is never Restart: a restarted actor is empty, and its remaining messages would run after the batch's marker.
var stopOnFailure = actor.NewOneForOneStrategy(0, 0, func(any) actor.Directive { return actor.StopDirective })

func (p *partition) observe(e *entry, m *fixMessage) {
	p.env.EventClock = m.clock
	p.remember(e)
	defer p.undo(opObserve, e, m.record)
	if p.opts.BeforeObserve != nil {
		p.opts.BeforeObserve(&m.fix)
	}
	outcome := e.track.Observe(&p.env, &m.fix, &p.out)
	p.tally.observed[outcome]++
	p.table.touch(&p.env, e)
}

func (p *partition) apply(e *entry, m *commandMessage) {
	p.env.EventClock = p.clock.event
	p.remember(e)
	defer p.undo(opCommand, e, m.record)
	e.track.Apply(&p.env, m.command, &p.out)
	p.tally.outcomes["command"]++
	p.table.touch(&p.env, e)
}
