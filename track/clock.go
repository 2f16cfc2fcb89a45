package track

import "math"

// A track's own clock is its newest fix's time plus what the event clock went on since that fix arrived. Its timers:
//
//	schedule  a fence that it is in opens or closes          due at or before the clock
//	dwell     it was inside long enough                      due at or before the clock
//	gap       its newest fix is too old                      strictly before
//	forget    its newest fix is very old                     strictly before
//
// They fire in order of due time, then in this order, then by fence id.
type timer struct {
	at    int64 // UTC ms
	kind  timerKind
	visit int // index, for schedule and dwell
}

type timerKind uint8

const (
	scheduleTimer timerKind = iota
	dwellTimer
	gapTimer
	forgetTimer
)

// fires is the first moment of the track's clock at which the timer fires.
func (t timer) fires() int64 {
	if t.kind >= gapTimer {
		return t.at + 1
	}
	return t.at
}

// next is the track's earliest timer.
func (t *Track) next(env *Env) (timer, bool) {
	if !t.has || t.forgotten {
		return timer{}, false
	}
	first := timer{at: t.time + env.Settings.ForgetAfter.Milliseconds(), kind: forgetTimer}
	if !t.silent {
		first.sooner(t.time+t.gapAfter(env), gapTimer, 0)
	}
	for i := range t.visits {
		if due := t.visits[i].dwellDue; due != 0 {
			first.sooner(due, dwellTimer, i)
		}
		if due := t.visits[i].changes; due != 0 {
			first.sooner(due, scheduleTimer, i)
		}
	}
	return first, true
}

// sooner makes the timer another one, if that comes before it. Of visits the first by id is asked first.
func (t *timer) sooner(at int64, kind timerKind, visit int) {
	if at < t.at || at == t.at && kind < t.kind {
		*t = timer{at: at, kind: kind, visit: visit}
	}
}

// fire fires what is due on the track's clock.
func (t *Track) fire(env *Env, clock int64, out *Output) {
	for {
		due, ok := t.next(env)
		if !ok || due.fires() > clock {
			return
		}
		from := len(out.Events)
		switch due.kind {
		case scheduleTimer:
			t.changeOver(env, due, out)
		case dwellTimer:
			t.dwell(env, due, out)
		case gapTimer:
			t.startGap(due.at, out)
		case forgetTimer:
			t.leaveAll(env, due.at, CauseClock, out)
			t.forgotten = true
		}
		t.number(out, from)
	}
}

// rise makes a forgotten track that something comes for a new one: nothing of the old one stays but fixes that wait.
func (t *Track) rise() bool {
	if !t.forgotten {
		return false
	}
	waiting, bytes := []held(nil), 0
	if t.rare != nil {
		waiting, bytes = t.rare.held, t.rare.heldBytes
	}
	*t = Track{vehicle: t.vehicle}
	if len(waiting) > 0 {
		t.rare = &rare{held: waiting, heldBytes: bytes}
	}
	return true
}

// advance does what an event clock shows: held fixes whose time has come, and timers, in order.
func (t *Track) advance(env *Env, eventClock int64, out *Output) {
	window := env.Settings.ReorderWindow.Milliseconds()
	for {
		h, ok := t.oldestHeld()
		if !ok || h.fix.Time+window > eventClock {
			break
		}
		t.fire(env, t.clockAt(max(h.arrived, h.fix.Time)), out)
		t.releaseOldest(env, out)
	}
	if t.has {
		t.fire(env, t.clockAt(eventClock-window), out)
	}
	if _, waiting := t.oldestHeld(); waiting {
		t.rise() // what waits belongs to the next life
	}
}

// clockAt is the track's own clock at an event clock (less the reorder window).
func (t *Track) clockAt(eventClock int64) int64 {
	if !t.has {
		return math.MinInt64
	}
	return t.time + max(0, eventClock-t.arrived)
}

// Tick does what the event clock shows to be due.
func (t *Track) Tick(env *Env, out *Output) { t.advance(env, env.EventClock, out) }

// Due is the lowest event clock at which Tick would do something; ok is false when it never would.
func (t *Track) Due(env *Env) (eventClock int64, ok bool) {
	window := env.Settings.ReorderWindow.Milliseconds()
	if due, has := t.next(env); has {
		eventClock, ok = due.fires()-t.time+t.arrived+window, true
	}
	if h, waiting := t.oldestHeld(); waiting {
		if at := h.fix.Time + window; !ok || at < eventClock {
			eventClock, ok = at, true
		}
	}
	return eventClock, ok
}
