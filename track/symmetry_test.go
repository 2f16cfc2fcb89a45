package track_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/trackmesh/trackmesh/fence"
	"github.com/trackmesh/trackmesh/geo"
	"github.com/trackmesh/trackmesh/track"
)

// scene is fences and a drive among them, in degrees from a place.
type scene struct {
	rings    [][]geo.Point // polygons
	circles  []geo.Point
	lines    [][]geo.Point
	drive    []geo.Point
	accuracy []float64
}

// newScene is some shapes of half a kilometre within two of the middle, and a drive with stops. Its coordinates are such that
// nothing comes to lie exactly on a boundary.
func newScene(r *rand.Rand) *scene {
	const degree = 1.0 / 111_000
	s := &scene{}
	place := func(metres float64) geo.Point {
		return geo.Point{Lon: (2*r.Float64() - 1) * metres * degree, Lat: (2*r.Float64() - 1) * metres * degree}
	}
	for range 4 {
		middle, ring := place(1500), []geo.Point{}
		for i := range 7 {
			sin, cos := math.Sincos(2 * math.Pi * (float64(i) + 0.5*r.Float64()) / 7)
			size := (300 + 300*r.Float64()) * degree
			ring = append(ring, geo.Point{Lon: middle.Lon + cos*size, Lat: middle.Lat + sin*size})
		}
		s.rings = append(s.rings, append(ring, ring[0]))
		s.circles = append(s.circles, place(1500))
		s.lines = append(s.lines, []geo.Point{place(1500), place(1500), place(1500)})
	}
	at, bearing := place(1000), 2*math.Pi*r.Float64()
	for range 150 {
		switch step := 150 * degree; {
		case r.IntN(5) == 0: // parked, with noise
			at.Lon += r.NormFloat64() * 5 * degree
			at.Lat += r.NormFloat64() * 5 * degree
		default:
			if bearing += r.NormFloat64(); r.IntN(10) == 0 {
				bearing = math.Atan2(-at.Lat, -at.Lon)
			}
			sin, cos := math.Sincos(bearing)
			at.Lon += cos * step
			at.Lat += sin * step
		}
		s.drive = append(s.drive, at)
		s.accuracy = append(s.accuracy, 100*r.Float64())
	}
	return s
}

// seen is an event, without the place.
type seen struct {
	Type, Cause string
	Time        string `json:"@timestamp"`
	Sequence    int
	Fence       *struct{ ID string }
}

// play runs the scene as a way of looking at it shows it.
func (s *scene) play(t *rapid.T, look func(geo.Point) geo.Point) (events []seen, places []geo.Point) {
	all := func(points []geo.Point) [][2]float64 {
		var out [][2]float64
		for _, p := range points {
			p = look(p)
			out = append(out, [2]float64{p.Lon, p.Lat})
		}
		return out
	}
	var changes []fence.Change
	add := func(id, kind string, coordinates, properties any) {
		feature, err := json.Marshal(map[string]any{
			"type": "Feature", "geometry": map[string]any{"type": kind, "coordinates": coordinates}, "properties": properties,
		})
		require.NoError(t, err)
		f, err := fence.Parse(id, feature, int64(len(changes)))
		if err == nil { // a line may be none in any of the looks
			changes = append(changes, fence.Change{ID: id, Fence: f, Version: int64(len(changes))})
		}
	}
	for i := range s.rings {
		add(fmt.Sprint("ring ", i), "Polygon", [][][2]float64{all(s.rings[i])}, map[string]any{"dwell_seconds": 45})
		add(fmt.Sprint("circle ", i), "Point", all(s.circles[i : i+1])[0], map[string]any{"radius_metres": 400})
		add(fmt.Sprint("line ", i), "LineString", all(s.lines[i]), map[string]any{"width_metres": 200, "exit_margin_metres": 10})
	}
	settings := track.DefaultSettings()
	settings.StopAfter = 40_000_000_000
	f := newFleet(settings, fence.NewSet().Apply(changes))
	nan := math.NaN()
	for i, p := range s.drive {
		at := start + int64(i)*15_000
		if i > 100 {
			at += 600_000 // a gap
		}
		f.observe(&track.Fix{
			Vehicle: "v", Time: at, Position: look(p), SpeedMPS: nan, HeadingDegrees: nan, AccuracyMetres: s.accuracy[i], AltitudeMetres: nan, Offset: int64(i),
		})
		f.settle()
	}
	for _, l := range f.lines {
		var e seen
		var place struct{ Location [2]float64 }
		require.NoError(t, json.Unmarshal(l, &e))
		require.NoError(t, json.Unmarshal(l, &place))
		if e.Type != "" {
			events = append(events, e)
			places = append(places, geo.Point{Lon: place.Location[0], Lat: place.Location[1]})
		}
	}
	return events, places
}

