package webhook

import (
	"log/slog"
	"maps"
	"sync/atomic"

	"github.com/trackmesh/trackmesh/broker"
	"github.com/trackmesh/trackmesh/broker/follow"
)

// definitions are by id. A map is never changed once it was shown.
type definitions map[string]*Definition

// board keeps the definitions as they are in the log; a topic that was made anew replaces what was known.
type board struct {
	*follow.Follower[definitions]
	known  atomic.Pointer[definitions]
	logger *slog.Logger
}

func newBoard(log Log, logger *slog.Logger) *board {
	b := &board{logger: logger}
	b.known.Store(&definitions{})
	b.Follower = follow.New(follow.Options[definitions]{
		Log: log, Stream: broker.Webhooks, MaxBufferedBytes: 1 << 20, Logger: logger,
		Empty: func() definitions { return definitions{} }, Apply: b.apply,
		Show: func(known definitions, _ bool) { b.known.Store(&known) },
	})
	return b
}

// current is what is known now.
func (b *board) current() definitions { return *b.known.Load() }

func (b *board) apply(known definitions, records []broker.Record) definitions {
	known = maps.Clone(known)
	for i := range records {
		rec := &records[i]
		id := string(rec.Key)
		if rec.Value == nil {
			delete(known, id)
			continue
		}
		d, err := parseDefinition(id, rec.Value, rec.Offset)
		if err != nil {
			b.logger.Error("a record of the webhooks is no definition; ignoring it", "webhook", id, "offset", rec.Offset, "err", err)
			continue
		}
		known[id] = d
	}
	return known
}
