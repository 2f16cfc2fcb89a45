package track

import (
	"slices"

	"github.com/trackmesh/trackmesh/fence"
)

// FencesChanged judges the track against edited fences: changed are new or have another version, removed are gone. Every
// visit of a fence that the set does not have at its version is judged too, so that nothing is missed after a recovery.
//
//	visit ── gone, or outside by more than the margin, or closed now: exit ──> outside
//	visit ── still inside ──> the same visit, of the new version; a shorter dwell time may make dwell due now
//	outside ── inside now: enter ──> visit
//
// Events are dated at the track's own clock.
func (t *Track) FencesChanged(env *Env, changed, removed []*fence.Fence, out *Output) {
	t.advance(env, env.EventClock, out)
	if !t.has || t.forgotten {
		return
	}
	clock := t.clockAt(env.EventClock - env.Settings.ReorderWindow.Milliseconds())
	from := len(out.Events)
	kept := t.visits[:0]
	for i := range t.visits {
		if v := &t.visits[i]; t.rejudge(env, v, removed, clock, out) {
			kept = append(kept, *v)
		}
	}
	clear(t.visits[len(kept):])
	t.visits = kept
	for _, f := range changed {
		if i, visiting := t.findVisit(f.ID); !visiting && len(t.visits) < maxVisits && f.Follows != t.vehicle && f.Contains(t.pos) {
			t.findInside(f, i, clock, out)
		}
	}
	t.number(out, from)
}

// findInside starts a visit of an edited fence that came to be where the vehicle is.
func (t *Track) findInside(f *fence.Fence, at int, clock int64, out *Output) {
	v := visitOf(f, clock, f.Open(clock))
	v.plan(clock)
	t.visits = slices.Insert(t.visits, at, v)
	if v.open && v.emits.Has(fence.MaskEnter) {
		t.stillEvent(Enter, CauseFenceChanged, clock, v.ref(), out)
	}
}

// rejudge reports whether a visit goes on, and makes the exit when it does not.
func (t *Track) rejudge(env *Env, v *visit, removed []*fence.Fence, clock int64, out *Output) bool {
	now, there := env.Fences.Get(v.id)
	if there && now.Version == v.version {
		return true
	}
	if there && t.staysIn(env, v, now) && (now.Open(clock) || !v.open) {
		t.renew(v, now, clock, out)
		return true
	}
	if there {
		v.fence, v.version, v.emits = now, now.Version, now.Emits
	} else if v.fence == nil {
		if i := slices.IndexFunc(removed, func(f *fence.Fence) bool { return f.ID == v.id }); i >= 0 {
			v.fence, v.emits = removed[i], removed[i].Emits
		}
	}
	if v.open && v.emits.Has(fence.MaskExit) {
		t.stillEvent(Exit, CauseFenceChanged, clock, v.ref(), out)
	}
	return false
}

func (t *Track) staysIn(env *Env, v *visit, f *fence.Fence) bool {
	if f.Follows == t.vehicle {
		return false
	}
	if f.Contains(t.pos) {
		return true
	}
	return v.open && !f.OutsideBy(t.pos, margin(env, f, float64(t.accuracy)))
}

// renew brings a visit that goes on to the fence's present version: the visit and what it has dwelt stay.
func (t *Track) renew(v *visit, f *fence.Fence, clock int64, out *Output) {
	v.fence, v.version, v.emits, v.name = f, f.Version, f.Emits, ""
	if !v.open && f.Open(clock) {
		v.open, v.dwelt, v.entered = true, false, clock
		if f.Emits.Has(fence.MaskEnter) {
			t.stillEvent(Enter, CauseFenceChanged, clock, v.ref(), out)
		}
	}
	v.plan(clock)
	if v.dwellDue != 0 {
		v.dwellDue = max(v.dwellDue, clock) // a shorter dwell time makes it due now, not in the past
	}
}
