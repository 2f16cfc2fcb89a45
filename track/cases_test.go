package track_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/fence"
	"github.com/trackmesh/trackmesh/geo"
	"github.com/trackmesh/trackmesh/internal/casecmp"
	"github.com/trackmesh/trackmesh/track"
)

// fleet drives tracks as a partition does, without anything around it.
type fleet struct {
	settings track.Settings
	set      *fence.Set
	tracks   map[string]*track.Track
	clock    int64
	out      track.Output
	lines    [][]byte // what came out, as JSON
}

func newFleet(settings track.Settings, set *fence.Set) *fleet {
	return &fleet{settings: settings, set: set, tracks: map[string]*track.Track{}}
}

func (f *fleet) env() *track.Env {
	return &track.Env{Settings: &f.settings, Fences: f.set, EventClock: f.clock}
}

func (f *fleet) observe(fix *track.Fix) {
	f.clock = max(f.clock, fix.Time)
	t := f.tracks[fix.Vehicle]
	if t == nil {
		t = track.New(fix.Vehicle)
		f.tracks[fix.Vehicle] = t
	}
	t.Observe(f.env(), fix, &f.out)
}

// settle ticks every track and takes the output: the end of a batch.
func (f *fleet) settle() {
	for {
		fired := false
		for _, t := range f.tracks {
			if due, ok := t.Due(f.env()); ok && due <= f.clock {
				t.Tick(f.env(), &f.out)
				fired = true
			}
		}
		if !fired {
			break
		}
	}
	for i := range f.out.Events {
		f.lines = append(f.lines, track.AppendEvent(nil, &f.out.Events[i], []byte("00000000-0-1"), "positions", 0))
	}
	for i := range f.out.Documents {
		f.lines = append(f.lines, track.AppendDocument(nil, &f.out.Documents[i], "positions", 0))
	}
	f.out.Reset()
	for v, t := range f.tracks {
		if t.Forgotten() {
			delete(f.tracks, v)
		}
	}
}

// restart replaces every track by what its snapshot holds.
func (f *fleet) restart(t *testing.T) {
	t.Helper()
	for v, old := range f.tracks {
		restored, err := track.Restore(v, old.AppendSnapshot(nil))
		require.NoError(t, err)
		f.tracks[v] = restored
	}
}

func TestSharedCases(t *testing.T) {
	t.Parallel()
	for _, c := range loadCases(t) {
		for name, batch := range map[string]int{"one by one": 1, "seven at once": 7, "all at once": math.MaxInt} {
			t.Run(c.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				f := newFleet(c.settings, c.set)
				for i := range c.fixes {
					f.observe(&c.fixes[i])
					if (i+1)%batch == 0 {
						f.settle()
					}
				}
				f.settle()
				c.compare(t, f.lines)
			})
		}
		t.Run(c.name+"/restarted after each record", func(t *testing.T) {
			t.Parallel()
			f := newFleet(c.settings, c.set)
			for i := range c.fixes {
				f.observe(&c.fixes[i])
				f.settle()
				f.restart(t)
			}
			c.compare(t, f.lines)
		})
	}
}

type worked struct {
	name     string
	settings track.Settings
	set      *fence.Set
	fixes    []track.Fix
	expected [][]byte
}

// compare leaves dead letters to the tests that have a decoder.
func (c *worked) compare(t *testing.T, got [][]byte) {
	t.Helper()
	var want [][]byte
	for _, line := range c.expected {
		if !bytes.Contains(line, []byte(`"kind": "dead"`)) {
			want = append(want, line)
		}
	}
	require.Empty(t, casecmp.Differences(want, got))
}

func loadCases(t *testing.T) []*worked {
	t.Helper()
	dirs, err := filepath.Glob("testdata/cases/*/flags.txt")
	require.NoError(t, err)
	require.NotEmpty(t, dirs)
	var all []*worked
	for _, d := range dirs {
		all = append(all, loadCase(t, filepath.Dir(d)))
	}
	return all
}

