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
//	    │    ▲  inside,     │   opens: enter ▲   │ closes: exit                                           ▲
//	    └────┘  closed      ▼                │   ▼                                                        │
//	    cross            ┌───────────────────────────┐   outside                                          │
//	                     │ visit, closed (no events) │ ────────────────────────────────────────────────────┘
//	                     └───────────────────────────┘
//
// cross: outside at both ends of a step that goes through the interior. Opening and closing are in schedules.go, edits in
// edits.go.

// visit is a fence that the track is in.
type visit struct {
	id       string
	name     string       // only while fence is nil after a restore: for the exit of a fence that is gone meanwhile
	fence    *fence.Fence // at the version below; nil after a restore until it is looked up
	version  int64
	entered  int64 // UTC ms
	dwellDue int64 // 0: none
	changes  int64 // when its schedule opens or closes next; 0: never
	emits    fence.Mask
	open     bool
	dwelt    bool
	outside  bool // scratch: the present step's fix is
}

// maxVisits bounds the fences that one track can be in, and so its snapshot. More are not entered.
const maxVisits = 2048

// of is the visit's fence, or nil when the set has none of that version.
func (v *visit) of(env *Env) *fence.Fence {
	if v.fence == nil {
		if f, ok := env.Fences.Get(v.id); ok && f.Version == v.version {
			v.fence, v.id, v.name = f, f.ID, ""
		}
	}
	return v.fence
}

// ref names the visit's fence at the version that was in force.
func (v *visit) ref() FenceRef {
	r := FenceRef{ID: v.id, Name: v.name, Version: v.version}
	if v.fence != nil {
		r.Name = v.fence.Name
	}
	return r
}

func visitOf(f *fence.Fence, entered int64, open bool) visit {
	return visit{id: f.ID, fence: f, version: f.Version, emits: f.Emits, entered: entered, open: open}
}

func (t *Track) findVisit(id string) (int, bool) {
	return slices.BinarySearchFunc(t.visits, id, func(v visit, id string) int { return cmp.Compare(v.id, id) })
}

// pass takes the step through the fences.
func (t *Track) pass(env *Env, s *step, out *Output) {
	if len(t.visits) == 0 && env.Fences.Len() == 0 {
		return
	}
	at := s.fix.Position
	if t.zone.Holds(env.Fences, at) {
		return
	}
	env.passed, env.left, env.entered = env.passed[:0], env.left[:0], env.entered[:0]
	t.ask(env, s)
	if env.Fences.HasFollowers() {
		env.inside, env.passed = t.others(env.inside), t.others(env.passed)
	}
	if len(t.visits) == 0 {
		env.entered = append(env.entered, env.inside...)
	} else if t.compare(env) {
		t.leaveOutside(env, s, out)
	}
	for _, f := range env.entered {
		if len(t.visits) < maxVisits {
			t.goIn(s, f, out)
		}
	}
	if len(t.visits) != len(env.inside) { // one keeps it by its margin
		t.zone = fence.Zone{}
	}
	for _, f := range env.passed {
		if _, visiting := t.findVisit(f.ID); !visiting && !slices.Contains(env.left, f.ID) {
			t.goThrough(s, f, out)
		}
	}
}

// A zone is looked for within so many legs of the fix, metres. Where none is found it is looked for less and less often: in
// the middle of a town full of fences there are none.
const (
	zoneLegs            = 2
	leastZone, mostZone = 50, 2000
	mostTried           = 5
)

// ask finds the fences that the step's fix is inside and those that it passes, and perhaps a zone.
func (t *Track) ask(env *Env, s *step) {
	at := s.fix.Position
	t.zone = fence.Zone{}
	switch {
	case s.first || s.broken:
		env.inside = env.Fences.At(at, env.inside[:0])
	case t.skip > 0:
		t.skip--
		env.inside, env.passed = env.Fences.Step(t.pos, at, env.inside[:0], env.passed[:0])
	default:
		metres := min(max(zoneLegs*s.leg.Metres, leastZone), mostZone)
		env.inside, env.passed, t.zone = env.Fences.StepAndLook(t.pos, at, metres, env.inside[:0], env.passed[:0])
		if t.zone != (fence.Zone{}) {
			t.tried = 0
			return
		}
		t.tried = min(t.tried+1, mostTried)
		t.skip = 1 << t.tried / 4
	}
}

// others drops the fences that follow the track's own vehicle: it is never in or out of those.
func (t *Track) others(fences []*fence.Fence) []*fence.Fence {
	return slices.DeleteFunc(fences, func(f *fence.Fence) bool { return f.Follows == t.vehicle })
}

