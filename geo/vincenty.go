package geo

import "math"

// geodesic is the answer to the inverse problem: metres, and degrees clockwise from north.
type geodesic struct{ metres, initial, final float64 }

// inverse solves for the way from a to b by Vincenty's method (T. Vincenty, Survey Review 23, 1975). Where that does not
// converge, for nearly antipodal points, it answers for the sphere.
func inverse(a, b Point) geodesic {
	l := math.Remainder(b.Lon-a.Lon, 360) * radian
	sinU1, cosU1 := reduced(a.Lat)
	sinU2, cosU2 := reduced(b.Lat)
	lambda := l
	for range 60 {
		sinLambda, cosLambda := math.Sincos(lambda)
		x, y := cosU2*sinLambda, cosU1*sinU2-sinU1*cosU2*cosLambda
		sinSigma := math.Hypot(x, y)
		if sinSigma == 0 {
			break
		}
		cosSigma := sinU1*sinU2 + cosU1*cosU2*cosLambda
		sigma := math.Atan2(sinSigma, cosSigma)
		sinAlpha := cosU1 * cosU2 * sinLambda / sinSigma
		cos2Alpha := 1 - sinAlpha*sinAlpha
		cos2M := 0.0
		if cos2Alpha > 1e-15 { // else along the equator
			cos2M = cosSigma - 2*sinU1*sinU2/cos2Alpha
		}
		next := l + longitudeExcess(sinAlpha, cos2Alpha, sigma, sinSigma, cosSigma, cos2M)
		if math.Abs(next) > math.Pi {
			break
		}
		if math.Abs(next-lambda) < 1e-12 {
			return geodesic{
				metres:  arcLength(cos2Alpha, sigma, sinSigma, cosSigma, cos2M),
				initial: normalBearing(math.Atan2(x, y)),
				final:   normalBearing(math.Atan2(cosU1*sinLambda, cosU1*sinU2*cosLambda-sinU1*cosU2)),
			}
		}
		lambda = next
	}
	return spherical(a, b)
}

// reduced is the sine and cosine of the reduced latitude.
func reduced(lat float64) (sin, cos float64) {
	s, c := math.Sincos(lat * radian)
	s *= 1 - flattening
	h := math.Hypot(s, c)
	return s / h, c / h
}

func longitudeExcess(sinAlpha, cos2Alpha, sigma, sinSigma, cosSigma, cos2M float64) float64 {
	c := flattening / 16 * cos2Alpha * (4 + flattening*(4-3*cos2Alpha))
	return (1 - c) * flattening * sinAlpha * (sigma + c*sinSigma*(cos2M+c*cosSigma*(2*cos2M*cos2M-1)))
}

// vincentyAB are the series A and B of the method.
func vincentyAB(cos2Alpha float64) (a, b float64) {
	u2 := cos2Alpha * secondEcc2
	return 1 + u2/16384*(4096+u2*(-768+u2*(320-175*u2))), u2 / 1024 * (256 + u2*(-128+u2*(74-47*u2)))
}

func deltaSigma(b, sinSigma, cosSigma, cos2M float64) float64 {
	return b * sinSigma * (cos2M + b/4*(cosSigma*(2*cos2M*cos2M-1)-
		b/6*cos2M*(4*sinSigma*sinSigma-3)*(4*cos2M*cos2M-3)))
}

func arcLength(cos2Alpha, sigma, sinSigma, cosSigma, cos2M float64) float64 {
	a, b := vincentyAB(cos2Alpha)
	return polarRadius * a * (sigma - deltaSigma(b, sinSigma, cosSigma, cos2M))
}

// spherical answers the inverse problem on the sphere of the mean radius.
func spherical(a, b Point) geodesic {
	sin1, cos1 := math.Sincos(a.Lat * radian)
	sin2, cos2 := math.Sincos(b.Lat * radian)
	sinL, cosL := math.Sincos((b.Lon - a.Lon) * radian)
	x, y := cos2*sinL, cos1*sin2-sin1*cos2*cosL
	return geodesic{
		metres:  meanRadius * math.Atan2(math.Hypot(x, y), sin1*sin2+cos1*cos2*cosL),
		initial: normalBearing(math.Atan2(x, y)),
		final:   normalBearing(math.Atan2(cos1*sinL, cos1*sin2*cosL-sin1*cos2)),
	}
}

// Destination is the point that is reached from p by going so many metres in a direction (degrees clockwise from north),
// by Vincenty's direct method.
func Destination(p Point, bearing, metres float64) Point {
	sinA1, cosA1 := math.Sincos(bearing * radian)
	sinU1, cosU1 := reduced(p.Lat)
	sigma1 := math.Atan2(sinU1, cosU1*cosA1)
	sinAlpha := cosU1 * sinA1
	cos2Alpha := 1 - sinAlpha*sinAlpha
	a, b := vincentyAB(cos2Alpha)
	start := metres / (polarRadius * a)
	sigma := start
	var sinSigma, cosSigma, cos2M float64
	for range 60 {
		sinSigma, cosSigma = math.Sincos(sigma)
		cos2M = math.Cos(2*sigma1 + sigma)
		next := start + deltaSigma(b, sinSigma, cosSigma, cos2M)
		done := math.Abs(next-sigma) < 1e-13
		sigma = next
		if done {
			break
		}
	}
	sinSigma, cosSigma = math.Sincos(sigma)
	cos2M = math.Cos(2*sigma1 + sigma)
	z := sinU1*sinSigma - cosU1*cosSigma*cosA1
	lat := math.Atan2(sinU1*cosSigma+cosU1*sinSigma*cosA1, (1-flattening)*math.Hypot(sinAlpha, z))
	lambda := math.Atan2(sinSigma*sinA1, cosU1*cosSigma-sinU1*sinSigma*cosA1)
	l := lambda - longitudeExcess(sinAlpha, cos2Alpha, sigma, sinSigma, cosSigma, cos2M)
	return Point{Lon: NormalizeLon(p.Lon + l/radian), Lat: lat / radian}
}
