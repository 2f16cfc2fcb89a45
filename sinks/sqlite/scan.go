package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/trackmesh/trackmesh/geo"
	"github.com/trackmesh/trackmesh/history"
	"github.com/trackmesh/trackmesh/sinks/sqlite/packed"
)

// window is which positions a question is about.
type window struct {
	from, to int64 // UTC ms, from ≤ t < to
	vehicle  string
	box      *geo.Box
	newest   bool // chunks by their first fix, the newest one first; else the oldest

	unless     string // chunks that are left out
	unlessArgs []any
}

func between(from, to time.Time) window {
	w := window{from: math.MinInt64 / 2, to: math.MaxInt64 / 2}
	if !from.IsZero() {
		w.from = millisUp(from)
	}
	if !to.IsZero() {
		w.to = millisUp(to)
	}
	return w
}

// millisUp is the first whole millisecond that is not before t: positions are dated in whole ones.
func millisUp(t time.Time) int64 {
	ms := t.UnixMilli()
	if time.UnixMilli(ms).Before(t) {
		ms++
	}
	return ms
}

// query finds the chunks that may have positions of the window.
func (w *window) query() (text string, args []any) {
	text = `SELECT c.first, v.name, s.prefix, s.topic, s.partition, c.data FROM chunks c
		JOIN vehicles v ON v.id = c.vehicle JOIN sources s ON s.id = c.source WHERE c.first > ? AND c.first < ?`
	args = []any{w.from - maxSpan, w.to}
	if w.vehicle != "" {
		text += " AND c.vehicle = (SELECT id FROM vehicles WHERE name = ?)"
		args = append(args, w.vehicle)
	}
	if w.box != nil {
		places, more := w.places()
		text += " AND c.id IN (" + places + ")"
		args = append(args, more...)
	}
	if w.unless != "" {
		text += " AND NOT (" + w.unless + ")"
		args = append(args, w.unlessArgs...)
	}
	if w.newest {
		return text + " ORDER BY c.first DESC", args
	}
	return text + " ORDER BY c.first", args
}

// places finds chunks in the rtree; a box over the antimeridian is two.
func (w *window) places() (text string, args []any) {
	halves, n := w.box.Halves()
	for _, h := range halves[:n] {
		if text != "" {
			text += " UNION "
		}
		text += "SELECT id FROM places WHERE west <= ? AND east >= ? AND south <= ? AND north >= ? AND first_minute <= ? AND last_minute >= ?"
		args = append(args, degrees(h.East, 1), degrees(h.West, -1), degrees(h.North, 1), degrees(h.South, -1),
			clampMinute(w.to), clampMinute(w.from))
	}
	return text, args
}

// degrees is an edge in the rtree's unit, rounded outwards.
func degrees(v, outwards float64) int64 {
	const limit = 1_800_000_000
	return int64(max(-limit, min(limit, math.Round(v*1e7)+outwards)))
}

func clampMinute(ms int64) int64 { return max(math.MinInt32, min(math.MaxInt32, minute(ms))) }

// querier is the readers' connections, or one of them in a transaction.
type querier interface {
	QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error)
}

// scan calls fn with every position of the window, chunk by chunk, each chunk's in the order in which they came in.
// Before each chunk it asks more whether to go on, with the time of the chunk's first fix; nil: always.
func scan(ctx context.Context, from querier, w window, more func(first int64) bool, fn func(p *packed.Position) error) error {
	text, args := w.query()
	return chunks(ctx, from, text, args, more, func(p *packed.Position) error {
		if p.Time < w.from || p.Time >= w.to {
			return nil
		}
		return fn(p)
	})
}

