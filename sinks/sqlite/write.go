package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-faster/jx"

	"github.com/trackmesh/trackmesh/sinks"
	"github.com/trackmesh/trackmesh/sinks/sqlite/packed"
)

// errNothing ends a transaction that has nothing to write.
var errNothing = errors.New("nothing to write")

// transaction runs fn in one, and done when it is committed. What fails is retryable; the memory is then the file's again.
//
// It speaks to the connection itself, for database/sql prepares a statement of a connection anew for each of its transactions.
func (s *Store) transaction(ctx context.Context, fn, done func() error) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	defer func() {
		if err != nil && ctx.Err() == nil {
			s.failing.Store(&err)
		}
	}()
	if s.book == nil {
		if err := s.reload(ctx); err != nil {
			return retryable(err)
		}
	}
	if _, err := s.conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return retryable(err)
	}
	err = fn()
	if err == nil {
		_, err = s.conn.ExecContext(ctx, "COMMIT")
	}
	if err != nil {
		_, _ = s.conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK") // fails where SQLite did it by itself
		if errors.Is(err, errNothing) {
			return nil
		}
		s.book = nil
		return retryable(err)
	}
	s.failing.Store(nil)
	return done()
}

// Write stores documents and, in the same transaction, the cursors after them. What lies before the cursor is there
// already. See sinks.Writer.
func (s *Store) Write(ctx context.Context, batch []sinks.Document) ([]sinks.Rejection, error) {
	began := time.Now()
	var rejections []sinks.Rejection
	next := map[sinks.Kind]map[int32]int64{}
	err := s.transaction(ctx, func() error {
		w := writer{ctx: ctx, s: s, book: s.book, next: next}
		err := w.all(batch)
		rejections = w.rejections
		if err == nil {
			err = s.purgeSome(ctx, len(s.book.written)+purgeExtra)
		}
		return err
	}, func() error {
		for kind, partitions := range next {
			for partition, at := range partitions {
				s.cursors.set(ownKey(kind), partition, at)
			}
		}
		s.book.settle()
		s.boundWAL(ctx)
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.metrics.writeSeconds.Observe(time.Since(began).Seconds())
	return rejections, nil
}

// settle is after a commit: what was written is in the file.
func (b *book) settle() {
	clear(b.written)
	b.written = b.written[:0]
	b.shrink()
}

// writer is one Write.
type writer struct {
	ctx        context.Context //nolint:containedctx // lives as long as the call
	s          *Store
	book       *book
	next       map[sinks.Kind]map[int32]int64
	rejections []sinks.Rejection
	position   packed.Position
}

func (w *writer) all(batch []sinks.Document) error {
	for i := range batch {
		d := &batch[i]
		if d.Offset < w.cursor(d) {
			continue
		}
		w.next[d.Kind][d.Partition] = d.Offset + 1
		var err error
		if d.Kind == sinks.Event {
			err = w.event(d)
		} else {
			err = w.fix(d)
		}
		if bad, ok := errors.AsType[*unfit](err); ok {
			w.rejections = append(w.rejections, sinks.Rejection{Document: *d, Detail: bad.Error()})
		} else if err != nil {
			return err
		}
	}
	for _, c := range w.book.written {
		if err := w.chunk(c); err != nil {
			return err
		}
	}
	for kind, partitions := range w.next {
		for partition, at := range partitions {
			if at == w.s.cursors.at(ownKey(kind), partition) {
				continue
			}
			if err := w.s.setCursor(w.ctx, ownKey(kind), partition, at); err != nil {
				return err
			}
		}
	}
	return nil
}

// cursor is where a document's partition goes on.
func (w *writer) cursor(d *sinks.Document) int64 {
	partitions := w.next[d.Kind]
	if partitions == nil {
		partitions = map[int32]int64{}
		w.next[d.Kind] = partitions
	}
	at, ok := partitions[d.Partition]
	if !ok {
		at = w.s.cursors.at(ownKey(d.Kind), d.Partition)
		partitions[d.Partition] = at
	}
	return at
}

// unfit is why a document can never be stored.
type unfit struct{ err error }

func (u *unfit) Error() string { return "the store cannot read the document: " + u.err.Error() }

func (w *writer) fix(d *sinks.Document) error {
	p := &w.position
	if err := p.Parse(d); err != nil {
		return &unfit{err}
	}
	vehicle, err := w.vehicle(p.Vehicle)
	if err != nil {
		return err
	}
	key, standard := sourceKeyOf(p)
	source, err := w.source(key)
	if err != nil {
		return err
	}
	c := w.book.chunkFor(p, vehicle, source)
	before := len(c.data)
	c.add(p, standard)
	if c.older != nil { // it is open
		w.book.bytes += len(c.data) - before
	}
	if !c.dirty {
		c.dirty = true
		w.book.written = append(w.book.written, c)
	}
	return nil
}

// sourceKey is the part of the id that a chunk shares, and whether the rest follows from it.
func sourceKeyOf(p *packed.Position) (sourceKey, bool) {
	k := sourceKey{topic: p.Topic, partition: p.Partition}
	prefix, rest, ok := strings.Cut(p.ID, "-")
	if !ok {
		return k, false
	}
	k.prefix = prefix
	partition, offset, ok := strings.Cut(rest, "-")
	return k, ok && p.Has&packed.HasSource != 0 && partition == strconv.Itoa(int(p.Partition)) && offset == strconv.FormatInt(p.Offset, 10)
}

func (w *writer) vehicle(name string) (int64, error) {
	if id, ok := w.book.vehicles[name]; ok {
		return id, nil
	}
	var id int64
	err := sql.ErrNoRows
	if !w.book.allVehicles {
		err = w.s.stmts.findVehicle.QueryRowContext(w.ctx, name).Scan(&id)
	}
	if errors.Is(err, sql.ErrNoRows) {
		id = w.book.nextVehicle
		w.book.nextVehicle++
		_, err = w.s.stmts.vehicle.ExecContext(w.ctx, id, name)
	}
	if err != nil {
		return 0, err
	}
	w.book.vehicles[name] = id
	return id, nil
}

func (w *writer) source(k sourceKey) (int64, error) {
	if id, ok := w.book.sources[k]; ok {
		return id, nil
	}
	id := w.book.nextSource
	w.book.nextSource++
	if _, err := w.s.stmts.source.ExecContext(w.ctx, id, k.prefix, k.topic, k.partition); err != nil {
		return 0, err
	}
	w.book.sources[k] = id
	return id, nil
}

// chunk writes a chunk that has changed.
func (w *writer) chunk(c *chunk) error {
	c.dirty = false
	st := &w.s.stmts
	var err error
	if c.stored {
		_, err = st.updateChunk.ExecContext(w.ctx, c.last, c.fixes, c.shown, c.ingested, c.data, c.id)
	} else {
		_, err = st.insertChunk.ExecContext(w.ctx, c.id, c.vehicle, c.source, c.first, c.last, c.fixes, c.shown, c.ingested, c.data)
	}
	if err != nil || !c.moved {
		c.stored = true
		return err
	}
	c.stored, c.moved = true, false
	if c.placed {
		_, err = st.movePlace.ExecContext(w.ctx, c.place.west, c.place.east, c.place.south, c.place.north, c.id)
		return err
	}
	c.placed = true
	_, err = st.insertPlace.ExecContext(w.ctx, c.id, c.place.west, c.place.east, c.place.south, c.place.north,
		minute(c.first), minute(c.first+maxSpan))
	return err
}

// minute is a time in whole minutes since 1970, rounded down: milliseconds do not fit the rtree's 32 bits.
func minute(ms int64) int64 {
	const perMinute = 60_000
	m := ms / perMinute
	if ms%perMinute < 0 {
		m--
	}
	return m
}

// event is what questions about events are answered by.
type event struct {
	vehicle, kind, fence string
	time, sequence       int64
}

func (e *event) parse(body []byte) error {
	var haveTime bool
	dec := jx.GetDecoder()
	defer jx.PutDecoder(dec)
	dec.ResetBytes(body)
	if err := dec.ObjBytes(func(dec *jx.Decoder, key []byte) (err error) {
		switch string(key) {
		case "@timestamp":
			haveTime = true
			e.time, err = packed.ReadTime(dec)
		case "vehicle":
			e.vehicle, err = dec.Str()
		case "type":
			e.kind, err = dec.Str()
		case "sequence":
			e.sequence, err = dec.Int64()
		case "fence":
			return dec.ObjBytes(func(dec *jx.Decoder, key []byte) (err error) {
				if string(key) != "id" {
					return dec.Skip()
				}
				e.fence, err = dec.Str()
				return err
			})
		default:
			err = dec.Skip()
		}
		return err
	}); err != nil {
		return err
	}
	if !haveTime || e.vehicle == "" || e.kind == "" {
		return errors.New("it has no @timestamp, vehicle or type")
	}
	return nil
}

func (w *writer) event(d *sinks.Document) error {
	var e event
	if err := e.parse(d.Body); err != nil {
		return &unfit{err}
	}
	fence := sql.NullString{String: e.fence, Valid: e.fence != ""}
	if _, err := w.s.stmts.insertEvent.ExecContext(w.ctx,
		d.ID, e.vehicle, e.time, e.sequence, e.kind, fence, d.Timestamp, d.Body); err != nil {
		return fmt.Errorf("inserting an event: %w", err)
	}
	return nil
}
