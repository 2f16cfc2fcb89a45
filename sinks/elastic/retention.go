package elastic

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/elastic/go-elasticsearch/v8/esapi"

	"github.com/trackmesh/trackmesh/sinks"
)

// deletePerRequest bounds the length of a request's path.
const deletePerRequest = 50

// DeleteOld deletes the indices of days that are wholly past MaxAge, and returns their names. An index must also have been
// there for that long: a replay of last year's data stays as long as new data does. It is for one caller in the cluster,
// the owner of partition 0, a few times a day.
func (s *Sink) DeleteOld(ctx context.Context) ([]string, error) {
	if s.opts.MaxAge <= 0 {
		return nil, nil
	}
	var indices map[string]struct {
		Settings struct {
			Index struct {
				CreationDate string `json:"creation_date"`
			} `json:"index"`
		} `json:"settings"`
	}
	anything := true
	if err := s.call(ctx, esapi.IndicesGetSettingsRequest{
		Index: []string{s.kindPrefix(sinks.Position) + "*", s.kindPrefix(sinks.Event) + "*"}, Name: []string{"index.creation_date"},
		AllowNoIndices: &anything, IgnoreUnavailable: &anything,
	}, &indices); err != nil {
		return nil, fmt.Errorf("listing the indices: %w", err)
	}
	oldest := s.opts.Now().Add(-s.opts.MaxAge)
	var old []string
	for name := range indices {
		created, err := strconv.ParseInt(indices[name].Settings.Index.CreationDate, 10, 64)
		if ends, ok := s.dayEnd(name); err == nil && ok && !ends.After(oldest) && !time.UnixMilli(created).After(oldest) {
			old = append(old, name)
		}
	}
	slices.Sort(old)
	for some := range slices.Chunk(old, deletePerRequest) {
		if err := s.call(ctx, esapi.IndicesDeleteRequest{Index: some, IgnoreUnavailable: &anything}, nil); err != nil {
			return nil, fmt.Errorf("deleting old indices: %w", err)
		}
		s.opts.Logger.Info("deleted indices past the age of history", "indices", some)
	}
	return old, nil
}

// dayEnd is when the day of one of our indices ends.
func (s *Sink) dayEnd(index string) (time.Time, bool) {
	for _, k := range []sinks.Kind{sinks.Position, sinks.Event} {
		if day, ok := strings.CutPrefix(index, s.kindPrefix(k)); ok {
			t, err := time.Parse(dayLayout, day)
			return t.Add(24 * time.Hour), err == nil
		}
	}
	return time.Time{}, false
}
