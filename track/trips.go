package track

import "github.com/trackmesh/trackmesh/geo"

// A trip goes from a stop's end to the next stop's start:
//
//	no trip ── a stop ends: trip_started ──> in a trip ── the next starts: trip_ended ──> no trip
//
// A new track is moving without a trip: nobody saw it start. Gaps and jumps end none.

// trip is the present one, since its start fix.
type trip struct {
	start    int64 // UTC ms
	from     geo.Point
	metres   float64
	maxSpeed float32 // m/s
}

// travel adds a step to the trip. A leap's metres are 0.
func (t *Track) travel(s *step) {
	t.trip.metres += s.leg.Metres
	if speed := float32(s.speed); !s.leap && speed > t.trip.maxSpeed {
		t.trip.maxSpeed = speed
	}
}

// startTrip is called with endStop: the newest fix is the trip's first.
func (t *Track) startTrip(s *step, out *Output) {
	t.inTrip, t.trip = true, trip{start: t.time, from: t.pos}
	e := t.fixEvent(TripStarted, s, out)
	t.dateAtLeaving(e, out)
	e.Trip = out.trips.put(Trip{Start: TripPoint{Time: t.time, Location: t.pos}})
}

// endTrip ends it at the first fix of the stop that is found to have begun.
func (t *Track) endTrip(s *step, out *Output) {
	t.inTrip = false
	e := t.fixEvent(TripEnded, s, out)
	e.Time, e.Location, e.Before = t.halt.since, t.halt.first, out.evidence.put(t.halt.evidence())
	e.Trip = out.trips.put(Trip{
		Start: TripPoint{Time: t.trip.start, Location: t.trip.from}, End: TripPoint{Time: t.halt.since, Location: t.halt.first},
		DistanceMetres: t.halt.metres, MaxSpeedMPS: rounded(t.halt.maxSpeed),
	})
}
