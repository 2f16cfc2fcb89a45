package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/trackmesh/trackmesh/geo"
	"github.com/trackmesh/trackmesh/history"
)

const (
	defaultListLimit = 100
	maxListLimit     = 1000
)

// eventList is a page of events, newest first.
type eventList struct {
	Events []json.RawMessage `json:"events"`
	Limit  int               `json:"limit"`
	Next   string            `json:"next"` // "after" of the next page; empty: this is the last
}

// getEvents lists events of the whole fleet.
func (s *Server) getEvents(w http.ResponseWriter, r *http.Request) error {
	return s.listEvents(w, r, readParams(r, "from", "to", "type", "fence", "vehicle", "limit", "after"), "")
}

// getTrackEvents lists events of one vehicle.
func (s *Server) getTrackEvents(w http.ResponseWriter, r *http.Request) error {
	vehicle, err := pathID(r, "vehicle")
	if err != nil {
		return err
	}
	return s.listEvents(w, r, readParams(r, "from", "to", "type", "fence", "limit", "after"), vehicle)
}

func (s *Server) listEvents(w http.ResponseWriter, r *http.Request, p *params, vehicle string) error {
	q := eventQuery(p, vehicle)
	if vehicle == "" {
		q.Vehicle = p.text("vehicle")
	}
	q.Types, q.Fence = p.eventTypes(), p.text("fence")
	if err := p.problem(); err != nil {
		return err
	}
	if s.opts.History == nil {
		return historyOff()
	}
	events, next, err := s.opts.History.Events(r.Context(), q)
	if err != nil {
		return err
	}
	if len(events) == 0 && vehicle != "" && q.After == "" {
		if err := s.knownVehicle(r, vehicle); err != nil {
			return err
		}
	}
	if events == nil {
		events = []json.RawMessage{}
	}
	return writeJSON(w, http.StatusOK, eventList{events, q.Limit, next})
}

func eventQuery(p *params, vehicle string) history.EventQuery {
	q := history.EventQuery{Vehicle: vehicle, Limit: p.integer("limit", defaultListLimit, 1, maxListLimit), After: p.text("after")}
	q.From, q.To = p.span()
	return q
}

// knownVehicle answers 404 for a vehicle that neither memory nor history knows.
func (s *Server) knownVehicle(r *http.Request, vehicle string) error {
	_, err := s.findTrack(r, vehicle)
	var p *problem
	if errors.As(err, &p) && p.status == http.StatusNotFound {
		return s.unknownVehicle(r.Context(), vehicle)
	}
	return err
}

// payloads is what trips and stops need of an event.
type payloads struct {
	ID       string          `json:"id"`
	Type     string          `json:"type"`
	Vehicle  string          `json:"vehicle"`
	Sequence uint64          `json:"sequence"`
	Trip     json.RawMessage `json:"trip"`
	Stop     json.RawMessage `json:"stop"`
}

// tripList and stopList are pages, newest first. Each entry is the payload of the event that ended it (or, for one that goes on,
// began it), with that event's id and sequence.
type listOf struct {
	name       string
	start, end string // types of event
	payload    func(*payloads) json.RawMessage
}

var (
	tripsOf = listOf{"trips", "trip_started", "trip_ended", func(p *payloads) json.RawMessage { return p.Trip }}
	stopsOf = listOf{"stops", "stop_started", "stop_ended", func(p *payloads) json.RawMessage { return p.Stop }}
)

func (s *Server) getTrips(w http.ResponseWriter, r *http.Request) error {
	return s.listPayloads(w, r, tripsOf)
}

func (s *Server) getStops(w http.ResponseWriter, r *http.Request) error {
	return s.listPayloads(w, r, stopsOf)
}

func (s *Server) listPayloads(w http.ResponseWriter, r *http.Request, of listOf) error {
	vehicle, err := pathID(r, "vehicle")
	if err != nil {
		return err
	}
	p := readParams(r, "from", "to", "limit", "after")
	q := eventQuery(p, vehicle)
	if err := p.problem(); err != nil {
		return err
	}
	if s.opts.History == nil {
		return historyOff()
	}
	items := []json.RawMessage{}
	if q.After == "" && q.To.IsZero() {
		if items, err = s.goingOn(r.Context(), vehicle, of); err != nil {
			return err
		}
	}
	q.Types = []string{of.end}
	events, next, err := s.opts.History.Events(r.Context(), q)
	if err != nil {
		return err
	}
	for _, raw := range events {
		item, err := of.item(raw, false)
		if err != nil {
			return err
		}
		items = append(items, item)
	}
	if len(items) == 0 && q.After == "" {
		if err := s.knownVehicle(r, vehicle); err != nil {
			return err
		}
	}
	return writeJSON(w, http.StatusOK, map[string]any{of.name: items, "limit": q.Limit, "next": next})
}

