package sinks

import (
	"context"
	"time"

	"github.com/trackmesh/trackmesh/broker"
)

// Kind says what a Document holds.
type Kind uint8

// Kinds of documents.
const (
	Position Kind = iota // a record of .enriched
	Event                // a record of .events
)

// Document is one committed record on its way to a store. ID never comes again for another record.
type Document struct {
	Kind      Kind
	ID        string
	Partition int32
	Offset    int64  // in the stream it was read from
	Timestamp int64  // the record's, UTC ms
	Body      []byte // the record's value: one JSON object
}

// Rejection is a document that the store will never take, however often it is tried.
type Rejection struct {
	Document Document
	Detail   string // the store's own reason
}

// Writer writes batches to a store. A nil error means that every document is stored or rejected. An error means retry the
// whole batch (writing is idempotent by ID); RetryAfter in it may say when. ctx bounds one attempt.
type Writer interface {
	Write(ctx context.Context, batch []Document) ([]Rejection, error)
}

// RetryError is a failure that goes away: the batch is tried again for ever, with back-off.
type RetryError struct {
	Class string        // for metrics: "overloaded", "unauthorized", "blocked", "unreachable", "server", …
	After time.Duration // zero: the caller's back-off
	Err   error
}

func (e *RetryError) Error() string { return e.Class + ": " + e.Err.Error() }
func (e *RetryError) Unwrap() error { return e.Err }

// Cursors stores how far a sink is. broker.Log satisfies it.
type Cursors interface {
	LoadCursors(ctx context.Context, name string, s broker.Stream) (map[int32]int64, error)
	StoreCursors(ctx context.Context, name string, s broker.Stream, cursors map[int32]int64) error
}
