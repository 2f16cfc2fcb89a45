package live

import (
	"github.com/trackmesh/trackmesh/geo"
	"github.com/trackmesh/trackmesh/track"
)

// Coverage says how much of the fleet an answer covers.
type Coverage struct {
	Asked    int     `json:"asked"`
	Answered int     `json:"answered"`
	Missing  []int32 `json:"missing"`
}

// Whole reports whether every partition answered.
func (c Coverage) Whole() bool { return c.Answered == c.Asked }

// Change is one track's news in a batch: View nil means that the track is gone.
type Change struct {
	Vehicle string
	View    *track.View
}

// Query says which tracks are wanted. The zero value wants all.
type Query struct {
	Box    *geo.Box  // nil: everywhere
	Inside geo.Shape // nil: no shape. Box is worked out from it when nil.
	// InsideGeoJSON is what Inside was read from, for asking other nodes. It is not looked at here.
	InsideGeoJSON []byte
	Fence         string // the id of a fence that the track is in; "": any
	Statuses      []track.Status
	Limit         int // at most so many; zero: no limit
}

// Found are the tracks that fit a query, in no particular order.
type Found struct {
	Tracks []*track.View
	Cut    bool // there are more than the limit
}

// NearestQuery asks for the tracks nearest to a point.
type NearestQuery struct {
	Point        geo.Point
	K            int
	RadiusMetres float64 // zero: no bound
	Statuses     []track.Status
}

// Neighbour is a track with its distance.
type Neighbour struct {
	View   *track.View
	Metres float64
}

// Cell is a geohash cell in its integer form (5 bits a character) and how many tracks are in it.
type Cell struct {
	Geohash uint64
	Count   uint32
}

// Item is a track as a frame of the live map shows it.
type Item struct {
	// Slot numbers the vehicle for as long as the partition runs here; it is given to another one only a while after.
	Slot uint32
	// Birth is never given twice: a slot with another birth names another vehicle.
	Birth uint32
	View  *track.View
}

// Visible is what there is to see in a box.
type Visible struct {
	Items  []Item
	InView int // how many tracks are in the box; above len(Items) when the limit cut
}

// Counts are numbers of tracks by status.
type Counts struct {
	Total, Moving, Stopped, Silent int
}
