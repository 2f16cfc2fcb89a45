package elastic

import (
	"time"

	"github.com/go-faster/jx"

	"github.com/trackmesh/trackmesh/sinks"
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
	at, ingested := timesOf(d)
	if at.IsZero() || at.Before(ingested.Add(-maxBefore)) || at.After(ingested.Add(maxAfter)) {
		return s.kindPrefix(d.Kind) + other
	}
	return string(at.UTC().AppendFormat([]byte(s.kindPrefix(d.Kind)), dayLayout))
}

// timesOf reads @timestamp and ingested_at. Events have no ingested_at; their record's timestamp stands for it.
func timesOf(d *sinks.Document) (at, ingested time.Time) {
	ingested = time.UnixMilli(d.Timestamp)
	dec := jx.GetDecoder()
	defer jx.PutDecoder(dec)
	dec.ResetBytes(d.Body)
	_ = dec.ObjBytes(func(dec *jx.Decoder, key []byte) error { // what cannot be read is Elasticsearch's to refuse
		switch string(key) {
		case "@timestamp":
			return readTime(dec, &at)
		case "ingested_at":
			return readTime(dec, &ingested)
		default:
			return dec.Skip()
		}
	})
	return at, ingested
}

func readTime(dec *jx.Decoder, into *time.Time) error {
	if dec.Next() != jx.String {
		return dec.Skip()
	}
	text, err := dec.StrBytes()
	if err != nil {
		return err
	}
	if t, err := time.Parse(time.RFC3339Nano, string(text)); err == nil {
		*into = t
	}
	return nil
}
