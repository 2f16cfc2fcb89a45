package peers

import (
	"math"

	"github.com/trackmesh/trackmesh/geo"
	"github.com/trackmesh/trackmesh/live"
	trackmeshv1 "github.com/trackmesh/trackmesh/messages/trackmesh/v1"
	"github.com/trackmesh/trackmesh/track"
)

// present is nil for a number that is absent.
func present(v float64) *float64 {
	if math.IsNaN(v) {
		return nil
	}
	return &v
}

func absent(v *float64) float64 {
	if v == nil {
		return math.NaN()
	}
	return *v
}

// toWire is a view as nodes send it.
func toWire(v *track.View) *trackmeshv1.PeerTrack {
	return &trackmeshv1.PeerTrack{
		Vehicle: v.Vehicle, TimeMs: v.Time, Longitude: v.Position.Lon, Latitude: v.Position.Lat,
		SpeedMps: present(v.SpeedMPS), HeadingDegrees: present(v.HeadingDegrees), Status: uint32(v.Status), OdometerMetres: v.OdometerMetres,
		Fences: v.Fences, Attributes: v.Attributes, Partition: v.Partition, Offset: v.Offset,
	}
}

// fromWire is the view again.
func fromWire(t *trackmeshv1.PeerTrack) *track.View {
	return &track.View{
		Vehicle: t.GetVehicle(), Time: t.GetTimeMs(), Position: geo.Point{Lon: t.GetLongitude(), Lat: t.GetLatitude()},
		SpeedMPS: absent(t.SpeedMps), HeadingDegrees: absent(t.HeadingDegrees), Status: status(t.GetStatus()), OdometerMetres: t.GetOdometerMetres(),
		Fences: t.GetFences(), Attributes: t.GetAttributes(), Partition: t.GetPartition(), Offset: t.GetOffset(),
	}
}

// status keeps what a newer node may say within what this one knows.
func status(s uint32) track.Status { return track.Status(min(s, uint32(track.Silent))) }

func statuses(wire []uint32) []track.Status {
	all := make([]track.Status, len(wire))
	for i, s := range wire {
		all[i] = status(s)
	}
	return all
}

func wireStatuses(all []track.Status) []uint32 {
	wire := make([]uint32, len(all))
	for i, s := range all {
		wire[i] = uint32(s)
	}
	return wire
}

func wireBox(b *geo.Box) *trackmeshv1.PeerBox {
	if b == nil {
		return nil
	}
	return &trackmeshv1.PeerBox{West: b.West, South: b.South, East: b.East, North: b.North}
}

func boxOf(b *trackmeshv1.PeerBox) *geo.Box {
	if b == nil {
		return nil
	}
	return &geo.Box{West: b.GetWest(), South: b.GetSouth(), East: b.GetEast(), North: b.GetNorth()}
}

func pathToWire(points []track.PathPoint, since int64) *trackmeshv1.PeerPath {
	n := len(points)
	w := &trackmeshv1.PeerPath{
		SinceMs: since, TimeMs: make([]int64, n), Longitude: make([]float64, n), Latitude: make([]float64, n),
		SpeedMps: make([]float64, n), HeadingDegrees: make([]float64, n),
	}
	before := int64(0)
	for i := range points {
		p := &points[i]
		w.TimeMs[i], before = p.Time-before, p.Time
		w.Longitude[i], w.Latitude[i], w.SpeedMps[i], w.HeadingDegrees[i] = p.Position.Lon, p.Position.Lat, p.SpeedMPS, p.HeadingDegrees
	}
	return w
}

// pathFromWire takes as many points as every column has.
func pathFromWire(w *trackmeshv1.PeerPath) []track.PathPoint {
	n := min(len(w.GetTimeMs()), len(w.GetLongitude()), len(w.GetLatitude()), len(w.GetSpeedMps()), len(w.GetHeadingDegrees()))
	if n == 0 {
		return nil
	}
	points, at := make([]track.PathPoint, n), int64(0)
	for i := range points {
		at += w.GetTimeMs()[i]
		points[i] = track.PathPoint{
			Time: at, Position: geo.Point{Lon: w.GetLongitude()[i], Lat: w.GetLatitude()[i]},
			SpeedMPS: w.GetSpeedMps()[i], HeadingDegrees: w.GetHeadingDegrees()[i],
		}
	}
	return points
}

func cellsToWire(cells []live.Cell) *trackmeshv1.PeerCells {
	w := &trackmeshv1.PeerCells{Geohash: make([]uint64, len(cells)), Count: make([]uint32, len(cells))}
	for i, c := range cells {
		w.Geohash[i], w.Count[i] = c.Geohash, c.Count
	}
	return w
}
