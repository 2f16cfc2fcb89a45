package api

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/trackmesh/trackmesh/fence"
	"github.com/trackmesh/trackmesh/geo"
	"github.com/trackmesh/trackmesh/history"
	"github.com/trackmesh/trackmesh/live"
	"github.com/trackmesh/trackmesh/track"
)

// Bounds of the live searches.
const (
	defaultSearchLimit = 1000
	maxSearchLimit     = 50_000
	defaultNeighbours  = 10
	maxNeighbours      = 1000
)

// trackState is the answer of GET /api/v1/tracks/{vehicle}.
type trackState struct {
	trackProperties
	Position lonLat `json:"position"`
	Node     string `json:"node"`
}

func (s *Server) getTrack(w http.ResponseWriter, r *http.Request) error {
	vehicle, err := pathID(r, "vehicle")
	if err != nil {
		return err
	}
	v, err := s.findTrack(r.Context(), vehicle)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, trackState{s.trackProperties(v), lonLat(v.Position), s.opts.Owner(v.Partition)})
}

func noVehicle(vehicle string) *problem {
	return named(http.StatusNotFound, "vehicle", "no vehicle "+vehicle+" is known: nothing that it sent was accepted (trackctl dead list shows what was refused), "+
		"or it was forgotten; GET /api/v1/tracks lists those that are")
}

// findTrack is a vehicle's state; "unknown" only when everybody was asked.
func (s *Server) findTrack(ctx context.Context, vehicle string) (*track.View, error) {
	v, coverage, err := s.opts.Live.Track(ctx, vehicle)
	switch {
	case errors.Is(err, ErrNotFound) && !coverage.Whole():
		return nil, missingPartitions(coverage, "the vehicle may be in a partition that cannot be asked now; try again")
	case errors.Is(err, ErrNotFound):
		return nil, noVehicle(vehicle)
	case err != nil:
		return nil, err
	}
	return v, nil
}

// getTracks answers the live searches and the one for a past moment.
func (s *Server) getTracks(w http.ResponseWriter, r *http.Request) error {
	p := readParams(r, "bbox", "near", "k", "radius_metres", "fence", "at", "max_age", "status", "limit")
	switch {
	case p.has("near"):
		return s.getNear(w, r, p)
	case p.has("at"):
		return s.getTracksAt(w, r, p)
	}
	for _, name := range []string{"k", "radius_metres", "max_age"} {
		if p.has(name) {
			p.fail(name, "goes with near or at")
		}
	}
	q := live.Query{
		Box: p.box(), Fence: p.text("fence"), Statuses: p.statuses(),
		Limit: p.integer("limit", defaultSearchLimit, 1, maxSearchLimit),
	}
	if err := p.problem(); err != nil {
		return err
	}
	if q.Fence != "" {
		if _, err := s.opts.Fences.Get(r.Context(), q.Fence); err != nil {
			return noFence(err, q.Fence)
		}
	}
	return s.answerSearch(w, r, q)
}

func (s *Server) answerSearch(w http.ResponseWriter, r *http.Request, q live.Query) error {
	found, coverage, err := s.opts.Live.Search(r.Context(), q)
	if err != nil {
		return err
	}
	slices.SortFunc(found.Tracks, func(a, b *track.View) int { return cmp.Compare(a.Vehicle, b.Vehicle) })
	features := make([]feature, len(found.Tracks))
	for i, v := range found.Tracks {
		features[i] = s.trackFeature(v)
	}
	return s.answerCollection(w, features, q.Limit, found.Cut, &coverage)
}

func (s *Server) answerCollection(w http.ResponseWriter, features []feature, limit int, cut bool, c *live.Coverage) error {
	if c != nil && !c.Whole() {
		s.metrics.partial.Inc()
	}
	return writeGeoJSON(w, collection{
		Type: "FeatureCollection", Features: features, Limit: limit, Truncated: cut, Partitions: c,
	})
}

