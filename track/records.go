package track

import "github.com/trackmesh/trackmesh/geo"

// Fix is one observation that a source could read. Absent numbers are NaN.
type Fix struct {
	Vehicle        string
	Time           int64 // UTC milliseconds
	Position       geo.Point
	SpeedMPS       float64
	HeadingDegrees float64 // clockwise from north, 0 ≤ h < 360
	AccuracyMetres float64
	AltitudeMetres float64
	Attributes     []byte // a JSON object of what was not mapped; nil: none. Never written again.
	Offset         int64  // in the input partition
	RecordTime     int64  // the record's timestamp, UTC milliseconds; becomes ingested_at
}

// Status of a track.
type Status uint8

// A document's status is never Silent; a live track's is while a gap is open.
const (
	Moving Status = iota
	Stopped
	Silent
)

func (s Status) String() string { return [...]string{"moving", "stopped", "silent"}[s] }

// EventType of an event.
type EventType uint8

// In the order in which events of one record and one time come out (see BEHAVIOUR in docs/semantics.md).
const (
	GapEnded EventType = iota
	Exit
	StopEnded
	TripEnded
	Cross
	Enter
	TripStarted
	StopStarted
	Dwell
	GapStarted
	NumEventTypes
)

func (t EventType) String() string {
	return [NumEventTypes]string{
		"gap_ended", "exit", "stop_ended", "trip_ended", "cross", "enter", "trip_started", "stop_started", "dwell", "gap_started",
	}[t]
}

// Cause of an event.
type Cause uint8

// What made an event come about.
const (
	CauseFix Cause = iota
	CauseClock
	CauseFenceChanged
	CauseSchedule
	CauseCommand
)

func (c Cause) String() string {
	return [...]string{"fix", "clock", "fence_changed", "schedule", "command"}[c]
}

// Evidence is one of the fixes that prove an event.
type Evidence struct {
	Time     int64 // UTC ms
	Location geo.Point
	Offset   int64
}

// FenceRef names the fence of an event at the version that was in force.
type FenceRef struct {
	ID, Name string
	Version  int64
}

// Stop is the payload of stop_started (Ended 0) and stop_ended.
type Stop struct {
	Started, Ended int64 // UTC ms
	Location       geo.Point
}

// Trip is the payload of trip_started (End.Time 0) and trip_ended.
type Trip struct {
	Start, End     TripPoint
	DistanceMetres float64
	MaxSpeedMPS    float64
}

// TripPoint is an end of a trip.
type TripPoint struct {
	Time     int64 // UTC ms
	Location geo.Point
}

// Gap is the payload of gap_started (Until 0) and gap_ended.
type Gap struct {
	Since, Until int64 // UTC ms
	Delayed      bool
}

// Event is one transition of one track. Pointers are nil where the type has no such part.
type Event struct {
	Type          EventType
	Cause         Cause
	Time          int64 // UTC ms
	Vehicle       string
	Sequence      uint64
	Location      geo.Point
	Fence         *FenceRef
	Before, After *Evidence
	SourceOffset  int64 // the input record that was handled; -1: none (clock)
	Stop          *Stop
	Trip          *Trip
	Gap           *Gap
}

// DocumentFlags mark documents that changed nothing of the track.
type DocumentFlags uint8

// Flags of a document.
const (
	FlagJump DocumentFlags = 1 << iota
	FlagLate
)

// Document is the enriched form of one accepted fix. Absent numbers are NaN.
type Document struct {
	Fix            *Fix // valid while the output is
	SpeedMPS       float64
	HeadingDegrees float64
	DistanceMetres float64
	OdometerMetres float64
	Status         Status
	Flags          DocumentFlags
	Fences         []string // ids, ascending
	Inside         bool     // inside at least one open fence; a late fix or jump is tested at its own place
}
