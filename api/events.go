package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

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
	_, err := s.findTrack(r.Context(), vehicle)
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
	if errors.Is(err, history.ErrNotFound) {
		return named(http.StatusNotFound, "event", "no event "+id+" is stored: a new one takes a second or so to get there, and old ones are deleted after "+
			"--history-max-age; GET /api/v1/events lists those that there are")
	}
	if err != nil {
		return err
	}
	if !explain {
		return writeJSON(w, http.StatusOK, raw)
	}
	return s.explain(w, r, raw)
}
