package geo

import (
	"math"
	"math/big"
)

// orient says on which side of the line from a to b the point c lies in the plane of longitude and latitude: 1 left, -1
// right, 0 exactly on it. It is exact: a filter by Shewchuk's error bound (Discrete & Computational Geometry 18, 1997), then
// the exact products, then rationals.
func orient(a, b, c Point) int {
	abx, aby := a.Lon-c.Lon, a.Lat-c.Lat
	bcx, bcy := b.Lon-c.Lon, b.Lat-c.Lat
	left, right := abx*bcy, aby*bcx
	det := left - right
	const bound = 3.3306690738754716e-16
	if math.Abs(det) > bound*(math.Abs(left)+math.Abs(right)) {
		return sign(det)
	}
	if exactDifference(a.Lon, c.Lon, abx) && exactDifference(a.Lat, c.Lat, aby) &&
		exactDifference(b.Lon, c.Lon, bcx) && exactDifference(b.Lat, c.Lat, bcy) {
		if left != right {
			// Both products are near each other, so their difference is exact and the tails decide only when it is 0 or tiny.
			return sign(det + (math.FMA(abx, bcy, -left) - math.FMA(aby, bcx, -right)))
		}
		return sign(math.FMA(abx, bcy, -left) - math.FMA(aby, bcx, -right))
	}
	return orientExactly(a, b, c)
}

// exactDifference reports whether d is a - b without rounding.
func exactDifference(a, b, d float64) bool {
	v := a - d
	return (a-(d+v))+(v-b) == 0
}

func orientExactly(a, b, c Point) int {
	rat := func(v float64) *big.Rat { return new(big.Rat).SetFloat64(v) }
	diff := func(v, w float64) *big.Rat { return new(big.Rat).Sub(rat(v), rat(w)) }
	left := new(big.Rat).Mul(diff(a.Lon, c.Lon), diff(b.Lat, c.Lat))
	right := new(big.Rat).Mul(diff(a.Lat, c.Lat), diff(b.Lon, c.Lon))
	return left.Cmp(right)
}

func sign(v float64) int {
	switch {
	case v > 0:
		return 1
	case v < 0:
		return -1
	}
	return 0
}

// between reports whether c, which lies on the line through a and b, lies on the stretch from a to b, ends included.
func between(a, b, c Point) bool {
	return c.Lon >= min(a.Lon, b.Lon) && c.Lon <= max(a.Lon, b.Lon) &&
		c.Lat >= min(a.Lat, b.Lat) && c.Lat <= max(a.Lat, b.Lat)
}
