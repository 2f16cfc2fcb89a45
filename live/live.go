package live

import "github.com/trackmesh/trackmesh/track"

// Coverage says how much of the fleet an answer covers.
type Coverage struct {
	Asked    int     `json:"asked"`
	Answered int     `json:"answered"`
	Missing  []int32 `json:"missing"`
}

// Change is one track's news in a batch: View nil means that the track is gone.
type Change struct {
	Vehicle string
	View    *track.View
}
