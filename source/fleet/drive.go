package fleet

import "math"

// begin puts a vehicle at its stand at the start of the shift in which the time lies.
func (f *Fleet) begin(v *vehicle, now float64) {
	v.shift = int64(math.Floor((now - v.phase) / shiftSeconds))
	v.goal, v.onTail, v.came = v.stand, true, -1
	node := f.hubs.all[v.stand.hub].node
	for e := f.follow(v, node); e >= 0; e = f.follow(v, node) {
		node = f.network.edges[e].to
	}
	f.startShift(v, node, f.shiftStart(v, v.shift))
}

func (f *Fleet) shiftStart(v *vehicle, shift int64) float64 {
	return float64(shift)*shiftSeconds + v.phase
}

func (f *Fleet) startShift(v *vehicle, node int32, at float64) {
	v.random = seeded(f.seed, v.number, uint64(v.shift)) //nolint:gosec // only mixed
	v.returning, v.occupied = false, false
	v.pace = v.random.between(0.85, 1.05)
	f.startLeg(v, node, at)
}

// advance drives until the street that the vehicle is on at that time.
func (f *Fleet) advance(v *vehicle, now float64) {
	for v.street.ends() <= now {
		ended, e := v.street.ends(), &f.network.edges[v.edge]
		switch {
		case v.next >= 0:
			enter := v.street.leave
			if v.street.waiting > 0 {
				enter = 0
			}
			v.edge = v.next
			f.take(v, ended, enter)
		case v.returning:
			v.shift++
			f.startShift(v, e.to, ended)
		default:
			f.startLeg(v, e.to, ended)
		}
	}
}

// startLeg chooses where to go: to a passenger, with one, or, when no other goal leaves the time for it, back to the stand.
func (f *Fleet) startLeg(v *vehicle, node int32, at float64) {
	left := f.shiftStart(v, v.shift+1) - at
	v.occupied = !v.occupied
	v.goal, v.returning = v.stand, true
	for range 3 {
		h := f.hubs.draw(&v.random)
		if !v.occupied { // the next passenger is seldom far
			for range 3 {
				if other := f.hubs.draw(&v.random); f.hubs.all[other].seconds[node] < f.hubs.all[h].seconds[node] {
					h = other
				}
			}
		}
		if f.fits(v, node, h, left) {
			v.goal = goal{h, 1 + v.random.below(maxTail), random(v.random.next())}
			v.returning = false
			break
		}
	}
	if v.returning {
		v.occupied = false
	}
	v.onTail, v.came = false, -1
	v.next = f.follow(v, node)
	v.edge = v.next
	f.take(v, at, 0)
}

// fits reports whether there is time to go to a hub, stand there, and be back at the stand before the shift ends.
func (f *Fleet) fits(v *vehicle, node int32, h int, left float64) bool {
	there := float64(f.hubs.all[h].seconds[node])
	back := float64(f.hubs.all[v.stand.hub].seconds[f.hubs.all[h].node])
	const slack, spare, longestBreak = 1.35, 600, 900
	return (there+back)*slack+3*maxTail*tailSeconds+longestBreak+spare < left
}

// take starts the street v.edge: it finds the one after it and what that asks for.
func (f *Fleet) take(v *vehicle, at, enter float64) {
	e := &f.network.edges[v.edge]
	v.next = f.follow(v, e.to)
	top := float64(e.speed) * v.pace * v.random.between(0.8, 1.05)
	s := &v.street
	s.began, s.waiting = at, 0
	leave := 0.0
	switch {
	case v.next < 0:
		// Set below: how long it stands depends on when it arrives.
	case f.network.signals[e.to] && v.random.unit() < 0.28:
		s.waiting = v.random.between(4, 38)
	default:
		leave = f.corner(e, &f.network.edges[v.next], v.pace)
	}
	s.plan(float64(e.metres), enter, leave, top)
	if v.next < 0 {
		s.waiting = f.stands(v, at+s.driving())
	}
}

// corner is the speed at which one goes from one street into the next.
func (f *Fleet) corner(from, into *edge, pace float64) float64 {
	turn := math.Abs(math.Mod(float64(into.bearing-from.bearing)+540, 360) - 180)
	speed := min(float64(from.speed), float64(into.speed)) * pace * 0.8
	switch {
	case turn > 150:
		speed = min(speed, 2.5)
	case turn > 60:
		speed = min(speed, 5)
	case turn > 25:
		speed = min(speed, 9)
	}
	return min(speed, math.Sqrt(2*hardest*float64(into.metres)))
}

// stands is for how many seconds: passengers get in or out, or the driver takes a break, or the shift is over.
func (f *Fleet) stands(v *vehicle, arrival float64) float64 {
	if v.returning {
		return max(30, f.shiftStart(v, v.shift+1)-arrival)
	}
	if v.random.unit() < 0.12 {
		return v.random.between(200, 900)
	}
	return v.random.between(20, 120)
}

// follow is the next edge of the leg from a node, -1 at its end.
func (f *Fleet) follow(v *vehicle, node int32) int32 {
	if !v.onTail {
		h := &f.hubs.all[v.goal.hub]
		if node != h.node {
			return h.next[node]
		}
		v.onTail = true
	}
	if v.goal.tail == 0 {
		return -1
	}
	v.goal.tail--
	from, to := f.network.leaving(node)
	i := from + int32(v.goal.walk.below(int(to-from))) //nolint:gosec // an index
	if f.network.edges[i].to == v.came && to-from > 1 {
		if i++; i == to {
			i = from
		}
	}
	v.came = node
	return i
}
