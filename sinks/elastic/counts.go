package elastic

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/trackmesh/trackmesh/history"
	"github.com/trackmesh/trackmesh/sinks"
)

// maxShardCells is how many cells each shard counts: with that many or fewer the counts are exact. Elasticsearch allows
// 65,536 buckets an answer (search.max_buckets).
const maxShardCells = 65_000

// Cells counts fixes by geohash cell. See history.Store.
func (s *Sink) Cells(ctx context.Context, q history.CellQuery) ([]history.Cell, error) {
	if err := q.Check(); err != nil {
		return nil, err
	}
	limit := min(history.OrDefault(q.Limit, history.DefaultCells), maxShardCells)
	grid := obj{"field": "location", "precision": q.Precision, "size": limit, "shard_size": maxShardCells}
	var answer struct {
		Shards       shards `json:"_shards"`
		Aggregations struct {
			Cells struct {
				Buckets []struct {
					Key   string `json:"key"`
					Count int64  `json:"doc_count"`
				} `json:"buckets"`
			} `json:"cells"`
		} `json:"aggregations"`
	}
	if err := s.search(ctx, sinks.Position, obj{
		"size": 0, "track_total_hits": false, "query": fixesWithin(q.From, q.To, q.Box), "aggs": obj{"cells": obj{"geohash_grid": grid}},
	}, &answer); err != nil {
		return nil, err
	}
	buckets := answer.Aggregations.Cells.Buckets
	cells := make([]history.Cell, len(buckets))
	for i := range buckets {
		cells[i] = history.Cell{Geohash: buckets[i].Key, Count: buckets[i].Count}
	}
	slices.SortFunc(cells, history.CompareCells)
	return cells, answer.Shards.whole()
}

// Histogram counts fixes by interval. See history.Store.
func (s *Sink) Histogram(ctx context.Context, from, to time.Time, interval time.Duration) ([]history.Bucket, error) {
	if err := history.CheckHistogram(from, to, interval); err != nil {
		return nil, err
	}
	var answer struct {
		Shards       shards `json:"_shards"`
		Aggregations struct {
			Times struct {
				Buckets []struct {
					Key   int64 `json:"key"`
					Count int64 `json:"doc_count"`
				} `json:"buckets"`
			} `json:"times"`
		} `json:"aggregations"`
	}
	every := fmt.Sprintf("%dms", interval.Milliseconds())
	if err := s.search(ctx, sinks.Position, obj{
		"size": 0, "track_total_hits": false, "query": fixesWithin(from, to, nil),
		"aggs": obj{"times": obj{"date_histogram": obj{"field": "@timestamp", "fixed_interval": every, "min_doc_count": 1}}},
	}, &answer); err != nil {
		return nil, err
	}
	buckets := make([]history.Bucket, len(answer.Aggregations.Times.Buckets))
	for i, b := range answer.Aggregations.Times.Buckets {
		buckets[i] = history.Bucket{Time: b.Key, Count: b.Count}
	}
	return buckets, answer.Shards.whole()
}