// goingOn is the trip or stop that has begun and not ended.
func (s *Server) goingOn(ctx context.Context, vehicle string, of listOf) ([]json.RawMessage, error) {
	newest, _, err := s.opts.History.Events(ctx, history.EventQuery{Vehicle: vehicle, Types: []string{of.start, of.end}, Limit: 1})
	if err != nil || len(newest) == 0 {
		return []json.RawMessage{}, err
	}
	var e payloads
	if err := json.Unmarshal(newest[0], &e); err != nil {
		return nil, fmt.Errorf("reading a stored event: %w", err)
	}
	if e.Type != of.start {
		return []json.RawMessage{}, nil
	}
	item, err := of.item(newest[0], true)
	return []json.RawMessage{item}, err
}

func (of listOf) item(raw json.RawMessage, goesOn bool) (json.RawMessage, error) {
	var e payloads
	if err := json.Unmarshal(raw, &e); err != nil {
		return nil, fmt.Errorf("reading a stored event: %w", err)
	}
	fields := map[string]any{}
	if payload := of.payload(&e); len(payload) > 0 {
		if err := json.Unmarshal(payload, &fields); err != nil {
			return nil, fmt.Errorf("reading a stored event: %w", err)
		}
	}
	fields["event"], fields["vehicle"], fields["sequence"], fields["open"] = e.ID, e.Vehicle, e.Sequence, goesOn
	return json.Marshal(fields)
}

// getEvent is one event, or with explain=true a drawing of what proves it.
func (s *Server) getEvent(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "id")
	if err != nil {
		return err
	}
	p := readParams(r, "explain")
	explain := p.flag("explain")
	if err := p.problem(); err != nil {
		return err
	}
	if s.opts.History == nil {
		return historyOff()
	}
	raw, err := s.opts.History.Event(r.Context(), id)
	if err != nil {
		return err
	}
	if !explain {
		return writeJSON(w, http.StatusOK, raw)
	}
	return s.explain(w, r, raw)
}

// proof is what the explanation needs of an event.
type proof struct {
	ID       string     `json:"id"`
	Type     string     `json:"type"`
	Cause    string     `json:"cause"`
	Location [2]float64 `json:"location"`
	Fence    *struct {
		ID      string `json:"id"`
		Version int64  `json:"version"`
	} `json:"fence"`
	Evidence struct {
		Before *evidence `json:"before"`
		After  *evidence `json:"after"`
	} `json:"evidence"`
}

type evidence struct {
	Time     string     `json:"time"`
	Location [2]float64 `json:"location"`
	Offset   int64      `json:"offset"`
}

func (e *evidence) point() geo.Point { return geo.Point{Lon: e.Location[0], Lat: e.Location[1]} }

// rules say in a sentence what made an event.
var rules = map[string]string{
	"enter":        "outside before and inside now; dated where the segment first meets the boundary",
	"exit":         "inside before and outside by more than the margin now; dated where the segment last leaves the boundary",
	"cross":        "both fixes outside, and the segment between them meets the interior; dated where it goes in",
	"dwell":        "inside for dwell_seconds since the enter",
	"stop_started": "all fixes of the stop-after time were within the stop radius of its first one",
	"stop_ended":   "two fixes in a row outside the stop radius; dated at the first of them",
	"trip_started": "the stop before it ended",
	"trip_ended":   "the stop after it started",
	"gap_started":  "no fix for longer than gap-after on the track's clock",
	"gap_ended":    "the next accepted fix after a gap",
}

func (s *Server) explain(w http.ResponseWriter, r *http.Request, raw json.RawMessage) error {
	var e proof
	if err := json.Unmarshal(raw, &e); err != nil {
		return fmt.Errorf("reading a stored event: %w", err)
	}
	at := geo.Point{Lon: e.Location[0], Lat: e.Location[1]}
	explanation := map[string]any{"role": "event", "rule": rules[e.Type], "cause": e.Cause, "event": raw}
	features := []any{newFeature(e.ID, pointGeometry(at), explanation)}
	before, after := e.Evidence.Before, e.Evidence.After
	if before != nil {
		explanation["metres_from_before"] = number(geo.Distance(before.point(), at))
		features = append(features, newFeature("before", pointGeometry(before.point()), map[string]any{"role": "before", "time": before.Time, "offset": before.Offset}))
	}
	if after != nil {
		explanation["metres_to_after"] = number(geo.Distance(at, after.point()))
		features = append(features, newFeature("after", pointGeometry(after.point()), map[string]any{"role": "after", "time": after.Time, "offset": after.Offset}))
	}
	if before != nil && after != nil {
		segment := &geometry{"LineString", []lonLat{lonLat(before.point()), lonLat(after.point())}}
		length := number(geo.Distance(before.point(), after.point()))
		features = append(features, newFeature("segment", segment, map[string]any{"role": "segment", "length_metres": length}))
	}
	if e.Fence != nil {
		current, err := s.opts.Fences.Get(r.Context(), e.Fence.ID)
		same := err == nil && current.Version == e.Fence.Version
		explanation["fence_unchanged"] = same // else the drawing would show another fence than the one that was judged by
		if same {
			features = append(features, json.RawMessage(current.Feature))
		}
	}
	return writeGeoJSON(w, map[string]any{"type": "FeatureCollection", "features": features})
}