func loadCase(t *testing.T, dir string) *worked {
	t.Helper()
	c := &worked{name: filepath.Base(dir), settings: track.DefaultSettings(), expected: readLines(t, filepath.Join(dir, "expected.jsonl"))}
	for _, line := range readLines(t, filepath.Join(dir, "flags.txt"))[1:] {
		name, value, _ := strings.Cut(string(line), "=")
		switch name {
		case "--quiet-clock", "--format":
		case "--forget-after":
			c.settings.ForgetAfter = duration(t, value)
		case "--reorder-window":
			c.settings.ReorderWindow = duration(t, value)
		default:
			t.Fatalf("%s has a flag that the test does not know: %s", dir, line)
		}
	}
	c.set = loadFences(t, filepath.Join(dir, "fences.geojson"))
	dead := map[int64]bool{}
	for _, line := range c.expected {
		var e struct {
			Kind   string
			Source struct{ Offset int64 }
		}
		require.NoError(t, json.Unmarshal(line, &e))
		dead[e.Source.Offset] = dead[e.Source.Offset] || e.Kind == "dead"
	}
	raw, err := os.ReadFile(filepath.Join(dir, "positions.jsonl"))
	require.NoError(t, err)
	for offset, line := range bytes.Split(bytes.TrimSuffix(raw, []byte("\n")), []byte("\n")) {
		if !dead[int64(offset)] {
			c.fixes = append(c.fixes, parseFix(t, line, int64(offset)))
		}
	}
	return c
}

func duration(t *testing.T, s string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(s)
	require.NoError(t, err)
	return d
}

func loadFences(t *testing.T, file string) *fence.Set {
	t.Helper()
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	var collection struct{ Features []json.RawMessage }
	require.NoError(t, json.Unmarshal(raw, &collection))
	var changes []fence.Change
	for i, feature := range collection.Features {
		var head struct{ ID string }
		require.NoError(t, json.Unmarshal(feature, &head))
		f, err := fence.Parse(head.ID, feature, int64(i))
		require.NoError(t, err)
		changes = append(changes, fence.Change{ID: head.ID, Fence: f, Version: int64(i)})
	}
	return fence.NewSet().Apply(changes)
}

func parseFix(t *testing.T, line []byte, offset int64) track.Fix {
	t.Helper()
	nan := math.NaN()
	p := struct {
		Vehicle                            string
		Time                               any
		Longitude, Latitude                float64
		Speed, Heading, Accuracy, Altitude *float64
	}{}
	require.NoError(t, json.Unmarshal(line, &p), "offset %d: %s", offset, line)
	optional := func(v *float64) float64 {
		if v == nil || *v < 0 {
			return nan
		}
		return *v
	}
	fix := track.Fix{
		Vehicle: p.Vehicle, Time: parseTime(t, p.Time), Position: geo.Point{Lon: p.Longitude, Lat: p.Latitude}, SpeedMPS: optional(p.Speed),
		HeadingDegrees: optional(p.Heading), AccuracyMetres: optional(p.Accuracy), AltitudeMetres: nan, Offset: offset,
	}
	if fix.HeadingDegrees == 360 {
		fix.HeadingDegrees = 0
	}
	return fix
}

func parseTime(t *testing.T, v any) int64 {
	t.Helper()
	switch v := v.(type) {
	case float64:
		if v < 1e11 {
			return int64(v * 1000)
		}
		return int64(v)
	case string:
		at, err := time.Parse(time.RFC3339, v)
		require.NoError(t, err)
		return at.UnixMilli()
	}
	t.Fatalf("no time: %v", v)
	return 0
}

func readLines(t *testing.T, file string) [][]byte {
	t.Helper()
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	var lines [][]byte
	scanner := bufio.NewScanner(bytes.NewReader(raw))
	scanner.Buffer(nil, 1<<24)
	for scanner.Scan() {
		if len(scanner.Bytes()) > 0 {
			lines = append(lines, bytes.Clone(scanner.Bytes()))
		}
	}
	require.NoError(t, scanner.Err())
	return lines
}
