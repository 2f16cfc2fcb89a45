package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"maps"

	"github.com/trackmesh/trackmesh/broker"
	"github.com/trackmesh/trackmesh/sinks"
)

// cursorKey names the cursors of one sink in one stream.
type cursorKey struct {
	name   string
	stream broker.Stream
}

// cursors are the table of that name, in memory.
type cursors struct {
	next map[cursorKey]map[int32]int64
}

func loadCursors(ctx context.Context, c *sql.Conn) (*cursors, error) {
	rows, err := c.QueryContext(ctx, "SELECT name, stream, partition, next FROM cursors")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := &cursors{next: map[cursorKey]map[int32]int64{}}
	for rows.Next() {
		var name, stream string
		var partition int32
		var next int64
		if err := rows.Scan(&name, &stream, &partition, &next); err != nil {
			return nil, err
		}
		s, ok := streamNamed(stream)
		if !ok {
			return nil, fmt.Errorf("a cursor of %s is of the unknown stream %q", name, stream)
		}
		all.set(cursorKey{name, s}, partition, next)
	}
	return all, rows.Err()
}

// streamNamed reads what broker.Stream's String wrote: names last, numbers are the program's.
func streamNamed(name string) (broker.Stream, bool) {
	for s := range broker.NumStreams {
		if s.String() == name {
			return s, true
		}
	}
	return 0, false
}

func (c *cursors) set(k cursorKey, partition int32, next int64) {
	if c.next[k] == nil {
		c.next[k] = map[int32]int64{}
	}
	c.next[k][partition] = next
}

// at is the cursor of a partition; 0: none.
func (c *cursors) at(k cursorKey, partition int32) int64 { return c.next[k][partition] }

// ownKey is where Write keeps its own cursors.
func ownKey(k sinks.Kind) cursorKey {
	s := broker.Enriched
	if k == sinks.Event {
		s = broker.Events
	}
	return cursorKey{sinks.CursorPrefix + Name, s}
}

// LoadCursors returns the cursors stored under a name.
func (s *Store) LoadCursors(_ context.Context, name string, stream broker.Stream) (map[int32]int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	found := map[int32]int64{}
	maps.Copy(found, s.cursors.next[cursorKey{name, stream}])
	return found, nil
}

// StoreCursors sets cursors, back too. Those that Write has moved there already cost nothing.
func (s *Store) StoreCursors(ctx context.Context, name string, stream broker.Stream, to map[int32]int64) error {
	k := cursorKey{name, stream}
	changed := map[int32]int64{}
	return s.transaction(ctx, func() error {
		for partition, next := range to {
			if at, ok := s.cursors.next[k][partition]; ok && at == next {
				continue
			}
			changed[partition] = next
			if err := s.setCursor(ctx, k, partition, next); err != nil {
				return err
			}
		}
		if len(changed) == 0 {
			return errNothing
		}
		return nil
	}, func() error {
		for partition, next := range changed {
			s.cursors.set(k, partition, next)
		}
		return nil
	})
}

func (s *Store) setCursor(ctx context.Context, k cursorKey, partition int32, next int64) error {
	_, err := s.stmts.setCursor.ExecContext(ctx, k.name, k.stream.String(), partition, next)
	return err
}
