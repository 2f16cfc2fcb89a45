package actors

import "time"

// tick is what a partition does when time goes by.
func (p *partition) tick() {
	if p.phase != free {
		return
	}
	now := p.opts.Now()
	if p.opts.QuietClock && p.caughtUp() {
		p.clock.elapse(now.UnixMilli())
	}
	if p.table.nextDue(p.clock.event) != nil {
		p.mark()
		return
	}
	p.publish()
	p.lead()
	p.sweep(now)
	p.report(now)
	p.goOn()
}

// caughtUp reports whether the partition has handled every record that it knows of.
func (p *partition) caughtUp() bool { return len(p.inbox) == 0 && p.at.input >= p.at.inputEnd }

// fireTimers ticks each track whose timer the event clock has reached. It runs on the lane when no message is on its way
// to a track, so it need not go through their mailboxes.
func (p *partition) fireTimers() {
	p.env.EventClock = p.clock.event
	for {
		e := p.table.nextDue(p.clock.event)
		if e == nil {
			return
		}
		fired := p.attempt(opTick, e, func() {
			if p.table.putOff(&p.env, e) {
				return
			}
			due := e.due
			e.track.Tick(&p.env, &p.out)
			p.table.touch(&p.env, e)
			if p.table.putOff(&p.env, e); e.heapAt >= 0 && e.due <= due {
				panic("the track is due again at once: its timer did not fire")
			}
		})
		if !fired {
			p.table.silence(e)
		}
	}
}

// crowdedIdle is after how long without a message a track's actor is stopped while there are more than MaxActors: to start it again
// takes a few microseconds, to keep it half a kilobyte.
const crowdedIdle = 5 * time.Second

// sweep stops the actors of tracks that had no message for long; their state stays in the table. It runs between batches
// only, with nothing on its way to them: a message to a stopped actor would be lost.
func (p *partition) sweep(now time.Time) {
	idle := p.opts.IdleAfter
	if p.host.awake.Load() > int64(p.opts.MaxActors) && p.caughtUp() { // who catches up needs its actors again at once
		idle = min(idle, crowdedIdle)
	}
	if now.Sub(p.swept) < idle/10 {
		return
	}
	p.swept = now
	before := now.Add(-idle).UnixMilli()
	for _, e := range p.table.byVehicle {
		if e.pid != nil && e.usedAt < before {
			p.stopActor(e)
		}
	}
}

func (p *partition) stopActor(e *entry) {
	p.context.Stop(e.pid)
	e.pid = nil
	p.host.woke(-1)
}

// forget removes a track that was told to go, or was silent for very long.
func (p *partition) forget(e *entry) {
	if e.pid != nil {
		p.stopActor(e)
	}
	p.table.remove(e)
	if !e.published {
		p.removeUnseen(e)
	}
	p.dropView(e.vehicle)
}

func (p *partition) removeUnseen(e *entry) {
	for i, u := range p.table.unseen {
		if u == e {
			p.table.unseen = append(p.table.unseen[:i], p.table.unseen[i+1:]...)
			return
		}
	}
}
