package fleet

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/trackmesh/trackmesh/geo"
)

const (
	maxNodes         = 5_000_000
	metresPerSecond  = 0.44704 // in a mile an hour
	usualMPH         = 25
	minMPH, maxMPH   = 5, 80
	manyStreets      = 3 // at a node from which so many others can be reached there are lights
	coordinateDegree = 1e-6
)

// ReadStreets reads a network from a GeoJSON FeatureCollection of LineStrings in degrees. Properties: oneway (true: only in the drawn
// direction), mph (25 where it is not given), routable (false leaves a street out). Streets meet where they share a point. Only
// the largest part is used in which one can drive from everywhere to everywhere.
func ReadStreets(r io.Reader) (*Network, error) {
	dec := json.NewDecoder(r)
	if err := toFeatures(dec); err != nil {
		return nil, fmt.Errorf("reading streets: %w", err)
	}
	s := &streets{at: map[[2]int64]int32{}}
	for n := 1; dec.More(); n++ {
		var f streetFeature
		if err := dec.Decode(&f); err != nil {
			return nil, fmt.Errorf("reading streets: feature %d: %w", n, err)
		}
		if err := s.add(&f); err != nil {
			return nil, fmt.Errorf("reading streets: feature %d: %w", n, err)
		}
	}
	if _, err := dec.Token(); err != nil {
		return nil, fmt.Errorf("reading streets: the features do not end: %w", err)
	}
	s.light()
	s.builder.wishes = errands
	network, err := s.builder.build()
	if err != nil {
		return nil, fmt.Errorf("reading streets: %w", err)
	}
	return network, nil
}

var errNoFeatures = errors.New("it is no FeatureCollection")

// toFeatures goes to the first element of the top object's features.
func toFeatures(dec *json.Decoder) error {
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return errors.Join(errNoFeatures, err)
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return err
		}
		if key == "features" {
			if t, err := dec.Token(); err != nil || t != json.Delim('[') {
				return errors.Join(errNoFeatures, err)
			}
			return nil
		}
		var skipped json.RawMessage
		if err := dec.Decode(&skipped); err != nil {
			return err
		}
	}
	return errNoFeatures
}

type streetFeature struct {
	Properties struct {
		Oneway   bool
		MPH      *float64
		Routable *bool
	}
	Geometry struct {
		Type        string
		Coordinates json.RawMessage
	}
}

type streets struct {
	builder builder
	at      map[[2]int64]int32
}

func (s *streets) add(f *streetFeature) error {
	if f.Geometry.Type != "LineString" || f.Properties.Routable != nil && !*f.Properties.Routable {
		return nil
	}
	var line [][]float64
	if err := json.Unmarshal(f.Geometry.Coordinates, &line); err != nil {
		return fmt.Errorf("its coordinates: %w", err)
	}
	mph := float64(usualMPH)
	if p := f.Properties.MPH; p != nil && *p > 0 {
		mph = min(max(*p, minMPH), maxMPH)
	}
	before := int32(-1)
	for _, c := range line {
		if len(c) < 2 || math.Abs(c[0]) > 180 || math.Abs(c[1]) > 90 {
			return fmt.Errorf("%v is no position", c)
		}
		n := s.node(geo.Point{Lon: c[0], Lat: c[1]})
		if len(s.builder.nodes) > maxNodes {
			return fmt.Errorf("there are more than %d points", maxNodes)
		}
		switch {
		case before < 0:
		case f.Properties.Oneway:
			s.builder.oneWay(before, n, mph*metresPerSecond)
		default:
			s.builder.bothWays(before, n, mph*metresPerSecond)
		}
		before = n
	}
	return nil
}

func (s *streets) node(p geo.Point) int32 {
	key := [2]int64{int64(math.Round(p.Lon / coordinateDegree)), int64(math.Round(p.Lat / coordinateDegree))}
	n, ok := s.at[key]
	if !ok {
		n = s.builder.node(p, false)
		s.at[key] = n
	}
	return n
}

// light puts traffic lights where streets cross.
func (s *streets) light() {
	neighbours := make(map[[2]int32]bool, len(s.builder.edges))
	count := make([]int, len(s.builder.nodes))
	for _, e := range s.builder.edges {
		pair := [2]int32{min(e.from, e.to), max(e.from, e.to)}
		if !neighbours[pair] {
			neighbours[pair] = true
			count[e.from]++
			count[e.to]++
		}
	}
	for n, c := range count {
		s.builder.signals[n] = c >= manyStreets
	}
}