// chunks unpacks the chunks that a query finds. It must select first, vehicle, prefix, topic, partition and data.
func chunks(ctx context.Context, from querier, text string, args []any, more func(first int64) bool, fn func(p *packed.Position) error) error {
	rows, err := from.QueryContext(ctx, text, args...)
	if err != nil {
		return fmt.Errorf("reading history: %w", err)
	}
	defer rows.Close()
	var vehicle, topic, prefix, data sql.RawBytes
	var first int64
	for rows.Next() {
		p := packed.Position{}
		if err := rows.Scan(&first, &vehicle, &prefix, &topic, &p.Partition, &data); err != nil {
			return fmt.Errorf("reading history: %w", err)
		}
		if more != nil && !more(first) {
			return nil
		}
		p.Vehicle, p.Topic = string(vehicle), string(topic)
		if err := unpackAll(&p, string(prefix), data, fn); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("reading history: %w", err)
	}
	return nil
}

func unpackAll(p *packed.Position, prefix string, data []byte, fn func(p *packed.Position) error) (err error) {
	var k packed.Packer
	for len(data) > 0 {
		if data, err = k.Unpack(data, p); err != nil {
			return err
		}
		if p.Standard = p.ID == ""; p.Standard {
			p.ID = prefix // the rest is made by whoever needs it
		}
		if err := fn(p); err != nil {
			return err
		}
	}
	return nil
}

func fixOf(p *packed.Position) history.Position {
	h := history.Position{
		Vehicle: p.Vehicle, Time: p.Time, Location: p.At, SpeedMPS: math.NaN(), HeadingDegrees: math.NaN(), Late: p.Has&packed.IsLate != 0,
	}
	if p.Has&packed.HasSpeed != 0 {
		h.SpeedMPS = p.Numbers[packed.Speed]
	}
	if p.Has&(packed.HasSpeed<<packed.Heading) != 0 {
		h.HeadingDegrees = p.Numbers[packed.Heading]
	}
	switch {
	case p.Has&packed.HasMoving != 0:
		h.Status = "moving"
	case p.Has&packed.HasStopped != 0:
		h.Status = "stopped"
	}
	return h
}

// found is a position with what decides between equal times.
type found struct {
	history.Position
	offset    int64
	partition int32
}

// best keeps the first limit positions of an order.
type best struct {
	limit   int
	compare func(a, b *found) int
	all     []found
	sorted  int // all[:sorted] is in order and holds no more than limit
}

func (b *best) add(p *packed.Position) {
	b.all = append(b.all, found{fixOf(p), p.Offset, p.Partition})
	if len(b.all) >= 2*b.limit+1024 {
		b.cut()
	}
}

// cut sorts, and drops what is beyond the limit.
func (b *best) cut() {
	slices.SortStableFunc(b.all, func(x, y found) int { return b.compare(&x, &y) })
	b.all = b.all[:min(len(b.all), b.limit)]
	b.sorted = len(b.all)
}

// last is the worst of those kept, once there are limit.
func (b *best) last() (*found, bool) {
	if len(b.all) < b.limit {
		return nil, false
	}
	if b.sorted != len(b.all) {
		b.cut()
	}
	return &b.all[b.limit-1], true
}

func (b *best) positions() []history.Position {
	b.cut()
	positions := make([]history.Position, len(b.all))
	for i := range b.all {
		positions[i] = b.all[i].Position
	}
	return positions
}

// Documents calls fn with every position in the order in which it came in, as the document that was written: the same
// members and values, in the order of the public contract. body is fn's for the call.
func (s *Store) Documents(ctx context.Context, fn func(id string, body []byte) error) error {
	var body []byte
	const all = `SELECT c.first, v.name, s.prefix, s.topic, s.partition, c.data FROM chunks c
		JOIN vehicles v ON v.id = c.vehicle JOIN sources s ON s.id = c.source ORDER BY c.id`
	return chunks(ctx, s.read, all, nil, nil, func(p *packed.Position) error {
		id := p.ID
		if p.Standard {
			id += "-" + strconv.Itoa(int(p.Partition)) + "-" + strconv.FormatInt(p.Offset, 10)
		}
		body = p.AppendJSON(body[:0])
		return fn(id, body)
	})
}
