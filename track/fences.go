package track

import (
	"cmp"
	"math"
	"slices"

	"github.com/trackmesh/trackmesh/fence"
	"github.com/trackmesh/trackmesh/geo"
)

// A track and a fence:
//
//	               inside, open: enter                       outside by more than the margin: exit
//	  ┌─────────┐ ─────────────────────> ┌───────────────┐ ─────────────────────────────────────────> ┌─────────┐
//	  │ outside │                        │ visit, open   │                                            │ outside │
//	  └─────────┘ ──────────┐            └───────────────┘                                            └─────────┘
//	       ▲  inside, closed│   opens: enter ▲   │ closes: exit                                            ▲
//	       │                ▼                │   ▼                                                         │
//	       │             ┌───────────────────────────┐   outside                                           │
//	       └──────────── │ visit, closed (no events) │ ──────────────────────────────────────────────────────┘
//	                     └───────────────────────────┘
//
// cross: outside at both ends of a step that goes through the interior.

// visit is a fence that the track is in.
type visit struct {
	id       string
	fence    *fence.Fence // at the version below; nil after a restore until it is looked up
	version  int64
	entered  int64 // UTC ms
	dwellDue int64 // 0: none
	changes  int64 // when its schedule opens or closes next; 0: never
	open     bool
	dwelt    bool
}

// of is the visit's fence, or nil when the set has none of that version.
func (v *visit) of(env *Env) *fence.Fence {
	if v.fence == nil {
		if f, ok := env.Fences.Get(v.id); ok && f.Version == v.version {
			v.fence = f
		}
	}
	return v.fence
}

func (t *Track) findVisit(id string) (int, bool) {
	return slices.BinarySearchFunc(t.visits, id, func(v visit, id string) int { return cmp.Compare(v.id, id) })
}

// cross takes the step through the fences.
func (t *Track) cross(env *Env, s *step, out *Output) {
	at := s.fix.Position
	env.passed, env.left = env.passed[:0], env.left[:0]
	if s.first || s.broken {
		env.inside = env.Fences.At(at, env.inside[:0])
	} else {
		env.inside, env.passed = env.Fences.Step(t.pos, at, env.inside[:0], env.passed[:0])
	}
	if len(t.visits) > 0 {
		t.leaveOutside(env, s, out)
	}
	for _, f := range env.inside {
		if i, visiting := t.findVisit(f.ID); !visiting {
			t.goIn(env, s, f, i, out)
		}
	}
	for _, f := range env.passed {
		if _, visiting := t.findVisit(f.ID); !visiting && !slices.Contains(env.left, f.ID) {
			t.goThrough(s, f, out)
		}
	}
}

// leaveOutside ends the visits of fences that the fix proves to have been left.
func (t *Track) leaveOutside(env *Env, s *step, out *Output) {
	kept := t.visits[:0]
	for _, v := range t.visits {
		f := v.of(env)
		switch {
		case f == nil || containsFence(env.inside, v.id):
			kept = append(kept, v) // a fence that is gone is left when the edit is applied
		case !v.open:
			env.left = append(env.left, v.id)
		case f.OutsideBy(s.fix.Position, t.margin(env, f, s.fix.AccuracyMetres)):
			env.left = append(env.left, v.id)
			t.exit(s, f, out)
		default:
			kept = append(kept, v)
		}
	}
	clear(t.visits[len(kept):])
	t.visits = kept
}

// maxAccuracyMetres is how far a reported accuracy can widen the margin.
const maxAccuracyMetres = 500

// margin is how far outside proves an exit.
func (t *Track) margin(env *Env, f *fence.Fence, accuracy float64) float64 {
	margin := env.Settings.ExitMarginMetres
	if !math.IsNaN(f.ExitMarginMetres) {
		margin = f.ExitMarginMetres
	}
	if accuracy > margin {
		margin = math.Min(accuracy, maxAccuracyMetres)
	}
	return margin
}

func containsFence(sorted []*fence.Fence, id string) bool {
	_, found := slices.BinarySearchFunc(sorted, id, func(f *fence.Fence, id string) int { return cmp.Compare(f.ID, id) })
	return found
}

// exit is dated where the step last leaves the boundary. Where the older fix was outside already (within the margin), that
// is when and where it was left at the latest.
func (t *Track) exit(s *step, f *fence.Fence, out *Output) {
	if f.Emits&fence.MaskExit == 0 {
		return
	}
	e := t.fixEvent(Exit, s, out)
	e.Fence = out.ref(f)
	if s.broken {
		return
	}
	if way := f.Traverse(t.pos, s.fix.Position); way.Meets && f.Contains(t.pos) {
		t.dateAlong(e, s, way.Last)
		return
	}
	e.Time, e.Location = t.time, t.pos
}

