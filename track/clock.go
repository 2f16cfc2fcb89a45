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
	due   int64
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
		return t.due + 1
	}
	return t.due
}

func (t *Track) gapAfter(env *Env) int64 {
	if t.own != nil && t.own.gapAfter > 0 {
		return t.own.gapAfter
	}
	return env.Settings.GapAfter.Milliseconds()
}

// next is the track's earliest timer.
func (t *Track) next(env *Env) (timer, bool) {
	if !t.has || t.forgotten {
		return timer{}, false
	}
	first := timer{due: t.time + env.Settings.ForgetAfter.Milliseconds(), kind: forgetTimer}
	if !t.silent {
		if due := t.time + t.gapAfter(env); due <= first.due {
			first = timer{due: due, kind: gapTimer}
		}
	}
	for i := range t.visits {
		v := &t.visits[i]
		if due := v.dwellDue; due != 0 && (due < first.due || due == first.due && first.kind > dwellTimer) {
			first = timer{due: due, kind: dwellTimer, visit: i}
		}
		if due := v.changes; due != 0 && (due < first.due || due == first.due && first.kind > scheduleTimer) {
			first = timer{due: due, kind: scheduleTimer, visit: i}
		}
	}
	return first, true
}

// fire fires what is due on the track's clock.
func (t *Track) fire(env *Env, clock int64, out *Output) {
	for {
		timer, ok := t.next(env)
		if !ok || timer.fires() > clock {
			return
		}
		from := len(out.Events)
		switch timer.kind {
		case scheduleTimer:
			t.changeOver(env, timer, out)
		case dwellTimer:
			t.dwell(env, timer, out)
		case gapTimer:
			t.startGap(timer, out)
		case forgetTimer:
			t.leaveAll(env, timer.due, CauseClock, out)
			t.forgotten = true
		}
		t.number(out, from)
	}
}

// advance does what an event clock shows: held fixes whose time has come, and timers, in order.
func (t *Track) advance(env *Env, eventClock int64, out *Output) {
	window := env.Settings.ReorderWindow.Milliseconds()
	for len(t.held) > 0 && t.held[0].fix.Time+window <= eventClock {
		released := max(t.held[0].arrived, t.held[0].fix.Time)
		t.fire(env, t.clockAt(released), out)
		t.releaseOldest(env, out)
	}
	if t.has {
		t.fire(env, t.clockAt(eventClock-window), out)
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
	if timer, has := t.next(env); has {
		eventClock, ok = timer.fires()-t.time+t.arrived+window, true
	}
	if len(t.held) > 0 {
		if at := t.held[0].fix.Time + window; !ok || at < eventClock {
			eventClock, ok = at, true
		}
	}
	return eventClock, ok
}
