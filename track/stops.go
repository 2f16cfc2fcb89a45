package track

import (
	"math"

	"github.com/trackmesh/trackmesh/geo"
)

// Stops:
//
//	          all fixes within the radius of the candidate's
//	          first fix, for stop_after: stop_started
//	  moving ───────────────────────────────────────────────────> stopped ──┐ one fix outside: strayed
//	    ▲  │ a fix outside: it is the new candidate                  │  ▲   │ back inside: not strayed
//	    └──┘                                                         │  └───┘
//	    ▲        two fixes in a row outside the stop's radius:       │
//	    └────────────────────── stop_ended ──────────────────────────┘
//
// A stop is dated at its candidate's first fix, its end at the first of the two fixes outside. Each start of a stop ends
// the trip, each end starts the next (trips.go).

// halt is where the vehicle may have stopped (the candidate), and once it is stopped, where it did.
type halt struct {
	since    int64      // time of its first fix, UTC ms
	first    geo.Point  // the candidate's first fix
	at       geo.Vector // of the candidate's first fix, then of the stop's place; unknown: not asked yet
	offset   int64      // of that fix
	sumLon   float64    // of the differences of its fixes from the first, degrees
	sumLat   float64
	fixes    int32
	maxSpeed float32 // of the trip up to the first fix, m/s
	metres   float64 // of the trip up to the first fix

	// While strayed: the newest fix within the radius, and the metres from it to the one outside.
	inside Evidence
	leg    float64
}

// follow takes the step through the stops, and the odometer and the trip with it.
func (t *Track) follow(env *Env, s *step, out *Output) {
	if t.stopped {
		t.rest(env, s, out)
		return
	}
	t.odometer += s.leg.Metres
	t.travel(s)
	t.mayStop(env, s, out)
}

// mayStop adds the fix to the candidate, or makes it a new one.
func (t *Track) mayStop(env *Env, s *step, out *Output) {
	h := &t.halt
	if h.fixes == 0 || !t.nearHalt(env, s) {
		*h = halt{
			since: s.fix.Time, first: s.fix.Position, at: s.at(), offset: s.fix.Offset, fixes: 1,
			metres: t.trip.metres, maxSpeed: t.trip.maxSpeed,
		}
		return
	}
	h.add(s.fix.Position)
	if s.fix.Time-h.since >= t.stopAfter(env) {
		t.startStop(s, out)
	}
}

// nearHalt reports whether the fix is within the radius of the candidate's first fix.
func (t *Track) nearHalt(env *Env, s *step) bool {
	if t.halt.since == t.time && !s.leap && !s.first { // which is the newest one: most often, on the way
		return s.leg.Metres <= t.stopRadius(env)
	}
	h := &t.halt
	if !h.at.Known() {
		h.at = geo.VectorOf(h.first)
	}
	return h.at.Within(s.at(), t.stopRadius(env))
}

// nearStop reports whether the fix is within the radius of the stop's place.
func (t *Track) nearStop(env *Env, s *step) bool {
	h := &t.halt
	if !h.at.Known() {
		h.at = geo.VectorOf(h.place())
	}
	return h.at.Within(s.at(), t.stopRadius(env))
}

// polar is the latitude beyond which means of longitudes say little.
const polar = 89

// add takes a fix into the mean.
func (h *halt) add(p geo.Point) {
	if math.Abs(p.Lat) > polar { // the mean wanders along geodesics
		next := geo.Along(h.place(), p, 1/float64(h.fixes+1))
		h.fixes++
		h.sumLon = geo.NormalizeLon(next.Lon-h.first.Lon) * float64(h.fixes)
		h.sumLat = (next.Lat - h.first.Lat) * float64(h.fixes)
		return
	}
	h.fixes++
	h.sumLon += geo.NormalizeLon(p.Lon - h.first.Lon)
	h.sumLat += p.Lat - h.first.Lat
}

// place is the mean of the fixes.
func (h *halt) place() geo.Point {
	n := float64(max(1, h.fixes))
	return geo.Point{Lon: geo.NormalizeLon(h.first.Lon + h.sumLon/n), Lat: h.first.Lat + h.sumLat/n}
}

func (h *halt) evidence() Evidence {
	return Evidence{Time: h.since, Location: h.first, Offset: h.offset}
}

func (t *Track) startStop(s *step, out *Output) {
	t.stopped, t.strayed = true, false
	t.halt.at = geo.Vector{} // from now on it is the mean's
	if t.inTrip {
		t.endTrip(s, out)
	}
	e := t.fixEvent(StopStarted, s, out)
	e.Time, e.Location, e.Before = t.halt.since, t.halt.first, out.evidence.put(t.halt.evidence())
	e.Stop = out.stops.put(Stop{Started: t.halt.since, Location: t.halt.place()})
}

// rest takes a step while stopped. Within the radius it adds nothing to the odometer; leaving adds the leg from the last
// fix inside.
func (t *Track) rest(env *Env, s *step, out *Output) {
	switch {
	case t.nearStop(env, s):
		t.strayed = false
	case !t.strayed:
		t.strayed = true
		t.halt.inside, t.halt.leg = t.newest(), s.leg.Metres
	default:
		t.endStop(s, out)
		t.odometer += t.halt.leg + s.leg.Metres
		t.startTrip(s, out)
		t.halt = halt{since: t.time, first: t.pos, at: t.vector(), offset: t.offset, fixes: 1}
		t.travel(s)
		t.mayStop(env, s, out)
	}
}

// endStop is called at the second fix outside; the newest one is the first.
func (t *Track) endStop(s *step, out *Output) {
	t.stopped, t.strayed = false, false
	e := t.fixEvent(StopEnded, s, out)
	t.dateAtLeaving(e, out)
	e.Stop = out.stops.put(Stop{Started: t.halt.since, Ended: t.time, Location: t.halt.place()})
}

// dateAtLeaving puts an event at the first fix outside the stop.
func (t *Track) dateAtLeaving(e *Event, out *Output) {
	e.Time, e.Location = t.time, t.pos
	e.Before, e.After = out.evidence.put(t.halt.inside), out.evidence.put(t.newest())
}
