package history

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/trackmesh/trackmesh/geo"
)

// ErrNotFound: no such event.
var ErrNotFound = errors.New("not in history")

// Store answers questions about the past. Times are inclusive-exclusive: from ≤ t < to; zero means open.
// All methods may be called from many goroutines. Jumps are left out of everything; late fixes are in everything but Path.
// A question that makes no sense is refused with ErrQuery.
type Store interface {
	// Path returns a vehicle's fixes, oldest first (equal times in the order they came in), late ones only when asked for.
	Path(ctx context.Context, q PathQuery) ([]Position, error)
	// Events returns newest first: by sequence for one vehicle, by @timestamp and id for many. Next is "" at the end.
	Events(ctx context.Context, q EventQuery) (events []json.RawMessage, next string, err error)
	// Event returns one event, or ErrNotFound.
	Event(ctx context.Context, id string) (json.RawMessage, error)
	// Cells counts fixes (in the box) by geohash cell: the fullest Limit cells, ordered by CompareCells.
	Cells(ctx context.Context, q CellQuery) ([]Cell, error)
	// At returns where the fleet was at a moment: each vehicle's newest fix in (At-MaxAge, At], where that is in the box;
	// by vehicle, the first Limit.
	At(ctx context.Context, q AtQuery) ([]Position, error)
	// Replay returns the fixes in a window (and box), in order of time and at the same time by vehicle: the first Limit. With a
	// Step it is only each vehicle's first fix (of those in the box) in each step.
	Replay(ctx context.Context, q ReplayQuery) ([]Position, error)
	// Histogram counts fixes by interval for the timeline. Buckets start at multiples of the interval since 1970; empty ones
	// are left out.
	Histogram(ctx context.Context, from, to time.Time, interval time.Duration) ([]Bucket, error)
}

// Position is a fix as stored. Absent numbers are NaN.
type Position struct {
	Vehicle        string
	Time           int64 // UTC ms
	Location       geo.Point
	SpeedMPS       float64
	HeadingDegrees float64
	Status         string
	Late           bool
}

// PathQuery asks for one vehicle's fixes.
type PathQuery struct {
	Vehicle  string
	From, To time.Time
	Limit    int  // the newest Limit of the range; zero: 10,000
	Late     bool // include late fixes
}

// EventQuery asks for events. Empty filters let all pass.
type EventQuery struct {
	Vehicle  string
	Types    []string
	Fence    string
	From, To time.Time
	Limit    int    // zero: 100
	After    string // Next of the page before
}

// CellQuery asks for counts by geohash cell.
type CellQuery struct {
	Precision int // 1..9
	Box       *geo.Box
	From, To  time.Time
	Limit     int // zero: 10,000
}

// Cell is a geohash cell with its count.
type Cell struct {
	Geohash string
	Count   int64
}

// AtQuery asks where the fleet was.
type AtQuery struct {
	At     time.Time
	MaxAge time.Duration // zero: 30 min
	Box    *geo.Box
	Limit  int // zero: 10,000
}

// ReplayQuery asks for a window of fixes.
type ReplayQuery struct {
	From, To time.Time
	Box      *geo.Box
	Limit    int           // zero: 10,000
	Step     time.Duration // steps start at multiples since 1970; below a millisecond: every fix
}

// Bucket is an interval's count.
type Bucket struct {
	Time  int64 // start, UTC ms
	Count int64
}
