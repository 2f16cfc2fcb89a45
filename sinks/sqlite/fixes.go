package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/trackmesh/trackmesh/geo"
	"github.com/trackmesh/trackmesh/history"
	"github.com/trackmesh/trackmesh/sinks/sqlite/packed"
)

func newestFirst(a, b *found) int {
	return cmp.Or(cmp.Compare(b.Time, a.Time), cmp.Compare(b.offset, a.offset), cmp.Compare(b.partition, a.partition))
}

func byTimeAndVehicle(a, b *found) int {
	return cmp.Or(cmp.Compare(a.Time, b.Time), strings.Compare(a.Vehicle, b.Vehicle), cmp.Compare(a.offset, b.offset), cmp.Compare(a.partition, b.partition))
}

// Path returns a vehicle's fixes. See history.Store.
func (s *Store) Path(ctx context.Context, q history.PathQuery) ([]history.Position, error) {
	w := between(q.From, q.To)
	w.vehicle, w.newest = q.Vehicle, true
	b := best{limit: history.OrDefault(q.Limit, history.DefaultFixes), compare: newestFirst}
	more := func(first int64) bool {
		oldest, full := b.last()
		return !full || first+maxSpan >= oldest.Time
	}
	if err := scan(ctx, s.read, w, more, func(p *packed.Position) error {
		if p.Has&packed.IsJump == 0 && (q.Late || p.Has&packed.IsLate == 0) {
			b.add(p)
		}
		return nil
	}); err != nil {
		return nil, err
	}
	fixes := b.positions()
	slices.Reverse(fixes)
	return fixes, nil
}

// Replay returns the fixes in a window. See history.Store.
func (s *Store) Replay(ctx context.Context, q history.ReplayQuery) ([]history.Position, error) {
	w := between(q.From, q.To)
	w.box = q.Box
	if q.Step >= time.Millisecond {
		return s.replaySteps(ctx, w, &q)
	}
	b := best{limit: history.OrDefault(q.Limit, history.DefaultFixes), compare: byTimeAndVehicle}
	more := func(first int64) bool {
		newest, full := b.last()
		return !full || first <= newest.Time
	}
	err := scan(ctx, s.read, w, more, func(p *packed.Position) error {
		if p.Has&packed.IsJump == 0 && (q.Box == nil || q.Box.Contains(p.At)) {
			b.add(p)
		}
		return nil
	})
	return b.positions(), err
}

// maxSteps bounds the memory of a replay in steps.
const maxSteps = 4_000_000

// replaySteps keeps each vehicle's first fix of each step.
func (s *Store) replaySteps(ctx context.Context, w window, q *history.ReplayQuery) ([]history.Position, error) {
	type cell struct {
		vehicle string
		step    int64
	}
	every := q.Step.Milliseconds()
	first := map[cell]found{}
	if err := scan(ctx, s.read, w, nil, func(p *packed.Position) error {
		if p.Has&packed.IsJump != 0 || (q.Box != nil && !q.Box.Contains(p.At)) {
			return nil
		}
		at := cell{p.Vehicle, history.Floor(p.Time, every)}
		f := found{fixOf(p), p.Offset, p.Partition}
		if before, ok := first[at]; !ok || byTimeAndVehicle(&f, &before) < 0 {
			first[at] = f
		}
		if len(first) > maxSteps {
			return fmt.Errorf("%w: there are more than %d fixes: ask for longer steps or a shorter window", history.ErrQuery, maxSteps)
		}
		return nil
	}); err != nil {
		return nil, err
	}
	b := best{limit: history.OrDefault(q.Limit, history.DefaultFixes), compare: byTimeAndVehicle, all: slices.Collect(maps.Values(first))}
	return b.positions(), nil
}

// At returns where the fleet was. See history.Store.
func (s *Store) At(ctx context.Context, q history.AtQuery) ([]history.Position, error) {
	age := q.MaxAge
	if age <= 0 {
		age = history.DefaultMaxAge
	}
	newest := map[string]found{}
	// No box here: the newest fix of a vehicle that was in it may be elsewhere.
	w := between(q.At.Add(-age).Add(time.Millisecond), q.At.Add(time.Millisecond))
	if err := scan(ctx, s.read, w, nil, func(p *packed.Position) error {
		if p.Has&packed.IsJump != 0 {
			return nil
		}
		before, ok := newest[p.Vehicle]
		if ok && p.Time < before.Time {
			return nil
		}
		f := found{fixOf(p), p.Offset, p.Partition}
		if !ok || newestFirst(&f, &before) < 0 {
			newest[p.Vehicle] = f
		}
		return nil
	}); err != nil {
		return nil, err
	}
	fleet := make([]history.Position, 0, len(newest))
	for _, f := range newest {
		if q.Box == nil || q.Box.Contains(f.Location) {
			fleet = append(fleet, f.Position)
		}
	}
	slices.SortFunc(fleet, func(a, b history.Position) int { return strings.Compare(a.Vehicle, b.Vehicle) })
	return fleet[:min(len(fleet), history.OrDefault(q.Limit, history.DefaultFixes))], nil
}

