package track

import (
	"math"

	"github.com/trackmesh/trackmesh/geo"
)

// step is the way from the newest fix to the next.
type step struct {
	fix      *Fix
	first    bool    // there was no fix before
	leap     bool    // a confirmed jump
	broken   bool    // nobody knows the way taken: a leap, or too long ago
	distance float64 // metres; 0 for the first, and for a leap
	speed    float64 // m/s, reported or derived; NaN: absent
	heading  float64 // degrees; NaN: absent
}

// headingMinMetres is how far a vehicle must move for its derived heading to change.
const headingMinMetres = 1

func (t *Track) step(env *Env, h held, leap bool) step {
	fix := h.fix
	s := step{fix: fix, first: !t.has, leap: leap, speed: fix.SpeedMPS, heading: fix.HeadingDegrees}
	if s.first {
		return s
	}
	s.broken = leap || fix.Time-t.time > t.gapAfter(env)
	if leap {
		return s
	}
	s.distance = h.distance
	if math.IsNaN(s.speed) {
		s.speed = s.distance / (float64(fix.Time-t.time) / 1000)
	}
	if math.IsNaN(s.heading) {
		s.heading = float64(t.heading)
		if s.distance >= headingMinMetres {
			s.heading = geo.FinalBearing(t.pos, fix.Position)
		}
	}
	return s
}
