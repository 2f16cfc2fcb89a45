package geo

import "math"

// Leg is the way of a vehicle between two fixes: how long it is, and, when somebody asks, in which direction it arrives. It
// costs little more than Distance alone, and says exactly what Distance and FinalBearing say.
type Leg struct {
	Metres float64

	from, to                       Point
	end                            vector
	back                           vector // the chord from the end to the start, metres
	sinLat, cosLat, sinLon, cosLon float64
}

// NewLeg measures the geodesic from a to b.
func NewLeg(a, b Point) Leg { return LegFrom(a, toVector(a), b) }

// LegFrom is NewLeg for a point whose vector is known: the end of the leg before it.
func LegFrom(a Point, start Vector, b Point) Leg {
	l := Leg{from: a, to: b}
	l.sinLat, l.cosLat = sincos(b.Lat)
	l.sinLon, l.cosLon = sincos(b.Lon)
	n := equatorialRadius / math.Sqrt(1-eccentricity2*l.sinLat*l.sinLat)
	l.end = vector{n * l.cosLat * l.cosLon, n * l.cosLat * l.sinLon, n * (1 - eccentricity2) * l.sinLat}
	l.back = start.sub(l.end)
	if c := l.back.length(); c <= shortChord {
		l.Metres = arcOf(c)
	} else {
		l.Metres = inverse(a, b).metres
	}
	return l
}

// End is the vector of the leg's end.
func (l *Leg) End() Vector { return l.end }

// Arrival is FinalBearing: degrees clockwise from north, 0 ≤ h < 360.
func (l *Leg) Arrival() float64 {
	if l.from == l.to {
		return 0
	}
	if l.back.dot(l.back) > shortChord*shortChord {
		return FinalBearing(l.from, l.to)
	}
	east := l.back.y*l.cosLon - l.back.x*l.sinLon
	north := l.back.z*l.cosLat - l.sinLat*(l.back.x*l.cosLon+l.back.y*l.sinLon)
	h := normalBearing(math.Atan2(east, north)) + 180
	if h >= 360 {
		h -= 360
	}
	return h
}
