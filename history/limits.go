package history

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Limits of answers whose query gives none.
const (
	DefaultFixes  = 10_000 // Path, At, Replay
	DefaultEvents = 100
	DefaultCells  = 10_000
	MaxBuckets    = 10_000 // of a histogram
)

// DefaultMaxAge is how old a vehicle's fix may be in At.
const DefaultMaxAge = 30 * time.Minute

// ErrQuery: the question makes no sense; the text says why.
var ErrQuery = errors.New("bad question")

// OrDefault is the limit that a query asks for, or else.
func OrDefault(limit, otherwise int) int {
	if limit <= 0 {
		return otherwise
	}
	return limit
}

// EventKey is an event's place in a list of events: newest first, by sequence for one vehicle (a vehicle that was
// forgotten is numbered anew, so time decides between equals), else by time, then id.
type EventKey struct {
	Sequence int64  `json:"s,omitempty"` // 0 in lists of many vehicles
	Time     int64  `json:"t"`           // UTC ms
	ID       string `json:"i"`
}

// String is the key as EventQuery.After takes it.
func (k EventKey) String() string {
	raw, _ := json.Marshal(k) // of two integers and a string
	return base64.RawURLEncoding.EncodeToString(raw)
}

// ParseEventKey reads EventQuery.After.
func ParseEventKey(after string) (EventKey, error) {
	var k EventKey
	raw, err := base64.RawURLEncoding.DecodeString(after)
	if err == nil {
		err = json.Unmarshal(raw, &k)
	}
	if err != nil || k.ID == "" {
		return EventKey{}, fmt.Errorf("%w: after is not what a page's next was", ErrQuery)
	}
	return k, nil
}

// Check refuses a precision that no geohash has.
func (q *CellQuery) Check() error {
	if q.Precision < 1 || q.Precision > 9 {
		return fmt.Errorf("%w: precision %d is not in 1..9", ErrQuery, q.Precision)
	}
	return nil
}

// Floor is the highest multiple of every that is not above t: the start of a bucket or step.
func Floor(t, every int64) int64 {
	r := t % every
	if r < 0 {
		r += every
	}
	return t - r
}

// CompareCells orders cells: the fullest first, equal ones by geohash.
func CompareCells(a, b Cell) int {
	return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Geohash, b.Geohash))
}

// CheckHistogram refuses an interval that makes no buckets, or too many.
func CheckHistogram(from, to time.Time, interval time.Duration) error {
	if interval < time.Millisecond {
		return fmt.Errorf("%w: interval %s is under a millisecond", ErrQuery, interval)
	}
	if !from.IsZero() && !to.IsZero() && to.Sub(from)/interval > MaxBuckets {
		return fmt.Errorf("%w: interval %s makes more than %d buckets", ErrQuery, interval, MaxBuckets)
	}
	return nil
}
