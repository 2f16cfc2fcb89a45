package elastic

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/elastic/go-elasticsearch/v8/esapi"

	"github.com/trackmesh/trackmesh/geo"
	"github.com/trackmesh/trackmesh/history"
	"github.com/trackmesh/trackmesh/sinks"
)

// obj is a JSON object of a question.
type obj map[string]any

// maxPage is how many hits Elasticsearch gives at once by default (index.max_result_window).
const maxPage = 10_000

// search asks the indices of a kind; none yet is no error.
func (s *Sink) search(ctx context.Context, k sinks.Kind, question obj, into any) error {
	body, err := json.Marshal(question)
	if err != nil {
		return fmt.Errorf("encoding a question: %w", err)
	}
	anything := true
	if err := s.call(ctx, esapi.SearchRequest{
		Index: []string{s.kindPrefix(k) + "*"}, Body: bytes.NewReader(body), AllowNoIndices: &anything, IgnoreUnavailable: &anything,
	}, into); err != nil {
		return fmt.Errorf("asking Elasticsearch: %w", err)
	}
	return nil
}

// whole refuses an answer that some shards had no part in: it would look complete.
type shards struct {
	Failed int `json:"failed"`
	Total  int `json:"total"`
}

func (s shards) whole() error {
	if s.Failed > 0 {
		return fmt.Errorf("%d of %d shards did not answer", s.Failed, s.Total)
	}
	return nil
}

// fixesWithin filters to fixes that are no jumps, from ≤ t < to, in the box.
func fixesWithin(from, to time.Time, box *geo.Box, more ...obj) obj {
	filters := append([]obj{}, more...)
	filters = appendRange(filters, from, to)
	if box != nil {
		filters = append(filters, obj{"geo_bounding_box": obj{"location": obj{
			"top_left": []float64{box.West, box.North}, "bottom_right": []float64{box.East, box.South},
		}}})
	}
	return obj{"bool": obj{"filter": filters, "must_not": []obj{{"term": obj{"flags": "jump"}}}}}
}

func appendRange(filters []obj, from, to time.Time) []obj {
	bounds := obj{"format": "epoch_millis"}
	if !from.IsZero() {
		bounds["gte"] = millisUp(from)
	}
	if !to.IsZero() {
		bounds["lt"] = millisUp(to)
	}
	if len(bounds) == 1 {
		return filters
	}
	return append(filters, obj{"range": obj{"@timestamp": bounds}})
}

// millisUp is the first whole millisecond that is not before t: documents are dated in whole ones.
func millisUp(t time.Time) int64 {
	ms := t.UnixMilli()
	if time.UnixMilli(ms).Before(t) {
		ms++
	}
	return ms
}

// fix is what is read back of a position.
type fix struct {
	Time     time.Time  `json:"@timestamp"`
	Vehicle  string     `json:"vehicle"`
	Location [2]float64 `json:"location"`
	Speed    *float64   `json:"speed_mps"`
	Heading  *float64   `json:"heading_degrees"`
	Status   string     `json:"status"`
	Flags    []string   `json:"flags"`
}

var fixFields = []string{"@timestamp", "vehicle", "location", "speed_mps", "heading_degrees", "status", "flags"}

func (f *fix) position() history.Position {
	p := history.Position{
		Vehicle: f.Vehicle, Time: f.Time.UnixMilli(), Location: geo.Point{Lon: f.Location[0], Lat: f.Location[1]},
		SpeedMPS: math.NaN(), HeadingDegrees: math.NaN(), Status: f.Status,
	}
	if f.Speed != nil {
		p.SpeedMPS = *f.Speed
	}
	if f.Heading != nil {
		p.HeadingDegrees = *f.Heading
	}
	for _, flag := range f.Flags {
		p.Late = p.Late || flag == "late"
	}
	return p
}

// page is an answer with hits.
type page[T any] struct {
	Shards shards `json:"_shards"`
	Hits   struct {
		Hits []struct {
			Source T     `json:"_source"`
			Sort   []any `json:"sort"`
		} `json:"hits"`
	} `json:"hits"`
}

// fixes asks for fixes in an order, page by page, up to limit.
func (s *Sink) fixes(ctx context.Context, query obj, sort []obj, limit int) ([]history.Position, error) {
	var found []history.Position
	var after []any
	for len(found) < limit {
		size := min(limit-len(found), maxPage)
		question := obj{"size": size, "query": query, "sort": sort, "_source": fixFields, "track_total_hits": false}
		if after != nil {
			question["search_after"] = after
		}
		var p page[fix]
		if err := s.search(ctx, sinks.Position, question, &p); err != nil {
			return nil, err
		}
		if err := p.Shards.whole(); err != nil {
			return nil, err
		}
		for i := range p.Hits.Hits {
			found = append(found, p.Hits.Hits[i].Source.position())
			after = p.Hits.Hits[i].Sort
		}
		if len(p.Hits.Hits) < size {
			break
		}
	}
	return found, nil
}
