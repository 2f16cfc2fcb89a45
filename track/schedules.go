package track

import (
	"slices"

	"github.com/trackmesh/trackmesh/fence"
)

// A fence with a schedule, while the track is in it (visits.go):
//
//	closed ── opens: enter, cause schedule; a new visit ──> open ── closes: exit, cause schedule ──> closed
//
// Both are dated at the change and placed at the newest fix. Dwell:
//
//	open ── inside for dwell_seconds from the enter's time: dwell, once a visit ──> open, dwelt

// plan sets the visit's timers after a moment.
func (v *visit) plan(after int64) {
	v.dwellDue, v.changes = 0, 0
	if change, _, ok := v.fence.NextChange(after); ok {
		v.changes = change
	}
	if v.open && !v.dwelt && v.fence.Dwell > 0 {
		v.dwellDue = v.entered + v.fence.Dwell
	}
}

// openedBetween is when the fence last opened after from, up to and including to.
func openedBetween(f *fence.Fence, from, to int64) (at int64, ok bool) {
	for after := from; ; {
		change, opens, more := f.NextChange(after)
		if !more || change > to {
			return at, ok
		}
		if opens {
			at, ok = change, true
		}
		after = change
	}
}

// changeOver opens or closes a fence that the track is in.
func (t *Track) changeOver(env *Env, due timer, out *Output) {
	v := &t.visits[due.visit]
	f := v.of(env)
	if f == nil { // edited meanwhile: the edit judges it anew
		v.changes = 0
		return
	}
	switch opens := f.Open(due.at); {
	case opens && !v.open:
		v.open, v.dwelt, v.entered = true, false, due.at
		if v.emits.Has(fence.MaskEnter) {
			t.stillEvent(Enter, CauseSchedule, due.at, v.ref(), out)
		}
	case !opens && v.open:
		v.open = false
		if v.emits.Has(fence.MaskExit) {
			t.stillEvent(Exit, CauseSchedule, due.at, v.ref(), out)
		}
		if !f.Contains(t.pos) { // the margin alone kept it
			t.visits = slices.Delete(t.visits, due.visit, due.visit+1)
			return
		}
	}
	v.plan(due.at)
}

// dwell fires once a visit.
func (t *Track) dwell(env *Env, due timer, out *Output) {
	v := &t.visits[due.visit]
	v.dwellDue, v.dwelt = 0, true
	v.of(env)
	if v.emits.Has(fence.MaskDwell) {
		t.stillEvent(Dwell, CauseClock, due.at, v.ref(), out)
	}
}