// compare goes through the visits and the fences that the fix is inside, both by id: it marks the visits that it is not
// inside, says whether there are any, and collects the fences that are not visited.
func (t *Track) compare(env *Env) (outside bool) {
	next := 0
	for i := range t.visits {
		v := &t.visits[i]
		v.outside = true
		for next < len(env.inside) && v.outside {
			f := env.inside[next]
			if f != v.fence && f.ID > v.id {
				break
			}
			if f == v.fence || f.ID == v.id {
				v.outside = false
			} else {
				env.entered = append(env.entered, f)
			}
			next++
		}
		outside = outside || v.outside
	}
	env.entered = append(env.entered, env.inside[next:]...)
	return outside
}

// leaveOutside ends the visits of fences that the fix proves to have been left.
func (t *Track) leaveOutside(env *Env, s *step, out *Output) {
	kept := t.visits[:0]
	for i := range t.visits {
		v := &t.visits[i]
		if !v.outside || t.keeps(env, v, s) {
			kept = append(kept, *v)
			continue
		}
		env.left = append(env.left, v.id)
		if v.open && v.emits.Has(fence.MaskExit) {
			t.exit(s, v, out)
		}
	}
	clear(t.visits[len(kept):])
	t.visits = kept
}

// keeps reports whether a visit goes on although the fix is outside.
func (t *Track) keeps(env *Env, v *visit, s *step) bool {
	f := v.of(env)
	switch {
	case f == nil:
		return true // a fence that is gone is left when the edit is applied
	case !v.open:
		return false
	}
	return !f.OutsideBy(s.fix.Position, margin(env, f, s.fix.AccuracyMetres))
}

// maxAccuracyMetres is how far a reported accuracy can widen the margin.
const maxAccuracyMetres = 500

// margin is how far outside proves an exit, metres.
func margin(env *Env, f *fence.Fence, accuracy float64) float64 {
	m := env.Settings.ExitMarginMetres
	if f.HasMargin() {
		m = f.ExitMarginMetres
	}
	if accuracy > m { // not when it is NaN
		m = max(m, min(accuracy, maxAccuracyMetres))
	}
	return m
}

// exit is dated where the step last leaves the boundary. Where the older fix was outside already (within the margin), that
// is when and where it was left at the latest.
func (t *Track) exit(s *step, v *visit, out *Output) {
	e := t.fenceEvent(Exit, s, v.fence, out)
	switch {
	case s.broken: // nobody knows the way
	case !v.fence.Contains(t.pos):
		e.Time, e.Location = t.time, t.pos
	default:
		if way := v.fence.Traverse(t.pos, s.fix.Position); way.Meets {
			e.Time, e.Location = t.along(s, way.Last)
		}
	}
}

// along is when and where a fraction of the step was done.
func (t *Track) along(s *step, fraction float64) (at int64, place geo.Point) {
	at = t.time + int64(math.Round(fraction*float64(s.fix.Time-t.time)))
	return at, geo.Along(t.pos, s.fix.Position, fraction)
}

// goIn starts a visit.
func (t *Track) goIn(s *step, f *fence.Fence, out *Output) {
	at, _ := t.findVisit(f.ID)
	v := visitOf(f, s.fix.Time, f.Open(s.fix.Time))
	place := s.fix.Position
	if v.open && !s.first && !s.broken {
		v.entered, place = t.entry(s, f)
	}
	v.plan(s.fix.Time)
	t.visits = slices.Insert(t.visits, at, v)
	if v.open && f.Emits.Has(fence.MaskEnter) {
		e := t.fenceEvent(Enter, s, f, out)
		e.Time, e.Location = v.entered, place
	}
}

// entry is where the step first meets the boundary; or, when the fence opened after that, where the vehicle was then.
func (t *Track) entry(s *step, f *fence.Fence) (at int64, place geo.Point) {
	at, place = s.fix.Time, s.fix.Position
	if way := f.Traverse(t.pos, s.fix.Position); way.Meets {
		at, place = t.along(s, way.First)
	}
	if opened, ok := openedBetween(f, at, s.fix.Time); ok {
		_, place = t.along(s, float64(opened-t.time)/float64(s.fix.Time-t.time))
		return opened, place
	}
	return at, place
}

// goThrough makes a cross of a step through the fence's interior with both ends outside.
func (t *Track) goThrough(s *step, f *fence.Fence, out *Output) {
	if !f.Emits.Has(fence.MaskCross) || f.Contains(t.pos) {
		return
	}
	way := f.Traverse(t.pos, s.fix.Position)
	if !way.Interior {
		return
	}
	if at, place := t.along(s, way.In); f.Open(at) {
		e := t.fenceEvent(Cross, s, f, out)
		e.Time, e.Location = at, place
	}
}

// leaveAll ends every visit, of which the open ones with an exit.
func (t *Track) leaveAll(env *Env, at int64, cause Cause, out *Output) {
	for i := range t.visits {
		v := &t.visits[i]
		v.of(env)
		if v.open && v.emits.Has(fence.MaskExit) {
			t.stillEvent(Exit, cause, at, v.ref(), out)
		}
	}
	t.visits = nil
}
