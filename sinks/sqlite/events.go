package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/trackmesh/trackmesh/history"
)

// maxEvents bounds a page.
const maxEvents = 9999

// Events returns events, newest first. See history.Store.
func (s *Store) Events(ctx context.Context, q history.EventQuery) (events []json.RawMessage, next string, err error) {
	limit := min(history.OrDefault(q.Limit, history.DefaultEvents), maxEvents)
	text, args, err := eventsQuery(&q, limit+1)
	if err != nil {
		return nil, "", err
	}
	rows, err := s.read.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, "", fmt.Errorf("reading history: %w", err)
	}
	defer rows.Close()
	events = make([]json.RawMessage, 0, limit)
	var last history.EventKey
	for rows.Next() {
		var body []byte
		var k history.EventKey
		if err := rows.Scan(&body, &k.Sequence, &k.Time, &k.ID); err != nil {
			return nil, "", fmt.Errorf("reading history: %w", err)
		}
		if len(events) == limit {
			next = last.String()
			break
		}
		if last = k; q.Vehicle == "" {
			last.Sequence = 0
		}
		events = append(events, body)
	}
	if err := rows.Err(); err != nil {
		return nil, "", fmt.Errorf("reading history: %w", err)
	}
	return events, next, nil
}

func eventsQuery(q *history.EventQuery, limit int) (string, []any, error) {
	text := strings.Builder{}
	args := []any{}
	and := func(condition string, values ...any) {
		text.WriteString(" AND " + condition)
		args = append(args, values...)
	}
	text.WriteString("SELECT body, sequence, time, id FROM events WHERE true")
	key, order := "(time, id)", " ORDER BY time DESC, id DESC"
	if q.Vehicle != "" {
		and("vehicle = ?", q.Vehicle)
		key, order = "(sequence, time, id)", " ORDER BY sequence DESC, time DESC, id DESC"
	}
	if !q.From.IsZero() {
		and("time >= ?", millisUp(q.From))
	}
	if !q.To.IsZero() {
		and("time < ?", millisUp(q.To))
	}
	if q.Fence != "" {
		and("fence = ?", q.Fence)
	}
	if len(q.Types) > 0 {
		values := make([]any, len(q.Types))
		for i, t := range q.Types {
			values[i] = t
		}
		and("type IN (?"+strings.Repeat(", ?", len(values)-1)+")", values...)
	}
	if q.After != "" {
		k, err := history.ParseEventKey(q.After)
		if err != nil {
			return "", nil, err
		}
		if q.Vehicle != "" {
			and(key+" < (?, ?, ?)", k.Sequence, k.Time, k.ID)
		} else {
			and(key+" < (?, ?)", k.Time, k.ID)
		}
	}
	return text.String() + order + " LIMIT ?", append(args, limit), nil
}

// Event returns one event. See history.Store.
func (s *Store) Event(ctx context.Context, id string) (json.RawMessage, error) {
	var body []byte
	err := s.read.QueryRowContext(ctx, "SELECT body FROM events WHERE id = ?", id).Scan(&body)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, history.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("reading history: %w", err)
	}
	return body, nil
}
