package peers

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/trackmesh/trackmesh/api"
	"github.com/trackmesh/trackmesh/geo"
	"github.com/trackmesh/trackmesh/live"
	trackmeshv1 "github.com/trackmesh/trackmesh/messages/trackmesh/v1"
	"github.com/trackmesh/trackmesh/track"
)

// Live is api.Live over the cluster.
type Live struct {
	peers *Peers
	frame bool // a second attempt would come too late
}

var _ api.Live = Live{}

// Live answers questions, patiently.
func (p *Peers) Live() Live { return Live{peers: p} }

// Frames answers what the live map asks each second: whoever does not answer at once is missing.
func (p *Peers) Frames() Live { return Live{peers: p, frame: true} }

func (l Live) gather(ctx context.Context, partitions []int32, q inquiry) live.Coverage {
	q.once, q.attempt = l.frame, l.peers.opts.Attempt
	if l.frame {
		q.attempt = l.peers.opts.Frame
	}
	return l.peers.gather(ctx, partitions, q)
}

// mine asks this node's live index for partitions that it owns.
func (p *Peers) mine(partitions []int32, ask func(s live.Selection) live.Coverage) (answered []int32) {
	c := ask(p.opts.Fleet.Select(partitions))
	return without(partitions, c.Missing)
}

// without are the partitions that are not missing.
func without(partitions, missing []int32) []int32 {
	if len(missing) == 0 {
		return partitions
	}
	rest := make([]int32, 0, len(partitions))
	for _, p := range partitions {
		if !slices.Contains(missing, p) {
			rest = append(rest, p)
		}
	}
	return rest
}

// Track implements api.Live. The owner of the vehicle's own partition is asked first, and all when it does not know it.
func (l Live) Track(ctx context.Context, vehicle string) (*track.View, live.Coverage, error) {
	var newest *track.View
	see := func(v *track.View) {
		if v != nil && (newest == nil || v.Time > newest.Time) {
			newest = v
		}
	}
	q := inquiry{
		body: &trackmeshv1.PeerQuestion{Body: &trackmeshv1.PeerQuestion_Track{Track: &trackmeshv1.PeerTrackQuestion{Vehicle: vehicle}}},
		local: func(_ context.Context, partitions []int32) []int32 {
			return l.peers.mine(partitions, func(s live.Selection) live.Coverage {
				v, c := s.Track(vehicle)
				see(v)
				return c
			})
		},
		merge: func(a *trackmeshv1.PeerAnswer) {
			for _, t := range a.GetTracks() {
				see(fromWire(t))
			}
		},
	}
	home := l.peers.opts.Home(vehicle)
	c := l.gather(ctx, []int32{home}, q)
	if newest != nil {
		return newest, c, nil
	}
	rest := l.gather(ctx, without(l.peers.all(), []int32{home}), q)
	c = live.Coverage{Asked: c.Asked + rest.Asked, Answered: c.Answered + rest.Answered, Missing: append(c.Missing, rest.Missing...)}
	slices.Sort(c.Missing)
	if newest == nil {
		return nil, c, api.ErrNotFound
	}
	return newest, c, nil
}

// Search implements api.Live.
func (l Live) Search(ctx context.Context, q live.Query) (live.Found, live.Coverage, error) {
	var found live.Found
	take := func(tracks []*track.View, cut bool) {
		found.Cut = found.Cut || cut
		if q.Limit > 0 && len(found.Tracks)+len(tracks) > q.Limit {
			tracks, found.Cut = tracks[:q.Limit-len(found.Tracks)], true
		}
		found.Tracks = append(found.Tracks, tracks...)
	}
	c := l.gather(ctx, l.peers.all(), inquiry{
		body: &trackmeshv1.PeerQuestion{Body: &trackmeshv1.PeerQuestion_Search{Search: &trackmeshv1.PeerSearchQuestion{
			Box: wireBox(q.Box), Inside: q.InsideGeoJSON, Fence: q.Fence, Statuses: wireStatuses(q.Statuses), Limit: int32(q.Limit), //nolint:gosec // the API bounds it
		}}},
		local: func(_ context.Context, partitions []int32) []int32 {
			return l.peers.mine(partitions, func(s live.Selection) live.Coverage {
				f, c := s.Search(q)
				take(f.Tracks, f.Cut)
				return c
			})
		},
		merge: func(a *trackmeshv1.PeerAnswer) {
			tracks := make([]*track.View, len(a.GetTracks()))
			for i, t := range a.GetTracks() {
				tracks[i] = fromWire(t)
			}
			take(tracks, a.GetCut())
		},
	})
	return found, c, nil
}

// Nearest implements api.Live.
func (l Live) Nearest(ctx context.Context, q live.NearestQuery) ([]live.Neighbour, live.Coverage, error) {
	var found []live.Neighbour
	c := l.gather(ctx, l.peers.all(), inquiry{
		body: &trackmeshv1.PeerQuestion{Body: &trackmeshv1.PeerQuestion_Nearest{Nearest: &trackmeshv1.PeerNearestQuestion{
			Longitude: q.Point.Lon, Latitude: q.Point.Lat, K: int32(q.K), RadiusMetres: q.RadiusMetres, Statuses: wireStatuses(q.Statuses), //nolint:gosec // the API bounds it
		}}},
		local: func(_ context.Context, partitions []int32) []int32 {
			return l.peers.mine(partitions, func(s live.Selection) live.Coverage {
				near, c := s.Nearest(q)
				found = append(found, near...)
				return c
			})
		},
		merge: func(a *trackmeshv1.PeerAnswer) {
			for _, t := range a.GetTracks() {
				v := fromWire(t)
				found = append(found, live.Neighbour{View: v, Metres: geo.Distance(q.Point, v.Position)})
			}
		},
	})
	slices.SortFunc(found, func(a, b live.Neighbour) int {
		return cmp.Or(cmp.Compare(a.Metres, b.Metres), cmp.Compare(a.View.Vehicle, b.View.Vehicle))
	})
	if q.K > 0 && len(found) > q.K {
		found = found[:q.K]
	}
	return found, c, nil
}

