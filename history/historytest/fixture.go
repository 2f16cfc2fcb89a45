package historytest

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/trackmesh/trackmesh/geo"
	"github.com/trackmesh/trackmesh/history"
	"github.com/trackmesh/trackmesh/sinks"
	"github.com/trackmesh/trackmesh/track"
)

const (
	topic      = "positions"
	partitions = 3
)

// noon is when the fleet of the fixture drives: its second day begins twelve hours later.
var noon = time.Date(2026, 1, 10, 12, 0, 0, 0, time.UTC)

// row is a position as the model keeps it.
type row struct {
	history.Position
	jump      bool
	partition int32
	offset    int64
}

// happening is an event as the model keeps it.
type happening struct {
	id, vehicle, kind, fence string
	time                     int64
	sequence                 uint64
	body                     json.RawMessage
}

// fixture is what is written, and what a store should know afterwards.
type fixture struct {
	rows      []row
	events    []happening
	documents []sinks.Document
	next      [partitions]int64 // offsets of positions
	nextEvent [partitions]int64
	random    *rand.Rand
}

var statuses = map[track.Status]string{track.Moving: "moving", track.Stopped: "stopped"}

func newFixture() *fixture {
	f := &fixture{random: rand.New(rand.NewPCG(1, 2))} //nolint:gosec // a fixed seed: the same fleet every time
	names := []string{"cab 1", `a "quoted" \ name`, "Österreich-42", strings.Repeat("x", 128), "ferry", "taxi-2013"}
	for i := range 20 {
		names = append(names, fmt.Sprintf("taxi-%04d", i))
	}
	for i, name := range names {
		f.drive(name, int32(i%partitions)) //nolint:gosec // below 3
	}
	return f
}

// drive makes a vehicle's day: a random walk, now and then late, a jump, standing, twice in the same millisecond.
func (f *fixture) drive(vehicle string, partition int32) {
	at, start, step, n := geo.Point{Lon: -73.98, Lat: 40.75}, noon, 7*time.Second, 150
	switch vehicle {
	case "cab 1":
		start, step, n = noon.Add(9*time.Hour), 20*time.Second, 900 // over midnight
	case "ferry":
		at, step, n = geo.Point{Lon: 179.9, Lat: -17.5}, 30*time.Second, 200
	case "taxi-2013":
		start = time.Date(2013, 7, 1, 8, 0, 0, 0, time.UTC)
	}
	var sequence uint64
	now := start.Add(time.Duration(f.random.IntN(5000)) * time.Millisecond)
	for i := range n {
		if f.random.IntN(15) != 0 {
			now = now.Add(step)
		}
		at = f.walk(at, vehicle == "ferry")
		f.fix(vehicle, partition, now.UnixMilli(), at)
		if f.random.IntN(10) == 0 {
			sequence++
			f.event(vehicle, partition, now.UnixMilli(), at, sequence)
		}
		if vehicle == "taxi-0007" && i == n/2 {
			sequence = 0 // forgotten, and numbered anew
		}
	}
}

func (f *fixture) walk(at geo.Point, east bool) geo.Point {
	const degree = 1e6 // six decimals
	at.Lon += math.Round((f.random.Float64()-0.5)*0.002*degree) / degree
	if east {
		at.Lon += 0.001
	}
	at.Lat += math.Round((f.random.Float64()-0.5)*0.002*degree) / degree
	at.Lon, at.Lat = math.Round(geo.NormalizeLon(at.Lon)*degree)/degree, math.Round(at.Lat*degree)/degree
	return at
}

