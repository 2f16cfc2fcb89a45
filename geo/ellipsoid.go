package geo

import "math"

// WGS84.
const (
	equatorialRadius = 6378137.0 // metres
	flattening       = 1 / 298.257223563
	polarRadius      = equatorialRadius * (1 - flattening)
	eccentricity2    = flattening * (2 - flattening)
	secondEcc2       = eccentricity2 / (1 - eccentricity2)
	meanRadius       = (2*equatorialRadius + polarRadius) / 3
	radian           = math.Pi / 180
)

// vector is a place in metres from the centre of the earth: x to 0°E on the equator, z to the north pole.
type vector struct{ x, y, z float64 }

// Vector is a place in the earth's frame, for those who ask it often. The zero value is none.
type Vector = vector

// VectorOf is a point's vector.
func VectorOf(p Point) Vector { return toVector(p) }

// Known reports whether the vector is one of a place on earth.
func (v vector) Known() bool { return v != vector{} }

// Within reports whether two places are at most so many metres apart. Beyond 200 km it is the sphere's distance that counts.
func (v vector) Within(w Vector, metres float64) bool {
	d := v.sub(w)
	c2 := d.dot(d)
	if c2 > metres*metres { // a chord is shorter than its arc
		return false
	}
	return arcOfAny(math.Sqrt(c2)) <= metres
}

func (v vector) add(w vector) vector            { return vector{v.x + w.x, v.y + w.y, v.z + w.z} }
func (v vector) sub(w vector) vector            { return vector{v.x - w.x, v.y - w.y, v.z - w.z} }
func (v vector) scale(k float64) vector         { return vector{v.x * k, v.y * k, v.z * k} }
func (v vector) dot(w vector) float64           { return v.x*w.x + v.y*w.y + v.z*w.z }
func (v vector) length() float64                { return math.Sqrt(v.dot(v)) }
func (v vector) mix(w vector, t float64) vector { return v.add(w.sub(v).scale(t)) }

// toVector puts a point of the ellipsoid into the earth's frame.
func toVector(p Point) vector {
	sinLat, cosLat := sincos(p.Lat)
	sinLon, cosLon := sincos(p.Lon)
	n := equatorialRadius / math.Sqrt(1-eccentricity2*sinLat*sinLat)
	return vector{n * cosLat * cosLon, n * cosLat * sinLon, n * (1 - eccentricity2) * sinLat}
}

// toPoint drops a place near the surface along the normal onto the ellipsoid: Bowring's formula, one step, which is exact to
// nanometres for heights of kilometres.
func toPoint(v vector) Point {
	p := math.Hypot(v.x, v.y)
	if p == 0 {
		return Point{Lat: math.Copysign(90, v.z)}
	}
	sinU, cosU := math.Sincos(math.Atan2(v.z*equatorialRadius, p*polarRadius))
	lat := math.Atan2(v.z+secondEcc2*polarRadius*sinU*sinU*sinU, p-eccentricity2*equatorialRadius*cosU*cosU*cosU)
	return Point{Lon: math.Atan2(v.y, v.x) / radian, Lat: lat / radian}
}

// arcOf is the length over ground of a straight chord, both in metres. Over 500 km of chord the sphere is off by less than
// 3e-6, which is why longer legs go another way.
func arcOf(chord float64) float64 {
	x := chord / (2 * meanRadius)
	x *= x
	return chord * (1 + x*(1.0/6+x*(3.0/40)))
}

// chordOf is the straight chord under an arc, both in metres.
func chordOf(arc float64) float64 {
	if arc >= math.Pi*meanRadius {
		return 2 * meanRadius
	}
	return 2 * meanRadius * math.Sin(arc/(2*meanRadius))
}
