package fleet

import "math"

const (
	shiftSeconds = 3 * 3600
	// maxTail is how many streets past a hub a leg may go on.
	maxTail = 18
	// tailSeconds is what one of those takes at most, about.
	tailSeconds = 24

	accelerate = 1.8 // m/s²
	brake      = 2.4
	// hardest is the braking that one reckons with on the next street: its length bounds the speed at which one enters it.
	hardest = 3.2
)

// vehicle is where one is and what it does next. All of it follows from the seed, the vehicle's number and the time.
//
//	shift begins ──> leg ──> stands ──> leg ──> stands ── … ──> leg to its stand ──> parked ──> shift ends = next begins
//
// A leg is a series of streets; v.street is the present one, with what waits at its end.
type vehicle struct {
	number uint64
	random random
	shift  int64
	phase  float64 // seconds by which its shifts begin after the fleet's
	stand  goal
	pace   float64 // its speed as a part of the usual one

	goal      goal
	onTail    bool
	came      int32 // node before the present one, on the tail; -1: none
	returning bool
	occupied  bool

	edge, next int32 // the present street and the following; next -1: the leg ends at the end of this one
	street     street
}

// goal is a hub and a walk beyond it.
type goal struct {
	hub  int
	tail int
	walk random
}

// street is how one drives along an edge: from speed enter to peak, then to leave, then it waits.
type street struct {
	began                    float64 // UTC seconds
	enter, peak, leave       float64 // m/s
	rising, holding, slowing float64 // seconds
	waiting                  float64 // seconds at the end
	risingMetres             float64
}

func (s *street) driving() float64 { return s.rising + s.holding + s.slowing }
func (s *street) ends() float64    { return s.began + s.driving() + s.waiting }

// at is how far and how fast one is at a time.
func (s *street) at(now, length float64) (metres, speed float64) {
	t := now - s.began
	switch {
	case t <= 0:
		return 0, s.enter
	case t < s.rising:
		a := (s.peak - s.enter) / s.rising
		return s.enter*t + a*t*t/2, s.enter + a*t
	case t < s.rising+s.holding:
		return s.risingMetres + (t-s.rising)*s.peak, s.peak
	case t < s.driving():
		left := s.driving() - t
		a := (s.peak - s.leave) / s.slowing
		return length - s.leave*left - a*left*left/2, s.leave + a*left
	}
	return length, 0
}

// plan computes the times of a street so long, from speed enter to speed leave (or what can be reached), at most at top.
func (s *street) plan(length, enter, leave, top float64) {
	leave = min(leave, math.Sqrt(enter*enter+2*accelerate*length))
	s.enter, s.leave = enter, leave
	if enter*enter-leave*leave >= 2*brake*length {
		// Too short to brake gently: it slows over the whole length.
		s.peak, s.rising, s.holding, s.risingMetres = enter, 0, 0, 0
		s.slowing = 2 * length / (enter + leave)
		return
	}
	// The fastest that one can be in between and still brake for the end.
	fastest := math.Sqrt((2*accelerate*brake*length + brake*enter*enter + accelerate*leave*leave) / (accelerate + brake))
	s.peak = max(min(top, fastest), enter, leave)
	s.rising, s.risingMetres = (s.peak-enter)/accelerate, (s.peak*s.peak-enter*enter)/(2*accelerate)
	s.slowing = (s.peak - leave) / brake
	slowingMetres := (s.peak*s.peak - leave*leave) / (2 * brake)
	s.holding = max(0, length-s.risingMetres-slowingMetres) / s.peak
}
