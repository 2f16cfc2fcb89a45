package load

import (
	"fmt"
	"math"
	"strconv"

	"github.com/trackmesh/trackmesh/broker"
	"github.com/trackmesh/trackmesh/fence"
)

// firstFix is the time of every vehicle's first fix, UTC ms.
const firstFix = 1767600000000

// stepMillis lies between two fixes of a vehicle.
const stepMillis = 2000

// Fleet says what the vehicles send: all of them move, at 12.7 m/s to the east, and each sends once in every step. So their records are
// interleaved as those of a real fleet are.
type Fleet struct {
	Vehicles   int
	Attributes bool // as in the memory test: one member more that no field takes
	ids        []string
}

// NewFleet names the vehicles.
func NewFleet(vehicles int) *Fleet {
	f := &Fleet{Vehicles: vehicles, ids: make([]string, vehicles)}
	for v := range f.ids {
		f.ids[v] = fmt.Sprintf("vehicle-%07d", v)
	}
	return f
}

// ID of a vehicle.
func (f *Fleet) ID(vehicle int) string { return f.ids[vehicle] }

// ByPartition gives the vehicles of each partition.
func (f *Fleet) ByPartition(partitions int32) [][]int {
	all := make([][]int, partitions)
	for v, id := range f.ids {
		p := broker.Murmur2([]byte(id), partitions)
		all[p] = append(all[p], v)
	}
	return all
}

// Value appends what a vehicle sends in a step, about 120 bytes of JSON.
func (f *Fleet) Value(dst []byte, vehicle, step int) []byte {
	place := vehicle % 10_000
	lon := -74.2 + float64(place%100)*0.004 + 0.0003*float64(step%200) + float64(vehicle/10_000)*1e-5
	lat := 40.5 + float64(place/100)*0.004
	dst = append(dst, `{"vehicle":"`...)
	dst = append(dst, f.ids[vehicle]...)
	dst = append(dst, `","time":`...)
	dst = strconv.AppendInt(dst, firstFix+int64(step)*stepMillis, 10)
	dst = append(dst, `,"longitude":`...)
	dst = strconv.AppendFloat(dst, lon, 'f', 6, 64)
	dst = append(dst, `,"latitude":`...)
	dst = strconv.AppendFloat(dst, lat, 'f', 6, 64)
	dst = append(dst, `,"speed":12.5,"heading":90`...)
	if f.Attributes {
		dst = append(dst, `,"driver":"A. Driver","line":"M15"`...)
	}
	return append(dst, '}')
}

// Polygons are so many fences over the fleet's area, side by side, of so many vertices.
func Polygons(n, vertices int) []*fence.Fence {
	fences := make([]*fence.Fence, n)
	for i := range fences {
		lon, lat := -74.2+float64(i%32)*0.0125, 40.5+float64(i/32)*0.0125
		feature := fmt.Appendf(nil, `{"type":"Feature","id":"f%04d","geometry":{"type":"Polygon","coordinates":[[`, i)
		for k := range vertices + 1 {
			a := 2 * math.Pi * float64(k%vertices) / float64(vertices)
			if k > 0 {
				feature = append(feature, ',')
			}
			feature = fmt.Appendf(feature, "[%.6f,%.6f]", lon+0.005*math.Cos(a), lat+0.004*math.Sin(a))
		}
		feature = append(feature, `]]},"properties":{}}`...)
		fences[i] = mustParse(fmt.Sprintf("f%04d", i), feature, int64(i))
	}
	return fences
}

// Everywhere are so many fences, each round the whole area of the fleet: every track is in all of them.
func Everywhere(n int) []*fence.Fence {
	fences := make([]*fence.Fence, n)
	for i := range fences {
		id := fmt.Sprintf("area-%d", i)
		fences[i] = mustParse(id, fmt.Appendf(nil,
			`{"type":"Feature","id":%q,"geometry":{"type":"Polygon","coordinates":[[[-76,39],[-72,39],[-72,42],[-76,42],[-76,39]]]},"properties":{}}`, id), int64(i))
	}
	return fences
}

func mustParse(id string, feature []byte, version int64) *fence.Fence {
	f, err := fence.Parse(id, feature, version)
	if err != nil {
		panic(err) // our own feature
	}
	return f
}