// maxCells bounds the memory of a count.
const maxCells = 2_000_000

// Cells counts fixes by geohash cell. See history.Store.
func (s *Store) Cells(ctx context.Context, q history.CellQuery) ([]history.Cell, error) {
	if err := q.Check(); err != nil {
		return nil, err
	}
	w := between(q.From, q.To)
	w.box = q.Box
	counts := map[uint64]int64{}
	if err := scan(ctx, s.read, w, nil, func(p *packed.Position) error {
		if p.Has&packed.IsJump != 0 || (q.Box != nil && !q.Box.Contains(p.At)) {
			return nil
		}
		counts[geo.GeohashInt(p.At, q.Precision)]++
		if len(counts) > maxCells {
			return fmt.Errorf("%w: there are more than %d cells: ask for a lower precision or a smaller box", history.ErrQuery, maxCells)
		}
		return nil
	}); err != nil {
		return nil, err
	}
	cells := make([]history.Cell, 0, len(counts))
	for cell, n := range counts {
		cells = append(cells, history.Cell{Geohash: geo.GeohashString(cell, q.Precision), Count: n})
	}
	slices.SortFunc(cells, history.CompareCells)
	return cells[:min(len(cells), history.OrDefault(q.Limit, history.DefaultCells))], nil
}

// Histogram counts fixes by interval. See history.Store. Chunks that lie in one interval are counted whole; only the others
// are unpacked.
func (s *Store) Histogram(ctx context.Context, from, to time.Time, interval time.Duration) ([]history.Bucket, error) {
	if err := history.CheckHistogram(from, to, interval); err != nil {
		return nil, err
	}
	conn, done, err := s.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	w, every := between(from, to), interval.Milliseconds()
	counts, err := countWhole(ctx, conn, &w, every)
	if err != nil {
		return nil, err
	}
	if err := scan(ctx, conn, w, nil, func(p *packed.Position) error {
		if p.Has&packed.IsJump == 0 {
			counts[history.Floor(p.Time, every)]++
		}
		if len(counts) > history.MaxBuckets {
			return tooManyBuckets(interval)
		}
		return nil
	}); err != nil {
		return nil, err
	}
	if len(counts) > history.MaxBuckets {
		return nil, tooManyBuckets(interval)
	}
	buckets := make([]history.Bucket, 0, len(counts))
	for t, n := range counts {
		buckets = append(buckets, history.Bucket{Time: t, Count: n})
	}
	slices.SortFunc(buckets, func(a, b history.Bucket) int { return cmp.Compare(a.Time, b.Time) })
	return buckets, nil
}

// snapshot is a connection that sees the file as it is now until done.
func (s *Store) snapshot(ctx context.Context) (conn *sql.Conn, done func(), err error) {
	conn, err = s.read.Conn(ctx)
	if err == nil {
		if _, err = conn.ExecContext(ctx, "BEGIN"); err != nil {
			_ = conn.Close()
		}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("reading history: %w", err)
	}
	return conn, func() {
		_, _ = conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK") // nothing was written
		_ = conn.Close()
	}, nil
}

func tooManyBuckets(interval time.Duration) error {
	return fmt.Errorf("%w: interval %s makes more than %d buckets", history.ErrQuery, interval, history.MaxBuckets)
}

// countWhole counts the chunks that lie in one interval and in the window, and leaves the others to w.
func countWhole(ctx context.Context, from querier, w *window, every int64) (map[int64]int64, error) {
	const whole = "c.first >= 0 AND c.first / ? = c.last / ? AND c.first >= ? AND c.last < ?"
	w.unless, w.unlessArgs = whole, []any{every, every, w.from, w.to}
	rows, err := from.QueryContext(ctx, "SELECT c.first / ?, sum(c.shown) FROM chunks c WHERE "+whole+" GROUP BY 1 HAVING sum(c.shown) > 0",
		append([]any{every}, w.unlessArgs...)...)
	if err != nil {
		return nil, fmt.Errorf("reading history: %w", err)
	}
	defer rows.Close()
	counts := map[int64]int64{}
	for rows.Next() {
		var interval, n int64
		if err := rows.Scan(&interval, &n); err != nil {
			return nil, fmt.Errorf("reading history: %w", err)
		}
		counts[interval*every] = n
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading history: %w", err)
	}
	return counts, nil
}
