package track

import "github.com/trackmesh/trackmesh/geo"

// View is what may be seen of a live track from outside: immutable once published.
type View struct {
	Vehicle        string
	Time           int64 // of the newest fix, UTC ms
	Position       geo.Point
	SpeedMPS       float64 // NaN: absent
	HeadingDegrees float64 // NaN: absent
	Status         Status
	OdometerMetres float64
	Fences         []string // ids, ascending
	Attributes     []byte   // JSON object or nil
	Partition      int32
	Offset         int64
}

// PathPoint is a fix in a track's path.
type PathPoint struct {
	Time           int64
	Position       geo.Point
	SpeedMPS       float64
	HeadingDegrees float64
}