// Cells implements api.Live.
func (l Live) Cells(ctx context.Context, precision int, box geo.Box) ([]live.Cell, live.Coverage, error) {
	counts := map[uint64]uint32{}
	c := l.gather(ctx, l.peers.all(), inquiry{
		body: &trackmeshv1.PeerQuestion{Body: &trackmeshv1.PeerQuestion_Cells{Cells: &trackmeshv1.PeerCellsQuestion{
			Precision: int32(precision), Box: wireBox(&box), //nolint:gosec // 1..9
		}}},
		local: func(_ context.Context, partitions []int32) []int32 {
			return l.peers.mine(partitions, func(s live.Selection) live.Coverage {
				cells, c := s.Cells(precision, &box)
				for _, cell := range cells {
					counts[cell.Geohash] += cell.Count
				}
				return c
			})
		},
		merge: func(a *trackmeshv1.PeerAnswer) {
			w := a.GetCells()
			for i := range min(len(w.GetGeohash()), len(w.GetCount())) {
				counts[w.GetGeohash()[i]] += w.GetCount()[i]
			}
		},
	})
	cells := make([]live.Cell, 0, len(counts))
	for hash, n := range counts {
		cells = append(cells, live.Cell{Geohash: hash, Count: n})
	}
	slices.SortFunc(cells, func(a, b live.Cell) int { return cmp.Compare(a.Geohash, b.Geohash) })
	return cells, c, nil
}

// Visible implements api.Live.
func (l Live) Visible(ctx context.Context, box geo.Box, limit int) (live.Visible, live.Coverage, error) {
	var seen live.Visible
	c := l.gather(ctx, l.peers.all(), inquiry{
		body: &trackmeshv1.PeerQuestion{Body: &trackmeshv1.PeerQuestion_Visible{Visible: &trackmeshv1.PeerVisibleQuestion{
			Box: wireBox(&box), Limit: int32(limit), //nolint:gosec // the API bounds it
		}}},
		local: func(_ context.Context, partitions []int32) []int32 {
			return l.peers.mine(partitions, func(s live.Selection) live.Coverage {
				v, c := s.Visible(&box, limit-len(seen.Items))
				seen.InView += v.InView
				seen.Items = append(seen.Items, v.Items...)
				return c
			})
		},
		merge: func(a *trackmeshv1.PeerAnswer) {
			seen.InView += int(a.GetVisible().GetInView())
			seen.Items = visibleFromWire(a.GetVisible(), l.peers.opts.Fleet.Guests(), limit, seen.Items)
		},
	})
	return seen, c, nil
}

// Counts implements api.Live.
func (l Live) Counts(ctx context.Context) (live.Counts, live.Coverage, error) {
	var sum live.Counts
	add := func(n live.Counts) {
		sum.Total += n.Total
		sum.Moving += n.Moving
		sum.Stopped += n.Stopped
		sum.Silent += n.Silent
	}
	c := l.gather(ctx, l.peers.all(), inquiry{
		body: &trackmeshv1.PeerQuestion{Body: &trackmeshv1.PeerQuestion_Counts{Counts: &trackmeshv1.PeerCountsQuestion{}}},
		local: func(_ context.Context, partitions []int32) []int32 {
			return l.peers.mine(partitions, func(s live.Selection) live.Coverage {
				n, c := s.Counts()
				add(n)
				return c
			})
		},
		merge: func(a *trackmeshv1.PeerAnswer) {
			n := a.GetCounts()
			add(live.Counts{Total: int(n.GetTotal()), Moving: int(n.GetMoving()), Stopped: int(n.GetStopped()), Silent: int(n.GetSilent())})
		},
	})
	return sum, c, nil
}

// Changed implements api.Live.
func (l Live) Changed(ctx context.Context, vehicle string, seen uint64, wait time.Duration) (view *track.View, err error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	home := l.peers.opts.Home(vehicle)
	c := l.peers.gather(ctx, []int32{home}, inquiry{
		body: &trackmeshv1.PeerQuestion{Body: &trackmeshv1.PeerQuestion_Changed{Changed: &trackmeshv1.PeerChangedQuestion{Vehicle: vehicle, Seen: seen}}},
		local: func(ctx context.Context, partitions []int32) []int32 {
			v, c := l.peers.opts.Fleet.Select(partitions).Changed(ctx, vehicle, seen)
			view = v
			return without(partitions, c.Missing)
		},
		merge: func(a *trackmeshv1.PeerAnswer) {
			for _, t := range a.GetTracks() {
				view = fromWire(t)
			}
		},
		attempt: wait,
	})
	if !c.Whole() && ctx.Err() == nil {
		return nil, api.ErrUnavailable
	}
	return view, nil
}
