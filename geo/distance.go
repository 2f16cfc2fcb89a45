package geo

import "math"

// shortChord is the longest chord in metres for which the chord and its arc say the distance, bearing and way well enough.
const shortChord = 200_000

// Distance is the length of the geodesic between two points in metres.
//
// Up to 200 km it is the chord in the earth's frame, bent to the arc of a sphere: within 2e-6 of Karney's algorithm at any
// latitude. Beyond, it is Vincenty's inverse, within 1e-9; for nearly antipodal points (where that does not converge) it is
// the sphere's, within 5e-3.
func Distance(a, b Point) float64 {
	c := toVector(a).sub(toVector(b)).length()
	if c <= shortChord {
		return arcOf(c)
	}
	return inverse(a, b).metres
}

// Bearing is the direction in which the geodesic leaves a for b, degrees clockwise from north, 0 ≤ h < 360. It is 0 when the
// points are the same.
func Bearing(a, b Point) float64 {
	d := toVector(b).sub(toVector(a))
	if d.dot(d) > shortChord*shortChord {
		return inverse(a, b).initial
	}
	sinLat, cosLat := sincos(a.Lat)
	sinLon, cosLon := sincos(a.Lon)
	east := d.y*cosLon - d.x*sinLon
	north := d.z*cosLat - sinLat*(d.x*cosLon+d.y*sinLon)
	return normalBearing(math.Atan2(east, north))
}

// FinalBearing is the direction in which the geodesic from a arrives at b, degrees clockwise from north, 0 ≤ h < 360.
func FinalBearing(a, b Point) float64 {
	h := Bearing(b, a) + 180
	if a == b {
		return 0
	}
	if h >= 360 {
		h -= 360
	}
	return h
}

// normalBearing turns radians into degrees 0 ≤ h < 360.
func normalBearing(radians float64) float64 {
	h := radians / radian // -180..180
	if h < 0 {
		h += 360
	}
	if h >= 360 { // a tiny negative angle rounds up to the full circle
		return 0
	}
	return h + 0 // never -0
}

// Along is the point at a fraction of the geodesic from a to b; 0 is a and 1 is b.
func Along(a, b Point, fraction float64) Point {
	switch fraction {
	case 0:
		return a
	case 1:
		return b
	}
	s := newSegment(a, b)
	return s.at(fraction)
}

// NormalizeLon brings a longitude into -180 ≤ lon < 180.
func NormalizeLon(lon float64) float64 {
	if lon >= -180 && lon < 180 {
		return lon
	}
	lon = math.Mod(lon+180, 360)
	if lon < 0 {
		lon += 360
	}
	if lon >= 360 { // a tiny negative remainder rounds up
		lon = 0
	}
	return lon - 180
}
