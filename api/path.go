package api

import (
	"context"
	"errors"
	"math"
	"net/http"
	"time"

	"github.com/trackmesh/trackmesh/geo"
	"github.com/trackmesh/trackmesh/history"
	"github.com/trackmesh/trackmesh/track"
)

const (
	defaultPathLimit = 1000
	maxPathLimit     = 10_000
)

// pathProperties go with the line of a path; the lists have one entry per vertex.
type pathProperties struct {
	Vehicle         string   `json:"vehicle"`
	Times           []string `json:"times"`
	SpeedsMPS       []number `json:"speeds_mps"`
	HeadingsDegrees []number `json:"headings_degrees"`
	From            *string  `json:"from"`
	To              *string  `json:"to"`
	Limit           int      `json:"limit"`
	Truncated       bool     `json:"truncated"`     // the newest Limit fixes of more
	History         string   `json:"history"`       // all, in-fences or off: off means that the path is what memory holds
	CompleteFrom    *string  `json:"complete_from"` // with history off: nothing older is known
}

// getPath joins what memory and history know of a vehicle's way.
func (s *Server) getPath(w http.ResponseWriter, r *http.Request) error {
	vehicle, err := pathID(r, "vehicle")
	if err != nil {
		return err
	}
	p := readParams(r, "from", "to", "limit", "simplify_metres")
	from, to := p.span()
	limit := p.integer("limit", defaultPathLimit, 1, maxPathLimit)
	tolerance := p.metres("simplify_metres")
	if err := p.problem(); err != nil {
		return err
	}
	whole, err := s.wholePath(r.Context(), vehicle, from, to, limit+1)
	if err != nil {
		return err
	}
	properties := pathProperties{
		Vehicle: vehicle, From: optionalTime(from), To: optionalTime(to), Limit: limit, History: s.opts.HistoryMode,
		Truncated: len(whole.points) > limit,
	}
	if s.opts.History == nil && whole.since > 0 {
		since := formatMS(whole.since)
		properties.CompleteFrom = &since
	}
	points := whole.points[max(0, len(whole.points)-limit):]
	if tolerance > 0 {
		points = simplify(points, tolerance)
	}
	return writeGeoJSON(w, newFeature(vehicle, properties.fill(points), properties))
}

// fill lists the vertices' attributes and returns the line: a point for one vertex, null for none, as GeoJSON has no shorter line.
func (p *pathProperties) fill(points []track.PathPoint) *geometry {
	n := len(points)
	p.Times, p.SpeedsMPS, p.HeadingsDegrees = make([]string, n), make([]number, n), make([]number, n)
	line := make([]lonLat, n)
	for i := range points {
		line[i] = lonLat(points[i].Position)
		p.Times[i] = formatMS(points[i].Time)
		p.SpeedsMPS[i], p.HeadingsDegrees[i] = number(points[i].SpeedMPS), number(points[i].HeadingDegrees)
	}
	switch n {
	case 0:
		return nil
	case 1:
		return pointGeometry(points[0].Position)
	}
	return &geometry{"LineString", line}
}

// joined is a path, and from when on memory held it (UTC ms).
type joined struct {
	points []track.PathPoint
	since  int64
}

// wholePath is the newest limit fixes of a span. Memory is whole from since on, so history gives exactly what is older.
func (s *Server) wholePath(ctx context.Context, vehicle string, from, to time.Time, limit int) (joined, error) {
	recent, since, err := s.opts.Paths.Path(ctx, vehicle, millis(from), millis(to), limit)
	known := err == nil
	if err != nil && !errors.Is(err, ErrNotFound) {
		return joined{}, err
	}
	if !known {
		since = 0
	}
	all := joined{recent, since}
	if s.opts.History != nil && len(recent) < limit && (!known || from.IsZero() || millis(from) < since) {
		older, err := s.olderPath(ctx, vehicle, from, to, known, since, limit-len(recent))
		if err != nil {
			return joined{}, err
		}
		all.points = append(older, recent...)
	}
	if !known && len(all.points) == 0 {
		return joined{}, s.unknownVehicle(ctx, vehicle)
	}
	return all, nil
}

func (s *Server) olderPath(ctx context.Context, vehicle string, from, to time.Time, known bool, since int64, limit int) ([]track.PathPoint, error) {
	q := history.PathQuery{Vehicle: vehicle, From: from, To: to, Limit: limit}
	if seam := time.UnixMilli(since).UTC(); known && (to.IsZero() || seam.Before(to)) {
		q.To = seam
	}
	stored, err := s.opts.History.Path(ctx, q)
	if err != nil {
		return nil, err
	}
	points := make([]track.PathPoint, len(stored))
	for i := range stored {
		h := &stored[i]
		points[i] = track.PathPoint{Time: h.Time, Position: h.Location, SpeedMPS: h.SpeedMPS, HeadingDegrees: h.HeadingDegrees}
	}
	return points, nil
}

// unknownVehicle tells a vehicle that nobody knows from one that has nothing in the span: forgotten ones live on in history.
func (s *Server) unknownVehicle(ctx context.Context, vehicle string) error {
	if s.opts.History != nil {
		stored, err := s.opts.History.Path(ctx, history.PathQuery{Vehicle: vehicle, Limit: 1, Late: true})
		if err != nil {
			return err
		}
		if len(stored) > 0 {
			return nil
		}
	}
	return noVehicle(vehicle)
}

// millis is a time in UTC milliseconds, 0 for the zero time.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// simplify leaves out vertices that are nearer than a tolerance to the line without them (Douglas and Peucker, 1973).
func simplify(points []track.PathPoint, metres float64) []track.PathPoint {
	if len(points) < 3 {
		return points
	}
	keep := make([]bool, len(points))
	keep[0], keep[len(points)-1] = true, true
	type piece struct{ first, last int }
	for todo := []piece{{0, len(points) - 1}}; len(todo) > 0; {
		p := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		furthest, at := metres, -1
		for i := p.first + 1; i < p.last; i++ {
			if d := offLine(points[i].Position, points[p.first].Position, points[p.last].Position); d > furthest {
				furthest, at = d, i
			}
		}
		if at >= 0 {
			keep[at] = true
			todo = append(todo, piece{p.first, at}, piece{at, p.last})
		}
	}
	kept := make([]track.PathPoint, 0, len(points)/2)
	for i, k := range keep {
		if k {
			kept = append(kept, points[i])
		}
	}
	return kept
}

// offLine is how far a point is from the segment a-b, in metres. The segment is straight in longitude and latitude, the short way,
// as GeoJSON's lines are; lengths are those about the point.
func offLine(p, a, b geo.Point) float64 {
	const metresPerDegree = 111_195
	scale := metresPerDegree * math.Cos(p.Lat*math.Pi/180)
	bx, by := math.Remainder(b.Lon-a.Lon, 360)*scale, (b.Lat-a.Lat)*metresPerDegree
	px, py := math.Remainder(p.Lon-a.Lon, 360)*scale, (p.Lat-a.Lat)*metresPerDegree
	along := 0.0
	if length := bx*bx + by*by; length > 0 {
		along = min(1, max(0, (px*bx+py*by)/length))
	}
	return math.Hypot(px-along*bx, py-along*by)
}
