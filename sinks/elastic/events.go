package elastic

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/trackmesh/trackmesh/history"
	"github.com/trackmesh/trackmesh/sinks"
)

// Events returns events, newest first. See history.Store.
func (s *Sink) Events(ctx context.Context, q history.EventQuery) (events []json.RawMessage, next string, err error) {
	question, limit, err := eventQuestion(&q)
	if err != nil {
		return nil, "", err
	}
	var p page[json.RawMessage]
	if err := s.search(ctx, sinks.Event, question, &p); err != nil {
		return nil, "", err
	}
	if err := p.Shards.whole(); err != nil {
		return nil, "", err
	}
	events = make([]json.RawMessage, 0, limit)
	for i := range p.Hits.Hits {
		if i == limit {
			next, err = eventKey(events[limit-1], q.Vehicle != "")
			break
		}
		events = append(events, p.Hits.Hits[i].Source)
	}
	return events, next, err
}

// eventQuestion asks for one event more than the limit, to know whether there is a next page.
func eventQuestion(q *history.EventQuery) (question obj, limit int, err error) {
	limit = min(history.OrDefault(q.Limit, history.DefaultEvents), maxPage-1)
	filters := appendRange([]obj{}, q.From, q.To)
	sort := []obj{{"@timestamp": "desc"}, {"id": "desc"}}
	if q.Vehicle != "" {
		filters = append(filters, obj{"term": obj{"vehicle": q.Vehicle}})
		sort = append([]obj{{"sequence": "desc"}}, sort...)
	}
	if len(q.Types) > 0 {
		filters = append(filters, obj{"terms": obj{"type": q.Types}})
	}
	if q.Fence != "" {
		filters = append(filters, obj{"term": obj{"fence.id": q.Fence}})
	}
	question = obj{"size": limit + 1, "track_total_hits": false, "query": obj{"bool": obj{"filter": filters}}, "sort": sort}
	if q.After != "" {
		k, err := history.ParseEventKey(q.After)
		if err != nil {
			return nil, 0, err
		}
		after := []any{k.Time, k.ID}
		if q.Vehicle != "" {
			after = append([]any{k.Sequence}, after...)
		}
		question["search_after"] = after
	}
	return question, limit, nil
}

func eventKey(event json.RawMessage, ofVehicle bool) (string, error) {
	var e struct {
		ID       string    `json:"id"`
		Time     time.Time `json:"@timestamp"`
		Sequence int64     `json:"sequence"`
	}
	if err := json.Unmarshal(event, &e); err != nil {
		return "", fmt.Errorf("reading a stored event: %w", err)
	}
	k := history.EventKey{Time: e.Time.UnixMilli(), ID: e.ID}
	if ofVehicle {
		k.Sequence = e.Sequence
	}
	return k.String(), nil
}

// Event returns one event. See history.Store.
func (s *Sink) Event(ctx context.Context, id string) (json.RawMessage, error) {
	if id == "" {
		return nil, history.ErrNotFound // Elasticsearch refuses to look for it
	}
	var p page[json.RawMessage]
	if err := s.search(ctx, sinks.Event, obj{"size": 1, "query": obj{"ids": obj{"values": []string{id}}}}, &p); err != nil {
		return nil, err
	}
	if err := p.Shards.whole(); err != nil {
		return nil, err
	}
	if len(p.Hits.Hits) == 0 {
		return nil, history.ErrNotFound
	}
	return p.Hits.Hits[0].Source, nil
}
