package elastic

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/trackmesh/trackmesh/geo"
	"github.com/trackmesh/trackmesh/history"
	"github.com/trackmesh/trackmesh/sinks"
)

// Path returns a vehicle's fixes. See history.Store.
func (s *Sink) Path(ctx context.Context, q history.PathQuery) ([]history.Position, error) {
	filters := []obj{{"term": obj{"vehicle": q.Vehicle}}}
	query := fixesWithin(q.From, q.To, nil, filters...)
	if !q.Late {
		query["bool"].(obj)["must_not"] = []obj{{"terms": obj{"flags": []string{"jump", "late"}}}}
	}
	newestFirst := []obj{
		{"@timestamp": obj{"order": "desc"}}, {"source.offset": obj{"order": "desc"}}, {"source.partition": obj{"order": "desc"}},
	}
	found, err := s.fixes(ctx, query, newestFirst, history.OrDefault(q.Limit, history.DefaultFixes))
	slices.Reverse(found)
	return found, err
}

// Replay returns the fixes in a window. See history.Store.
func (s *Sink) Replay(ctx context.Context, q history.ReplayQuery) ([]history.Position, error) {
	if q.Step >= time.Millisecond {
		return s.replaySteps(ctx, &q)
	}
	order := []obj{{"@timestamp": "asc"}, {"vehicle": "asc"}, {"source.offset": "asc"}, {"source.partition": "asc"}}
	return s.fixes(ctx, fixesWithin(q.From, q.To, q.Box), order, history.OrDefault(q.Limit, history.DefaultFixes))
}

// replaySteps asks for each vehicle's first fix of each step: a bucket for each step and vehicle, page by page. Buckets come step by
// step, so what is over the limit after a whole step is not asked for.
func (s *Sink) replaySteps(ctx context.Context, q *history.ReplayQuery) ([]history.Position, error) {
	every, limit := q.Step.Milliseconds(), history.OrDefault(q.Limit, history.DefaultFixes)
	order := func(a, b history.Position) int {
		return cmp.Or(cmp.Compare(a.Time, b.Time), strings.Compare(a.Vehicle, b.Vehicle))
	}
	sources := []obj{
		{"step": obj{"date_histogram": obj{"field": "@timestamp", "fixed_interval": fmt.Sprintf("%dms", every)}}},
		{"vehicle": obj{"terms": obj{"field": "vehicle"}}},
	}
	top := obj{"size": 1, "_source": fixFields, "sort": []obj{{"@timestamp": "asc"}, {"source.offset": "asc"}, {"source.partition": "asc"}}}
	var found []history.Position
	var after obj
	for {
		page, err := s.tops(ctx, fixesWithin(q.From, q.To, q.Box), sources, top, after)
		if err != nil {
			return nil, err
		}
		found = page.append(found, nil, math.MaxInt)
		buckets := page.Aggregations.Vehicles.Buckets
		full := len(found) > limit && history.Floor(found[limit-1].Time, every) < history.Floor(found[len(found)-1].Time, every)
		if full || len(buckets) < vehiclesPerPage {
			slices.SortStableFunc(found, order)
			return found[:min(len(found), limit)], nil
		}
		after = page.Aggregations.Vehicles.AfterKey
	}
}

// vehiclesPerPage is how many vehicles one question of At is about: each is a bucket with a document in the reply.
const vehiclesPerPage = 1000

// newest is an answer with the newest fix of each vehicle, or the first one of another kind of bucket.
type newest struct {
	Shards       shards `json:"_shards"`
	Aggregations struct {
		Vehicles struct {
			AfterKey obj `json:"after_key"`
			Buckets  []struct {
				Key struct {
					Vehicle string `json:"vehicle"`
				} `json:"key"`
				Newest struct {
					Hits struct {
						Hits []struct {
							Source fix `json:"_source"`
						} `json:"hits"`
					} `json:"hits"`
				} `json:"newest"`
			} `json:"buckets"`
		} `json:"vehicles"`
	} `json:"aggregations"`
}

// At returns where the fleet was. See history.Store. With a box it finds the vehicles that were in it during MaxAge, and
// then each one's newest fix, which may be elsewhere.
func (s *Sink) At(ctx context.Context, q history.AtQuery) ([]history.Position, error) {
	age, limit := q.MaxAge, history.OrDefault(q.Limit, history.DefaultFixes)
	if age <= 0 {
		age = history.DefaultMaxAge
	}
	from, to := q.At.Add(-age).Add(time.Millisecond), q.At.Add(time.Millisecond)
	var found []history.Position
	var after obj
	for len(found) < limit {
		n, err := s.newest(ctx, fixesWithin(from, to, q.Box), after)
		if err != nil {
			return nil, err
		}
		vehicles := n.Aggregations.Vehicles
		last := len(vehicles.Buckets) < vehiclesPerPage
		if q.Box != nil && len(vehicles.Buckets) > 0 {
			names := make([]string, len(vehicles.Buckets))
			for i := range vehicles.Buckets {
				names[i] = vehicles.Buckets[i].Key.Vehicle
			}
			if n, err = s.newest(ctx, fixesWithin(from, to, nil, obj{"terms": obj{"vehicle": names}}), nil); err != nil {
				return nil, err
			}
		}
		found = n.append(found, q.Box, limit)
		if last {
			break
		}
		after = vehicles.AfterKey
	}
	return found, nil
}

func (s *Sink) newest(ctx context.Context, query, after obj) (*newest, error) {
	top := obj{"size": 1, "_source": fixFields, "sort": []obj{{"@timestamp": "desc"}, {"source.offset": "desc"}, {"source.partition": "desc"}}}
	return s.tops(ctx, query, []obj{{"vehicle": obj{"terms": obj{"field": "vehicle"}}}}, top, after)
}

// tops asks for the first document of each bucket of the sources.
func (s *Sink) tops(ctx context.Context, query obj, sources []obj, top, after obj) (*newest, error) {
	composite := obj{"size": vehiclesPerPage, "sources": sources}
	if after != nil {
		composite["after"] = after
	}
	question := obj{
		"size": 0, "track_total_hits": false, "query": query,
		"aggs": obj{"vehicles": obj{"composite": composite, "aggs": obj{"newest": obj{"top_hits": top}}}},
	}
	var n newest
	if err := s.search(ctx, sinks.Position, question, &n); err != nil {
		return nil, err
	}
	return &n, n.Shards.whole()
}

func (n *newest) append(found []history.Position, box *geo.Box, limit int) []history.Position {
	for i := range n.Aggregations.Vehicles.Buckets {
		hits := n.Aggregations.Vehicles.Buckets[i].Newest.Hits.Hits
		if len(hits) == 0 || len(found) == limit {
			continue
		}
		if p := hits[0].Source.position(); box == nil || box.Contains(p.Location) {
			found = append(found, p)
		}
	}
	return found
}