func (f *fixture) fix(vehicle string, partition int32, at int64, place geo.Point) {
	d := track.Document{
		Fix: &track.Fix{
			Vehicle: vehicle, Time: at, Position: place, SpeedMPS: math.NaN(), HeadingDegrees: math.NaN(), AccuracyMetres: math.NaN(),
			AltitudeMetres: math.NaN(), Offset: f.next[partition], RecordTime: noon.UnixMilli() + f.next[partition]*1000,
			Attributes: fmt.Appendf(nil, `{"passengers":%d,`+"\n"+`"shift":{"name":"n\u00e4chste"}}`, f.random.IntN(4)),
		},
		SpeedMPS: math.NaN(), HeadingDegrees: math.NaN(), DistanceMetres: math.NaN(), OdometerMetres: math.NaN(), Fences: []string{"manhattan"},
	}
	switch f.random.IntN(12) {
	case 0:
		d.Flags = track.FlagLate
		d.Fix.Time -= int64(f.random.IntN(60_000))
	case 1:
		d.Flags = track.FlagJump
		d.Fix.Position.Lat++ // a hundred kilometres
	case 2:
		d.Status = track.Stopped
		fallthrough
	default:
		d.SpeedMPS, d.DistanceMetres, d.OdometerMetres = float64(f.random.IntN(30_000))/1000, 12.5, float64(f.next[partition])
		if f.random.IntN(3) > 0 {
			d.HeadingDegrees = float64(f.random.IntN(360_000)) / 1000
		}
	}
	r := row{
		Position: history.Position{
			Vehicle: vehicle, Time: d.Fix.Time, Location: d.Fix.Position, SpeedMPS: d.SpeedMPS, HeadingDegrees: d.HeadingDegrees,
			Late: d.Flags == track.FlagLate,
		},
		jump: d.Flags == track.FlagJump, partition: partition, offset: d.Fix.Offset,
	}
	if d.Flags == 0 {
		r.Status = statuses[d.Status]
	}
	f.rows = append(f.rows, r)
	f.documents = append(f.documents, sinks.Document{
		Kind: sinks.Position, ID: fmt.Sprintf("00c0ffee-%d-%d", partition, d.Fix.Offset), Partition: partition, Offset: d.Fix.Offset,
		Timestamp: d.Fix.RecordTime, Body: track.AppendDocument(nil, &d, topic, partition),
	})
	f.next[partition]++
}

func (f *fixture) event(vehicle string, partition int32, at int64, place geo.Point, sequence uint64) {
	e := track.Event{
		Type: track.EventType(f.random.IntN(int(track.NumEventTypes))), Time: at / 60_000 * 60_000, Vehicle: vehicle, //nolint:gosec // below 10
		Sequence: sequence, Location: place, SourceOffset: f.next[partition] - 1,
		After: &track.Evidence{Time: at, Location: place, Offset: f.next[partition] - 1},
	}
	switch e.Type {
	case track.Enter, track.Exit, track.Cross, track.Dwell:
		e.Fence = &track.FenceRef{ID: []string{"manhattan", "airport: JFK"}[f.random.IntN(2)], Name: "a fence", Version: 3}
	case track.StopStarted, track.StopEnded:
		e.Stop = &track.Stop{Started: at - 60_000, Ended: at, Location: place}
	case track.TripStarted, track.TripEnded:
		e.Trip = &track.Trip{Start: track.TripPoint{Time: at - 60_000, Location: place}, End: track.TripPoint{Time: at, Location: place}, DistanceMetres: 900, MaxSpeedMPS: 17}
	case track.GapStarted, track.GapEnded:
		e.Gap = &track.Gap{Since: at - 400_000, Until: at}
	default:
		panic("an event type that the fixture does not know")
	}
	id := fmt.Sprintf("deadbeef-%d-%d", partition, f.nextEvent[partition])
	h := happening{id: id, vehicle: vehicle, kind: e.Type.String(), time: e.Time, sequence: sequence, body: track.AppendEvent(nil, &e, []byte(id), topic, partition)}
	if e.Fence != nil {
		h.fence = e.Fence.ID
	}
	f.events = append(f.events, h)
	f.documents = append(f.documents, sinks.Document{
		Kind: sinks.Event, ID: id, Partition: partition, Offset: f.nextEvent[partition], Timestamp: noon.UnixMilli() + f.nextEvent[partition],
		Body: h.body,
	})
	f.nextEvent[partition]++
}

// fixes are the rows that pass a test and are no jumps, in an order.
func (f *fixture) fixes(pass func(r *row) bool, compare func(a, b row) int) []row {
	var rows []row
	for i := range f.rows {
		if r := &f.rows[i]; !r.jump && pass(r) {
			rows = append(rows, *r)
		}
	}
	slices.SortFunc(rows, compare)
	return rows
}

func positions(rows []row) []history.Position {
	p := make([]history.Position, len(rows))
	for i := range rows {
		p[i] = rows[i].Position
	}
	return p
}

func inSpan(t int64, from, to time.Time) bool {
	return (from.IsZero() || t >= from.UnixMilli()) && (to.IsZero() || t < to.UnixMilli())
}
