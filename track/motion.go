package track

import (
	"math"

	"github.com/trackmesh/trackmesh/geo"
)

// step is the way from the newest fix to the next.
type step struct {
	fix     *Fix
	first   bool    // there was no fix before
	leap    bool    // a confirmed jump
	broken  bool    // nobody knows the way taken: a leap, or too long ago
	leg     geo.Leg // its metres are 0 for the first, and for a leap
	speed   float64 // m/s, reported or derived; NaN: absent
	heading float64 // degrees; NaN: absent
}

// at is the vector of the step's fix.
func (s *step) at() geo.Vector {
	if at := s.leg.End(); at.Known() {
		return at
	}
	return geo.VectorOf(s.fix.Position)
}

// vector is that of the newest fix.
func (t *Track) vector() geo.Vector {
	if !t.at.Known() {
		t.at = geo.VectorOf(t.pos)
	}
	return t.at
}

// headingMinMetres is how far a vehicle must move for its derived heading to change.
const headingMinMetres = 1

// firstStep is that of a track's first fix: speed and heading only when they were reported.
func firstStep(fix *Fix) step {
	return step{fix: fix, first: true, speed: fix.SpeedMPS, heading: fix.HeadingDegrees}
}

// leapStep is a confirmed jump's. The heading is the one from before it: the way taken is not known.
func (t *Track) leapStep(fix *Fix) step {
	s := step{fix: fix, leap: true, broken: true, speed: fix.SpeedMPS, heading: fix.HeadingDegrees}
	if math.IsNaN(s.heading) {
		s.heading = float64(t.heading)
	}
	return s
}

// step is that of a fix which comes along a leg from the newest one. What was reported wins.
func (t *Track) step(env *Env, fix *Fix, leg geo.Leg) step {
	s := step{fix: fix, leg: leg, speed: fix.SpeedMPS, heading: fix.HeadingDegrees}
	elapsed := fix.Time - t.time
	s.broken = elapsed > t.gapAfter(env)
	if math.IsNaN(s.speed) {
		s.speed = leg.Metres / (float64(elapsed) / 1000)
	}
	if math.IsNaN(s.heading) {
		s.heading = float64(t.heading)
		if leg.Metres >= headingMinMetres {
			s.heading = s.leg.Arrival()
		}
	}
	return s
}
