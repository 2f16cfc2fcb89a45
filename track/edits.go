package track

import (
	"slices"

	"github.com/trackmesh/trackmesh/fence"
)

// FencesChanged judges the track against edited fences: changed are new or have another version, removed are gone. Every
// visit of a fence that the set does not have at its version is judged too, so that nothing is missed after a recovery.
// Events are dated at the track's own clock.
func (t *Track) FencesChanged(env *Env, changed, removed []*fence.Fence, out *Output) {
	t.advance(env, env.EventClock, out)
	if !t.has || t.forgotten {
		return
	}
	clock := t.clockAt(env.EventClock - env.Settings.ReorderWindow.Milliseconds())
	from := len(out.Events)
	t.visits = slices.DeleteFunc(t.visits, func(v visit) bool { return !t.rejudge(env, &v, removed, clock, out) })
	for i := range t.visits {
		t.renew(env, &t.visits[i], clock, out)
	}
	for _, f := range changed {
		i, visiting := t.findVisit(f.ID)
		if visiting || !f.Contains(t.pos) {
			continue
		}
		v := visit{id: f.ID, fence: f, version: f.Version, entered: clock, open: f.Open(clock)}
		v.plan(clock)
		t.visits = slices.Insert(t.visits, i, v)
		if v.open && f.Emits&fence.MaskEnter != 0 {
			t.stillEvent(Enter, CauseFenceChanged, clock, v.ref(f), out)
		}
	}
	t.number(out, from)
}

// rejudge reports whether a visit goes on, and makes the exit when it does not.
func (t *Track) rejudge(env *Env, v *visit, removed []*fence.Fence, clock int64, out *Output) bool {
	now, there := env.Fences.Get(v.id)
	if there && now.Version == v.version {
		return true
	}
	if there && t.staysIn(env, v, now) && (now.Open(clock) || !v.open) {
		return true
	}
	ref := FenceRef{ID: v.id, Version: v.version}
	emits := fence.MaskAll
	if there {
		ref.Name, ref.Version, emits = now.Name, now.Version, now.Emits
	} else if i := slices.IndexFunc(removed, func(f *fence.Fence) bool { return f.ID == v.id }); i >= 0 {
		ref.Name, emits = removed[i].Name, removed[i].Emits
	}
	if v.open && emits&fence.MaskExit != 0 {
		t.stillEvent(Exit, CauseFenceChanged, clock, ref, out)
	}
	return false
}

func (t *Track) staysIn(env *Env, v *visit, f *fence.Fence) bool {
	if f.Contains(t.pos) {
		return true
	}
	return v.open && !f.OutsideBy(t.pos, t.margin(env, f, float64(t.accuracy)))
}

// renew brings a visit that goes on to the fence's present version: the visit and what it has dwelt stay.
func (t *Track) renew(env *Env, v *visit, clock int64, out *Output) {
	f, there := env.Fences.Get(v.id)
	if !there || f.Version == v.version {
		return
	}
	v.fence, v.version = f, f.Version
	if !v.open && f.Open(clock) {
		v.open, v.dwelt, v.entered = true, false, clock
		if f.Emits&fence.MaskEnter != 0 {
			t.stillEvent(Enter, CauseFenceChanged, clock, v.ref(f), out)
		}
	}
	v.plan(clock)
	if v.dwellDue != 0 {
		v.dwellDue = max(v.dwellDue, clock) // a shorter dwell time makes it due now, not in the past
	}
}
