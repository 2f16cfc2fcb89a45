package track

import "slices"

// hold keeps a fix until the event clock has passed its time by the reorder window, so that those which come out of order
// are applied in order of time.
func (t *Track) hold(env *Env, fix *Fix, out *Output) Outcome {
	h := held{fix: fix.clone(), arrived: env.EventClock - env.Settings.ReorderWindow.Milliseconds()}
	at, _ := slices.BinarySearchFunc(t.held, fix.Time+1, func(h held, time int64) int { return int(h.fix.Time - time) })
	t.held = slices.Insert(t.held, at, h)
	if len(t.held) > maxHeld {
		t.releaseOldest(env, out)
	}
	t.advance(env, env.EventClock, out)
	return Held
}

// releaseOldest applies the earliest held fix. It arrives when its time had come, or when it came after that.
func (t *Track) releaseOldest(env *Env, out *Output) {
	h := t.held[0]
	t.held = slices.Delete(t.held, 0, 1)
	if t.forgotten {
		*t = Track{vehicle: t.vehicle, held: t.held}
	}
	if t.has && h.fix.Time <= t.time {
		t.unapplied(env, h.fix, FlagLate, out)
		return
	}
	h.arrived = max(h.arrived, h.fix.Time)
	t.accept(env, h, out)
}
