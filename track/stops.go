package track

import (
	"math"

	"github.com/trackmesh/trackmesh/geo"
)

// Stops and trips:
//
//	          all fixes within the radius of the candidate's
//	          first fix, for stop_after: stop_started, trip_ended
//	  moving ───────────────────────────────────────────────────> stopped ──┐ one fix outside: strayed
//	    ▲  │ a fix outside: it is the new candidate                  │  ▲   │ back inside: not strayed
//	    └──┘                                                         │  └───┘
//	    ▲        two fixes in a row outside the stop's radius:       │
//	    └─────────────── stop_ended, trip_started ───────────────────┘
//
// A stop is dated at its candidate's first fix, its end and the next trip at the first of the two fixes outside.

// candidate is where a stop may have begun.
type candidate struct {
	time     int64
	pos      geo.Point
	offset   int64
	n        int32   // fixes
	dLon     float64 // sums of their differences from pos, degrees
	dLat     float64
	distance float64 // of the trip, up to the candidate's first fix
	maxSpeed float64
}

// stop is the present one.
type stop struct {
	started int64
	place   geo.Point // the mean of the fixes that made it
	inside  Evidence  // the newest fix within its radius
	strayed Evidence  // the first fix outside, while strayed
	leg     float64   // metres from inside to strayed
}

// trip is the present one, since its start fix.
type trip struct {
	start    int64
	from     geo.Point
	distance float64
	maxSpeed float64
}

// follow takes the step through the stops and trips, and the odometer with it.
func (t *Track) follow(env *Env, s *step, out *Output) {
	if t.stopped {
		t.rest(env, s, out)
		return
	}
	t.odometer += s.distance
	t.travel(s)
	t.mayStop(env, s, out)
}

// travel adds a step to the trip.
func (t *Track) travel(s *step) {
	t.trip.distance += s.distance
	if !s.leap && !s.first && s.speed > t.trip.maxSpeed {
		t.trip.maxSpeed = s.speed
	}
}

// mayStop adds the fix to the candidate, or makes it a new one.
func (t *Track) mayStop(env *Env, s *step, out *Output) {
	c := &t.candidate
	if c.n == 0 || !within(c.pos, s.fix.Position, t.stopRadius(env)) {
		*c = candidate{
			time: s.fix.Time, pos: s.fix.Position, offset: s.fix.Offset, n: 1, distance: t.trip.distance, maxSpeed: t.trip.maxSpeed,
		}
		return
	}
	c.n++
	c.dLon += geo.NormalizeLon(s.fix.Position.Lon - c.pos.Lon)
	c.dLat += s.fix.Position.Lat - c.pos.Lat
	if s.fix.Time-c.time >= t.stopAfter(env) {
		t.startStop(s, out)
	}
}

func (t *Track) startStop(s *step, out *Output) {
	c := &t.candidate
	n := float64(c.n)
	place := geo.Point{Lon: geo.NormalizeLon(c.pos.Lon + c.dLon/n), Lat: c.pos.Lat + c.dLat/n}
	t.stopped, t.strayed = true, false
	t.stop = stop{started: c.time, place: place, inside: s.evidence()}
	first := Evidence{Time: c.time, Location: c.pos, Offset: c.offset}
	if t.inTrip {
		t.inTrip = false
		e := t.fixEvent(TripEnded, s, out)
		e.Time, e.Location, e.Before = c.time, c.pos, out.evidence.put(first)
		e.Trip = out.trips.put(Trip{
			Start: TripPoint{Time: t.trip.start, Location: t.trip.from}, End: TripPoint{Time: c.time, Location: c.pos},
			DistanceMetres: c.distance, MaxSpeedMPS: c.maxSpeed,
		})
	}
	e := t.fixEvent(StopStarted, s, out)
	e.Time, e.Location, e.Before = c.time, c.pos, out.evidence.put(first)
	e.Stop = out.stops.put(Stop{Started: c.time, Location: place})
}

// rest takes a step while stopped. Within the radius it adds nothing to the odometer; leaving adds the leg from the last
// fix inside.
func (t *Track) rest(env *Env, s *step, out *Output) {
	switch {
	case within(t.stop.place, s.fix.Position, t.stopRadius(env)):
		t.strayed = false
		t.stop.inside = s.evidence()
	case !t.strayed:
		t.strayed = true
		t.stop.strayed, t.stop.leg = s.evidence(), s.distance
	default:
		t.endStop(s, out)
		t.odometer += t.stop.leg + s.distance
		first := t.stop.strayed
		t.candidate = candidate{time: first.Time, pos: first.Location, offset: first.Offset, n: 1}
		t.travel(s)
		t.mayStop(env, s, out)
	}
}

func (t *Track) endStop(s *step, out *Output) {
	first := t.stop.strayed
	t.stopped, t.strayed = false, false
	t.inTrip, t.trip = true, trip{start: first.Time, from: first.Location}
	for _, kind := range [...]EventType{StopEnded, TripStarted} {
		e := t.fixEvent(kind, s, out)
		e.Time, e.Location = first.Time, first.Location
		e.Before, e.After = out.evidence.put(t.stop.inside), out.evidence.put(first)
		if kind == StopEnded {
			e.Stop = out.stops.put(Stop{Started: t.stop.started, Ended: first.Time, Location: t.stop.place})
		} else {
			e.Trip = out.trips.put(Trip{Start: TripPoint{Time: first.Time, Location: first.Location}})
		}
	}
}

// within reports whether two points are at most so many metres apart. Most are far apart, which their latitudes show.
func within(a, b geo.Point, metres float64) bool {
	const leastMetresPerDegree = 110574 // of latitude, at the equator
	if math.Abs(a.Lat-b.Lat)*leastMetresPerDegree > metres+1 {
		return false
	}
	return geo.Distance(a, b) <= metres
}
