package webhook

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/trackmesh/trackmesh/broker"
)

// board keeps the definitions as they are in the log. One goroutine reads; a topic that was made anew replaces what was known.
type board struct {
	log    Log
	logger *slog.Logger

	mu      sync.Mutex
	known   map[string]*Definition // guarded by mu; replaced, never changed
	at      int64                  // guarded by mu; every record before this offset is in known
	changed chan struct{}          // guarded by mu; closed and replaced when known or at changes
	failing error                  // guarded by mu; why the topic cannot be read just now
}

func newBoard(log Log, logger *slog.Logger) *board {
	return &board{log: log, logger: logger, known: map[string]*Definition{}, changed: make(chan struct{})}
}

// current is what is known now, and a channel that is closed when that changes.
func (b *board) current() (known map[string]*Definition, changed <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.known, b.changed
}

// await returns when the record at an offset was read.
func (b *board) await(ctx context.Context, version int64) error {
	for {
		b.mu.Lock()
		at, changed := b.at, b.changed
		b.mu.Unlock()
		if at > version {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// catchUp returns when everything that is in the log now was read.
func (b *board) catchUp(ctx context.Context) error {
	earliest, end, err := b.log.Bounds(ctx, broker.Webhooks, 0)
	if err != nil {
		return fmt.Errorf("asking for the bounds of the webhooks: %w", err)
	}
	if earliest >= end {
		return nil
	}
	return b.await(ctx, end-1)
}

// run reads until ctx ends, and starts over when that fails.
func (b *board) run(ctx context.Context) {
	wait := backoff.NewExponentialBackOff()
	wait.MaxInterval = 10 * time.Second
	for ctx.Err() == nil {
		err := b.read(ctx)
		if ctx.Err() != nil {
			return
		}
		pause := wait.NextBackOff()
		b.logger.Warn("reading the webhooks failed; starting over", "err", err, "pause", pause)
		b.mu.Lock()
		b.failing = err
		b.mu.Unlock()
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// read builds the definitions anew from the earliest record, shows them when they are whole, and follows the log.
func (b *board) read(ctx context.Context) error {
	reader, err := b.log.NewReader(broker.ReaderOptions{Name: "webhooks", MaxBufferedBytes: 1 << 20})
	if err != nil {
		return fmt.Errorf("opening the reader of webhooks: %w", err)
	}
	defer reader.Close()
	earliest, end, err := b.log.Bounds(ctx, broker.Webhooks, 0)
	if err != nil {
		return fmt.Errorf("asking for the bounds of the webhooks: %w", err)
	}
	reader.Add(broker.Webhooks, 0, earliest)
	building := map[string]*Definition{}
	whole := end <= earliest
	if whole {
		b.show(building, earliest)
	}
	for {
		fetches, err := reader.Poll(ctx)
		for i := range fetches {
			f := &fetches[i]
			if f.Err != nil {
				return f.Err
			}
			building = b.apply(building, f.Records)
			if whole = whole || f.Next >= end; whole {
				b.show(building, f.Next)
			}
		}
		if err != nil {
			return err
		}
	}
}

func (b *board) apply(known map[string]*Definition, records []broker.Record) map[string]*Definition {
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

func (b *board) show(known map[string]*Definition, next int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.known, b.at, b.failing = known, next, nil
	close(b.changed)
	b.changed = make(chan struct{})
}
