package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"os"
	"strings"
)

// purgeExtra is how many rows beyond those of its own a write may delete: old data goes faster than new comes.
const purgeExtra = 256

// purgeGrain is how much older one kind of record may become than the other, in ms: steps of a few rows would cost more.
const purgeGrain = 60_000

// reserveBytes of MaxBytes are for the log beside the file and for what one write adds before it deletes.
const reserveBytes = 2 * maxWALBytes

// Purge deletes what is too old, or too much, in steps, and returns when nothing is. Writes do it by themselves; this is for
// a store that is not written to.
func (s *Store) Purge(ctx context.Context) error {
	for more := true; more && ctx.Err() == nil; {
		if err := s.transaction(ctx, func() error {
			n, err := s.purge(ctx, purgeExtra)
			more = n > 0
			if err == nil && !more {
				return errNothing
			}
			return err
		}, func() error { s.boundWAL(ctx); return nil }); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// purgeSome deletes up to about limit rows.
func (s *Store) purgeSome(ctx context.Context, limit int) error {
	for limit > 0 {
		n, err := s.purge(ctx, purgeExtra)
		if err != nil || n == 0 {
			return err
		}
		limit -= n
	}
	return nil
}

// purge deletes one step of the oldest rows when they are too old, or the file too large, and returns how many.
func (s *Store) purge(ctx context.Context, limit int) (int, error) {
	var chunk, event sql.NullInt64
	if err := s.conn.QueryRowContext(ctx, `SELECT (SELECT ingested FROM chunks ORDER BY id LIMIT 1), (SELECT ingested FROM events ORDER BY number LIMIT 1)`).
		Scan(&chunk, &event); err != nil {
		return 0, err
	}
	chunksFirst := chunk.Valid && (!event.Valid || chunk.Int64 <= event.Int64)
	oldest := event.Int64
	if chunksFirst {
		oldest = chunk.Int64
	}
	if !chunk.Valid && !event.Valid {
		return 0, nil
	}
	before := s.opts.Now().UnixMilli() - s.opts.MaxAge.Milliseconds()
	tooOld := s.opts.MaxAge > 0 && oldest < before
	if !tooOld {
		over, err := s.over(ctx)
		if err != nil || !over {
			return 0, err
		}
		before = math.MaxInt64 // the step's limit bounds it
		if chunk.Valid && event.Valid {
			before = max(chunk.Int64, event.Int64) + purgeGrain
		}
	}
	if chunksFirst {
		return s.deleteChunks(ctx, before, limit)
	}
	return s.deleteEvents(ctx, before, limit)
}

// over says whether the pages in use are more than MaxBytes allows.
func (s *Store) over(ctx context.Context) (bool, error) {
	if s.opts.MaxBytes <= 0 {
		return false, nil
	}
	var pages, free int64
	if err := s.conn.QueryRowContext(ctx, "SELECT (SELECT page_count FROM pragma_page_count), (SELECT freelist_count FROM pragma_freelist_count)").
		Scan(&pages, &free); err != nil {
		return false, err
	}
	return (pages-free)*pageBytes > s.opts.MaxBytes-reserveBytes, nil
}

// deleteChunks deletes the first chunks in the file, up to the first that came in at before or later.
func (s *Store) deleteChunks(ctx context.Context, before int64, limit int) (int, error) {
	rows, err := s.conn.QueryContext(ctx, "SELECT id, vehicle, ingested FROM chunks ORDER BY id LIMIT ?", limit)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	var last int64
	n := 0
	vehicles := map[int64]bool{}
	for rows.Next() {
		var id, vehicle, ingested int64
		if err := rows.Scan(&id, &vehicle, &ingested); err != nil {
			return 0, err
		}
		if ingested >= before {
			break
		}
		last = id
		n++
		vehicles[vehicle] = true
		if c := s.book.open[vehicle]; c != nil && c.id == id {
			s.book.close(c)
		}
	}
	if err := rows.Err(); err != nil || n == 0 {
		return 0, err
	}
	if err := rows.Close(); err != nil {
		return 0, err
	}
	for _, q := range []string{
		"DELETE FROM places WHERE id IN (SELECT id FROM chunks WHERE id <= ?)",
		"DELETE FROM chunks WHERE id <= ?",
	} {
		if _, err := s.conn.ExecContext(ctx, q, last); err != nil {
			return 0, fmt.Errorf("deleting old positions: %w", err)
		}
	}
	return n, s.deleteVehicles(ctx, vehicles)
}

// deleteVehicles deletes the names of vehicles without any position left.
func (s *Store) deleteVehicles(ctx context.Context, vehicles map[int64]bool) error {
	ids := make([]any, 0, len(vehicles))
	for id := range vehicles {
		if s.book.open[id] == nil {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	rows, err := s.conn.QueryContext(ctx, "DELETE FROM vehicles WHERE id IN (?"+strings.Repeat(", ?", len(ids)-1)+
		") AND NOT EXISTS (SELECT 1 FROM chunks WHERE vehicle = vehicles.id) RETURNING name", ids...)
	if err != nil {
		return fmt.Errorf("deleting vehicles: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return err
		}
		delete(s.book.vehicles, name)
	}
	return rows.Err()
}

func (s *Store) deleteEvents(ctx context.Context, before int64, limit int) (int, error) {
	r, err := s.conn.ExecContext(ctx, `DELETE FROM events WHERE number <= (SELECT max(number) FROM
		(SELECT number, ingested FROM events ORDER BY number LIMIT ?) WHERE ingested < ?)`, limit, before)
	if err != nil {
		return 0, fmt.Errorf("deleting old events: %w", err)
	}
	n, err := r.RowsAffected()
	return int(n), err
}

// boundWAL empties the log beside the file once it has grown: SQLite alone lets it grow for as long as questions overlap.
func (s *Store) boundWAL(ctx context.Context) {
	info, err := os.Stat(s.path + "-wal")
	if err != nil || info.Size() <= maxWALBytes {
		return
	}
	if _, err := s.conn.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		s.opts.Logger.Debug("emptying the store's log has to wait", "err", err)
	}
}