// dateAlong puts an event at a fraction of the step.
func (t *Track) dateAlong(e *Event, s *step, fraction float64) {
	e.Time = t.time + int64(math.Round(fraction*float64(s.fix.Time-t.time)))
	e.Location = geo.Along(t.pos, s.fix.Position, fraction)
}

// goIn starts a visit. It is dated where the step first meets the boundary, but never before the fence opened.
func (t *Track) goIn(env *Env, s *step, f *fence.Fence, at int, out *Output) {
	v := visit{id: f.ID, fence: f, version: f.Version, entered: s.fix.Time, open: f.Open(s.fix.Time)}
	place := s.fix.Position
	if v.open && !s.first && !s.broken {
		var e Event
		if way := f.Traverse(t.pos, s.fix.Position); way.Meets {
			t.dateAlong(&e, s, way.First)
			v.entered, place = e.Time, e.Location
		}
		if opened, ok := openedBetween(f, v.entered, s.fix.Time); ok {
			v.entered = opened
			place = geo.Along(t.pos, s.fix.Position, float64(opened-t.time)/float64(s.fix.Time-t.time))
		}
	}
	v.plan(s.fix.Time)
	t.visits = slices.Insert(t.visits, at, v)
	if v.open && f.Emits&fence.MaskEnter != 0 {
		e := t.fixEvent(Enter, s, out)
		e.Time, e.Location, e.Fence = v.entered, place, out.ref(f)
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

// goThrough makes a cross of a step through the fence's interior with both ends outside.
func (t *Track) goThrough(s *step, f *fence.Fence, out *Output) {
	if f.Emits&fence.MaskCross == 0 || f.Contains(t.pos) {
		return
	}
	way := f.Traverse(t.pos, s.fix.Position)
	if !way.Interior {
		return
	}
	var at Event
	t.dateAlong(&at, s, way.In)
	if !f.Open(at.Time) {
		return
	}
	e := t.fixEvent(Cross, s, out)
	e.Time, e.Location, e.Fence = at.Time, at.Location, out.ref(f)
}

// ref names a fence at its version.
func (o *Output) ref(f *fence.Fence) *FenceRef {
	return o.fences.put(FenceRef{ID: f.ID, Name: f.Name, Version: f.Version})
}

// stillEvent appends an event that no fix caused: at the newest fix's place, with it as evidence.
func (t *Track) stillEvent(kind EventType, cause Cause, at int64, ref FenceRef, out *Output) {
	out.Events = append(out.Events, Event{
		Type: kind, Cause: cause, Time: at, Vehicle: t.vehicle, Location: t.pos, SourceOffset: -1,
		Before: out.evidence.put(t.newest()), Fence: out.fences.put(ref),
	})
}

// dwell fires once a visit.
func (t *Track) dwell(env *Env, timer timer, out *Output) {
	v := &t.visits[timer.visit]
	v.dwellDue, v.dwelt = 0, true
	if f := v.of(env); f != nil && f.Emits&fence.MaskDwell != 0 {
		t.stillEvent(Dwell, CauseClock, timer.due, v.ref(f), out)
	}
}

func (v *visit) ref(f *fence.Fence) FenceRef {
	r := FenceRef{ID: v.id, Version: v.version}
	if f != nil {
		r.Name = f.Name
	}
	return r
}

// changeOver opens or closes a fence that the track is in.
func (t *Track) changeOver(env *Env, timer timer, out *Output) {
	v := &t.visits[timer.visit]
	f := v.of(env)
	if f == nil {
		v.changes = 0
		return
	}
	opens := f.Open(timer.due)
	switch {
	case opens && !v.open:
		v.open, v.dwelt, v.entered = true, false, timer.due
		if f.Emits&fence.MaskEnter != 0 {
			t.stillEvent(Enter, CauseSchedule, timer.due, v.ref(f), out)
		}
		v.plan(timer.due)
	case !opens && v.open:
		if f.Emits&fence.MaskExit != 0 {
			t.stillEvent(Exit, CauseSchedule, timer.due, v.ref(f), out)
		}
		v.open = false
		if !f.Contains(t.pos) { // it was kept by the margin only
			t.visits = slices.Delete(t.visits, timer.visit, timer.visit+1)
			return
		}
		v.plan(timer.due)
	default:
		v.plan(timer.due)
	}
}

// leaveAll ends every visit, of which the open ones with an exit.
func (t *Track) leaveAll(env *Env, at int64, cause Cause, out *Output) {
	for i := range t.visits {
		v := &t.visits[i]
		if f := v.of(env); v.open && (f == nil || f.Emits&fence.MaskExit != 0) {
			t.stillEvent(Exit, cause, at, v.ref(f), out)
		}
	}
	t.visits = nil
}
