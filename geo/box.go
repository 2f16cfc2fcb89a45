package geo

import "math"

// World is the box of everything.
var World = Box{West: -180, South: -90, East: 180, North: 90}

// BoxOf is the box of one point.
func BoxOf(p Point) Box {
	lon := NormalizeLon(p.Lon)
	return Box{West: lon, South: p.Lat, East: lon, North: p.Lat}
}

// Between is the box of the straight line in longitude and latitude from a to b, the short way.
func Between(a, b Point) Box {
	west, east := NormalizeLon(a.Lon), NormalizeLon(b.Lon)
	if d := east - west; d < 0 && d >= -180 || d > 180 {
		west, east = east, west
	}
	return Box{West: west, South: min(a.Lat, b.Lat), East: east, North: max(a.Lat, b.Lat)}
}

// CrossesAntimeridian reports whether the box reaches across 180 degrees.
func (b Box) CrossesAntimeridian() bool { return b.West > b.East }

// Width is the box's extent in degrees of longitude, 0..360.
func (b Box) Width() float64 {
	if b.West > b.East {
		return b.East - b.West + 360
	}
	return b.East - b.West
}

// Halves are the box cut at the antimeridian: one or two boxes with West ≤ East.
func (b Box) Halves() (halves [2]Box, n int) {
	if b.West <= b.East {
		return [2]Box{b}, 1
	}
	return [2]Box{{b.West, b.South, 180, b.North}, {-180, b.South, b.East, b.North}}, 2
}

// Intersects reports whether the boxes share a point, edges included. The meridians 180 and -180 are one.
func (b Box) Intersects(o Box) bool {
	if b.South > o.North || o.South > b.North {
		return false
	}
	return b.holdsLon(o.West) || o.holdsLon(b.West) || b.holdsLon(o.East) || o.holdsLon(b.East)
}

func (b Box) holdsLon(lon float64) bool {
	if b.West > b.East {
		return lon >= b.West || lon <= b.East
	}
	if lon >= b.West && lon <= b.East {
		return true
	}
	return lon == 180 && b.West == -180 || lon == -180 && b.East == 180
}

// Union is the smallest box that holds both; of the two ways round the earth it takes the shorter.
func (b Box) Union(o Box) Box {
	u := Box{South: min(b.South, o.South), North: max(b.North, o.North)}
	eastward, westward := gap(b, o), gap(o, b)
	switch {
	case b.Width() >= 360 || o.Width() >= 360 || b.Width()+o.Width() >= 360 && eastward+westward == 0:
		u.West, u.East = -180, 180
	case covers(b, o):
		u.West, u.East = b.West, b.East
	case covers(o, b):
		u.West, u.East = o.West, o.East
	case b.holdsLon(o.West) && b.holdsLon(o.East) && o.holdsLon(b.West) && o.holdsLon(b.East):
		u.West, u.East = -180, 180 // they overlap at both ends
	case b.holdsLon(o.West):
		u.West, u.East = b.West, o.East
	case o.holdsLon(b.West):
		u.West, u.East = o.West, b.East
	case eastward <= westward:
		u.West, u.East = b.West, o.East
	default:
		u.West, u.East = o.West, b.East
	}
	return u
}

// gap is how far it is eastward from the end of b to the start of o; 0 when they overlap there.
func gap(b, o Box) float64 {
	if b.holdsLon(o.West) {
		return 0
	}
	d := o.West - b.East
	if d < 0 {
		d += 360
	}
	return d
}

// covers reports whether all longitudes of o are b's.
func covers(b, o Box) bool {
	switch {
	case b.CrossesAntimeridian() == o.CrossesAntimeridian():
		return o.West >= b.West && o.East <= b.East
	case b.CrossesAntimeridian():
		return o.West >= b.West || o.East <= b.East
	default:
		return b.Width() >= 360
	}
}

// Expand is the box with so many metres on every side, never less. Where that reaches a pole it is all round.
func (b Box) Expand(metres float64) Box {
	const metresPerDegree = 110_574 // of latitude, where a degree is shortest: at the equator
	if metres <= 0 {
		return b
	}
	d := metres / metresPerDegree
	e := Box{South: max(-90, b.South-d), North: min(90, b.North+d)}
	if e.South <= -90 || e.North >= 90 {
		e.West, e.East = -180, 180
		return e
	}
	// The circle round a point at latitude φ reaches furthest east where it touches a meridian: sin Δλ = sin r / cos φ.
	furthest := max(math.Abs(b.South), math.Abs(b.North))
	s := math.Sin(d*radian) / math.Cos(furthest*radian)
	if s >= 1 {
		e.West, e.East = -180, 180
		return e
	}
	return b.widen(math.Asin(s)/radian*1.004, e) // the earth's flattening is 0.34 %
}

// widen gives e the longitudes of b with so many degrees on both sides.
func (b Box) widen(degrees float64, e Box) Box {
	if b.Width()+2*degrees >= 360 {
		e.West, e.East = -180, 180
		return e
	}
	e.West, e.East = b.West-degrees, b.East+degrees
	if e.West < -180 {
		e.West += 360
	}
	if e.East > 180 {
		e.East -= 360
	}
	return e
}
