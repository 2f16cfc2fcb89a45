package elastic

import (
	"time"

	"github.com/trackmesh/trackmesh/sinks"
	"github.com/trackmesh/trackmesh/sinks/elastic/wire"
)

// Documents dated further than this from when they came in share one index: their days are too many, or a clock is wrong.
const (
	maxBefore = 400 * 24 * time.Hour
	maxAfter  = 24 * time.Hour
)

const (
	dayLayout = "2006.01.02"
	other     = "other"
)

func (s *Sink) kindPrefix(k sinks.Kind) string {
	if k == sinks.Event {
		return s.opts.IndexPrefix + "-events-"
	}
	return s.opts.IndexPrefix + "-positions-"
}

// indexOf is where a document belongs. It must never depend on anything but the committed record: ids are unique per index.
func (s *Sink) indexOf(d *sinks.Document) string {
	at, ingested := wire.Times(d.Body, time.UnixMilli(d.Timestamp)) // events have no ingested_at; their record's timestamp stands for it
	if at.IsZero() || at.Before(ingested.Add(-maxBefore)) || at.After(ingested.Add(maxAfter)) {
		return s.kindPrefix(d.Kind) + other
	}
	day := at.Unix() / secondsPerDay
	cached := &s.lastIndex[d.Kind]
	if last := cached.Load(); last != nil && last.day == day && at.Unix() >= 0 {
		return last.name
	}
	name := string(at.UTC().AppendFormat([]byte(s.kindPrefix(d.Kind)), dayLayout))
	if at.Unix() >= 0 { // before 1970 the division rounds the other way
		cached.Store(&dayIndex{day, name})
	}
	return name
}

const secondsPerDay = 24 * 60 * 60

// dayIndex is the index of the last document's day: the next one's is mostly the same.
type dayIndex struct {
	day  int64 // since 1970
	name string
}