// TestAMirroredOrShiftedSceneHasTheSameEvents looks at scenes in mirrors and moves them round the earth, also to lie across the
// antimeridian.
func TestAMirroredOrShiftedSceneHasTheSameEvents(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		s := newScene(r)
		lat := rapid.SampledFrom([]float64{0.0001, 40, -33.3, 70}).Draw(t, "latitude")
		shift := rapid.SampledFrom([]float64{180, -180, 179.99, -73.98, 90}).Draw(t, "shift") + r.Float64()*0.001
		at := func(lon, sx, sy float64) func(geo.Point) geo.Point {
			return func(p geo.Point) geo.Point {
				return geo.Point{Lon: geo.NormalizeLon(lon + sx*p.Lon), Lat: sy * (lat + p.Lat)}
			}
		}
		base := at(10, 1, 1)
		want, places := s.play(t, base)
		require.NotEmpty(t, want)
		for name, c := range map[string]struct{ lon, sx, sy float64 }{
			"mirrored in longitude": {-10, -1, 1}, "mirrored in latitude": {10, 1, -1}, "turned": {10, -1, -1}, "shifted": {shift, 1, 1},
		} {
			got, there := s.play(t, at(c.lon, c.sx, c.sy))
			require.Equal(t, want, got, name)
			for i := range there {
				back := geo.Point{Lon: geo.NormalizeLon(10 + c.sx*geo.NormalizeLon(there[i].Lon-c.lon)), Lat: c.sy * there[i].Lat}
				require.Less(t, geo.Distance(places[i], back), 0.02, "%s: %v", name, want[i])
			}
		}
	})
}

// TestAFenceThatComesAndGoesLeavesNoTrace holds a drive with another fence for a while against the one without it.
func TestAFenceThatComesAndGoesLeavesNoTrace(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := newScene(rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1)))
		from := rapid.IntRange(0, len(s.drive)-1).Draw(t, "from")
		to := rapid.IntRange(from, len(s.drive)).Draw(t, "to")
		look := func(p geo.Point) geo.Point { return geo.Point{Lon: 10 + p.Lon, Lat: 40 + p.Lat} }
		parse := func(id string, p geo.Point, version int64) fence.Change {
			f, err := fence.Parse(id, fmt.Appendf(nil, `{"type":"Feature","geometry":{"type":"Point","coordinates":[%v,%v]},"properties":{"radius_metres":600}}`, look(p).Lon, look(p).Lat), version)
			require.NoError(t, err)
			return fence.Change{ID: id, Fence: f, Version: version}
		}
		run := func(comes bool) (events []string, final []byte) {
			f := newFleet(track.DefaultSettings(), fence.NewSet().Apply([]fence.Change{parse("stays", s.circles[0], 1)}))
			nan := math.NaN()
			for i, p := range s.drive {
				if comes && i == from {
					f.change(f.set.Apply([]fence.Change{parse("comes", s.circles[1], 2)}))
				}
				if comes && i == to {
					f.change(f.set.Apply([]fence.Change{{ID: "comes", Version: 3}}))
				}
				f.observe(&track.Fix{
					Vehicle: "v", Time: start + int64(i)*15_000, Position: look(p), SpeedMPS: nan, HeadingDegrees: nan, AccuracyMetres: nan, AltitudeMetres: nan,
				})
				f.settle()
			}
			if comes && to == len(s.drive) {
				f.change(f.set.Apply([]fence.Change{{ID: "comes", Version: 3}}))
			}
			open := 0
			for _, l := range f.lines {
				var e seen
				require.NoError(t, json.Unmarshal(l, &e))
				switch {
				case e.Type == "":
				case e.Fence != nil && e.Fence.ID == "comes":
					open += map[string]int{"enter": 1, "exit": -1}[e.Type]
				default:
					e.Sequence = 0
					fenceID := ""
					if e.Fence != nil {
						fenceID = e.Fence.ID
					}
					events = append(events, fmt.Sprint(e.Type, e.Cause, e.Time, fenceID))
				}
			}
			require.Zero(t, open, "each enter has its exit")
			return events, []byte(fmt.Sprint(f.tracks["v"].FenceIDs()))
		}
		want, state := run(false)
		got, after := run(true)
		require.Equal(t, want, got)
		require.Equal(t, string(state), string(after))
	})
}