func (s *Server) getNear(w http.ResponseWriter, r *http.Request, p *params) error {
	at, err := parsePoint(p.text("near"))
	if err != nil {
		p.fail("near", err.Error())
	}
	for _, name := range []string{"bbox", "fence", "at", "max_age"} {
		if p.has(name) {
			p.fail(name, "does not go with near")
		}
	}
	radius := p.metres("radius_metres")
	absent := defaultNeighbours
	if radius > 0 && !p.has("k") { // all within the radius, then
		absent = p.integer("limit", defaultSearchLimit, 1, maxNeighbours)
	}
	k := p.integer("k", absent, 1, maxNeighbours)
	q := live.NearestQuery{Point: at, K: k + 1, RadiusMetres: radius, Statuses: p.statuses()} // one more shows whether it was cut
	if err := p.problem(); err != nil {
		return err
	}
	found, coverage, err := s.opts.Live.Nearest(r.Context(), q)
	if err != nil {
		return err
	}
	cut := radius > 0 && len(found) > k
	found = found[:min(k, len(found))]
	features := make([]feature, len(found))
	for i, n := range found {
		properties, metres := s.trackProperties(n.View), number(n.Metres)
		properties.DistanceMetres = &metres
		features[i] = newFeature(n.View.Vehicle, pointGeometry(n.View.Position), properties)
	}
	return s.answerCollection(w, features, k, cut, &coverage)
}

// pastProperties is where a vehicle was at a moment.
type pastProperties struct {
	Vehicle        string `json:"vehicle"`
	Time           string `json:"time"`
	SpeedMPS       number `json:"speed_mps"`
	HeadingDegrees number `json:"heading_degrees"`
	Status         string `json:"status,omitempty"`
}

// getTracksAt says where the fleet was.
func (s *Server) getTracksAt(w http.ResponseWriter, r *http.Request, p *params) error {
	for _, name := range []string{"fence", "k", "radius_metres"} {
		if p.has(name) {
			p.fail(name, "does not go with at")
		}
	}
	q := history.AtQuery{At: p.moment("at"), Box: p.box(), Limit: p.integer("limit", defaultSearchLimit, 1, maxSearchLimit)}
	if v := p.text("max_age"); v != "" {
		age, err := time.ParseDuration(v)
		if err != nil || age <= 0 || age > 24*time.Hour {
			p.fail("max_age", "must be a duration such as 30m, at most 24h")
		}
		q.MaxAge = age
	}
	statuses := p.statuses()
	if err := p.problem(); err != nil {
		return err
	}
	if s.opts.History == nil {
		return historyOff()
	}
	limit := q.Limit
	q.Limit++
	positions, err := s.opts.History.At(r.Context(), q)
	if err != nil {
		return err
	}
	cut := len(positions) > limit
	positions = positions[:min(limit, len(positions))]
	features := make([]feature, 0, len(positions))
	for i := range positions {
		h := &positions[i]
		if len(statuses) > 0 && !slices.Contains(statuses, statusByName[h.Status]) {
			continue
		}
		features = append(features, newFeature(h.Vehicle, pointGeometry(h.Location), pastProperties{
			h.Vehicle, formatMS(h.Time), number(h.SpeedMPS), number(h.HeadingDegrees), h.Status,
		}))
	}
	return s.answerCollection(w, features, limit, cut, nil)
}

// historyOff says that nothing of the past is kept here.
func historyOff() error {
	return named(http.StatusNotImplemented, "history-off", "this deployment keeps no history (--history=off)")
}

// postSearch searches in a polygon.
func (s *Server) postSearch(w http.ResponseWriter, r *http.Request) error {
	if p := readParams(r); p.problem() != nil {
		return p.problem()
	}
	var body struct {
		Polygon json.RawMessage `json:"polygon"`
		Status  []string        `json:"status"`
		Limit   *int            `json:"limit"`
	}
	if err := s.readJSON(w, r, &body); err != nil {
		return err
	}
	q := live.Query{Limit: defaultSearchLimit}
	if body.Limit != nil {
		if q.Limit = *body.Limit; q.Limit < 1 || q.Limit > maxSearchLimit {
			return badBody("/limit", "must be from 1 to 50000")
		}
	}
	for _, name := range body.Status {
		status, ok := statusByName[name]
		if !ok {
			return badBody("/status", "must hold moving, stopped or silent")
		}
		q.Statuses = append(q.Statuses, status)
	}
	var err error
	if q.Inside, err = parsePolygon(body.Polygon); err != nil {
		return err
	}
	q.InsideGeoJSON = body.Polygon
	return s.answerSearch(w, r, q)
}

// parsePolygon reads a GeoJSON Polygon or MultiPolygon; its errors point into the member "polygon".
func parsePolygon(raw json.RawMessage) (geo.Shape, error) {
	if len(raw) == 0 {
		return nil, badBody("/polygon", "a GeoJSON Polygon or MultiPolygon is wanted")
	}
	shape, err := fence.ParseShape(raw)
	if err == nil {
		return shape, nil
	}
	pointer := "/polygon"
	if bad, ok := errors.AsType[*fence.ParseError](err); ok {
		return nil, badBody(pointer+bad.Pointer, bad.Reason)
	}
	return nil, badBody(pointer, err.Error())
}
