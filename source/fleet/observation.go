package fleet

import (
	"math"
	"strconv"

	"github.com/trackmesh/trackmesh/geo"
)

// Observation is one report of a vehicle.
type Observation struct {
	Vehicle        string
	Time           int64 // UTC ms
	Position       geo.Point
	SpeedMPS       float64
	HeadingDegrees float64 // 0 ≤ h < 360
	AccuracyMetres float64
	Fleet          string // yellow or green
	Occupied       bool
}

// AppendJSON appends the observation in the json format, with the attributes fleet and occupied.
func (o *Observation) AppendJSON(b []byte) []byte {
	b = append(b, `{"vehicle":`...)
	b = strconv.AppendQuote(b, o.Vehicle)
	b = append(b, `,"time":`...)
	b = strconv.AppendInt(b, o.Time, 10)
	b = append(b, `,"longitude":`...)
	b = strconv.AppendFloat(b, o.Position.Lon, 'f', 6, 64)
	b = append(b, `,"latitude":`...)
	b = strconv.AppendFloat(b, o.Position.Lat, 'f', 6, 64)
	b = append(b, `,"speed":`...)
	b = strconv.AppendFloat(b, o.SpeedMPS, 'f', 1, 64)
	b = append(b, `,"heading":`...)
	b = strconv.AppendFloat(b, o.HeadingDegrees, 'f', 0, 64)
	b = append(b, `,"accuracy":`...)
	b = strconv.AppendFloat(b, o.AccuracyMetres, 'f', 0, 64)
	b = append(b, `,"fleet":`...)
	b = strconv.AppendQuote(b, o.Fleet)
	b = append(b, `,"occupied":`...)
	b = strconv.AppendBool(b, o.Occupied)
	return append(b, '}')
}

const (
	// A receiver's error wanders: it is another one every wanderSeconds, with a little of its own in each report.
	wanderSeconds = 20
	wanderMetres  = 5.0
	jitterMetres  = 1.2
)

// observe is what a vehicle's receiver reports at a time.
func (f *Fleet) observe(i int, at int64) Observation {
	v := &f.vehicles[i]
	now := seconds(at)
	f.advance(v, now)
	e := &f.network.edges[v.edge]
	metres, speed := v.street.at(now, float64(e.metres))
	p := f.network.along(e, min(max(metres, 0), float64(e.metres)))
	slot := math.Floor(now / wanderSeconds)
	east0, north0 := f.drift(v, slot)
	east1, north1 := f.drift(v, slot+1)
	r := seeded(f.seed, v.number, uint64(at)) //nolint:gosec // only mixed
	mix := now/wanderSeconds - slot
	mix = mix * mix * (3 - 2*mix)
	east := east0 + mix*(east1-east0) + jitterMetres*bell(&r)
	north := north0 + mix*(north1-north0) + jitterMetres*bell(&r)
	p.Lat += north / metresPerDegree
	p.Lon += east / (metresPerDegree * math.Cos(p.Lat*math.Pi/180))
	o := Observation{
		Vehicle: f.ids[i], Time: at, Position: p, AccuracyMetres: math.Round(r.between(4, 12)), Fleet: "yellow", Occupied: v.occupied,
	}
	if v.number%5 == 4 {
		o.Fleet = "green"
	}
	if speed > 0.3 {
		o.SpeedMPS = math.Max(0, speed+0.3*bell(&r))
	}
	o.HeadingDegrees = math.Mod(float64(e.bearing)+2*bell(&r)+360, 360)
	if o.HeadingDegrees >= 359.5 { // would be written as 360
		o.HeadingDegrees = 0
	}
	return o
}

// drift is the receiver's error at the beginning of a slot of time, in metres east and north.
func (f *Fleet) drift(v *vehicle, slot float64) (east, north float64) {
	r := seeded(f.seed, v.number, math.Float64bits(slot))
	return wanderMetres * bell(&r), wanderMetres * bell(&r)
}

// bell is about normal, with deviation 1, never beyond 3.
func bell(r *random) float64 { return (r.unit() + r.unit() + r.unit() - 1.5) * 2 }
