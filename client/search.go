package client

import (
	"context"
	"fmt"
	"math"

	trackmeshv1 "github.com/trackmesh/trackmesh/messages/trackmesh/v1"
)

// Box is a rectangle in degrees; West above East crosses the antimeridian.
type Box struct{ West, South, East, North float64 }

// Near asks for the vehicles nearest to a place.
type Near struct {
	Place        Point
	K            int     // zero: 10
	RadiusMetres float64 // zero: no bound
}

// Query says which vehicles are wanted. At most one of Box, Polygon and Near; what is zero bounds nothing.
type Query struct {
	Box      *Box
	Polygon  string // a GeoJSON Polygon or MultiPolygon
	Near     *Near
	Fence    string // the id of a fence that the vehicle is in
	Statuses []Status
	Limit    int // zero: 1000
}

// Found is a vehicle with its distance in metres, NaN where none was asked for.
type Found struct {
	State
	DistanceMetres float64
}

// Result of a search. It is whole when Missing is empty: else those partitions could not be asked, and what is in them is not here.
type Result struct {
	Found     []Found // by distance for the nearest, else by name
	Truncated bool    // there are more than the limit
	Asked     int     // partitions
	Missing   []int32
}

// Search finds vehicles.
func (m *Mesh) Search(ctx context.Context, q Query) (*Result, error) {
	r, err := q.request()
	if err != nil {
		return nil, err
	}
	answer, err := call(ctx, m, func(n *endpoint) procedure[trackmeshv1.SearchRequest, trackmeshv1.SearchResponse] {
		return n.tracks.Search
	}, r)
	if err != nil {
		return nil, err
	}
	result := &Result{
		Truncated: answer.GetTruncated(), Asked: int(answer.GetPartitions().GetAsked()), Missing: answer.GetPartitions().GetMissing(),
		Found: make([]Found, len(answer.GetFound())),
	}
	for i, f := range answer.GetFound() {
		result.Found[i] = Found{*stateOf(f.GetTrack()), math.NaN()}
		if f.DistanceMetres != nil {
			result.Found[i].DistanceMetres = f.GetDistanceMetres()
		}
	}
	return result, nil
}

func (q *Query) request() (*trackmeshv1.SearchRequest, error) {
	r := &trackmeshv1.SearchRequest{Fence: q.Fence, Limit: int32(q.Limit)} //nolint:gosec // the server bounds it
	areas := 0
	if q.Box != nil {
		areas++
		r.Area = &trackmeshv1.SearchRequest_Box{Box: &trackmeshv1.Box{West: q.Box.West, South: q.Box.South, East: q.Box.East, North: q.Box.North}}
	}
	if q.Polygon != "" {
		areas++
		r.Area = &trackmeshv1.SearchRequest_PolygonGeojson{PolygonGeojson: q.Polygon}
	}
	if q.Near != nil {
		areas++
		r.Area = &trackmeshv1.SearchRequest_Near{Near: &trackmeshv1.Near{
			Place: &trackmeshv1.Place{Longitude: q.Near.Place.Longitude, Latitude: q.Near.Place.Latitude},
			K:     int32(q.Near.K), RadiusMetres: q.Near.RadiusMetres, //nolint:gosec // the server bounds it
		}}
	}
	if areas > 1 {
		return nil, fmt.Errorf("%w: at most one of box, polygon and near", ErrInvalid)
	}
	for _, wanted := range q.Statuses {
		code := trackmeshv1.TrackStatus_TRACK_STATUS_UNSPECIFIED
		for c, s := range statusOf {
			if s == wanted {
				code = c
			}
		}
		if code == trackmeshv1.TrackStatus_TRACK_STATUS_UNSPECIFIED {
			return nil, fmt.Errorf("%w: %q is no status", ErrInvalid, wanted)
		}
		r.Statuses = append(r.Statuses, code)
	}
	return r, nil
}
