package api

import (
	"context"
	"time"

	"github.com/trackmesh/trackmesh/geo"
	"github.com/trackmesh/trackmesh/live"
	"github.com/trackmesh/trackmesh/track"
)

// LocalLive answers from the partitions that run on this node.
type LocalLive struct {
	Fleet *live.Fleet
	// Home is the partition that a vehicle's key computes to.
	Home func(vehicle string) int32
	// Patience is how long a search waits for partitions that are on the move. Zero: not at all. Frames of the map never wait.
	Patience time.Duration
}

// Track implements Live.
func (l LocalLive) Track(ctx context.Context, vehicle string) (*track.View, live.Coverage, error) {
	v, c := l.Fleet.Track(vehicle, l.Home(vehicle))
	if v == nil && !c.Whole() {
		l.Fleet.Await(ctx, l.Patience)
		v, c = l.Fleet.Track(vehicle, l.Home(vehicle))
	}
	if v == nil {
		return nil, c, ErrNotFound
	}
	return v, c, nil
}

// Search implements Live.
func (l LocalLive) Search(ctx context.Context, q live.Query) (live.Found, live.Coverage, error) {
	l.Fleet.Await(ctx, l.Patience)
	found, c := l.Fleet.Search(q)
	return found, c, nil
}

// Nearest implements Live.
func (l LocalLive) Nearest(ctx context.Context, q live.NearestQuery) ([]live.Neighbour, live.Coverage, error) {
	l.Fleet.Await(ctx, l.Patience)
	found, c := l.Fleet.Nearest(q)
	return found, c, nil
}

// Cells implements Live.
func (l LocalLive) Cells(_ context.Context, precision int, box geo.Box) ([]live.Cell, live.Coverage, error) {
	cells, c := l.Fleet.Cells(precision, &box)
	return cells, c, nil
}

// Visible implements Live.
func (l LocalLive) Visible(_ context.Context, box geo.Box, limit int) (live.Visible, live.Coverage, error) {
	seen, c := l.Fleet.Visible(&box, limit)
	return seen, c, nil
}

// Counts implements Live.
func (l LocalLive) Counts(context.Context) (live.Counts, live.Coverage, error) {
	counts, c := l.Fleet.Counts()
	return counts, c, nil
}

// Changed implements Live.
func (l LocalLive) Changed(ctx context.Context, vehicle string, seen uint64, wait time.Duration) (*track.View, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	v, c := l.Fleet.Select([]int32{l.Home(vehicle)}).Changed(ctx, vehicle, seen)
	if !c.Whole() {
		return nil, ErrUnavailable
	}
	return v, nil
}
