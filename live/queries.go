package live

import (
	"cmp"
	"slices"

	"github.com/trackmesh/trackmesh/geo"
	"github.com/trackmesh/trackmesh/track"
)

// Track is a vehicle's newest view, or nil. hint is the partition that its key computes to; when it is not there (a record
// may stand in another partition than its key says), all others are asked. The coverage is that of the partitions asked:
// without all of them "nil" is not certain.
func (f *Fleet) Track(vehicle string, hint int32) (*track.View, Coverage) {
	if hint >= 0 && int(hint) < len(f.parts) {
		if part := f.parts[hint].Load(); part != nil {
			if v := part.get(vehicle); v != nil {
				return v, Coverage{Asked: 1, Answered: 1, Missing: []int32{}}
			}
		}
	}
	return f.all().Track(vehicle)
}

// Track is a vehicle's newest view in the selection, or nil.
func (s Selection) Track(vehicle string) (*track.View, Coverage) {
	var newest *track.View
	c := s.each(func(p *Partition) {
		if v := p.get(vehicle); v != nil && (newest == nil || v.Time > newest.Time) {
			newest = v
		}
	})
	return newest, c
}

// Search returns the tracks that fit a query, in no particular order.
func (f *Fleet) Search(q Query) (Found, Coverage) { return f.all().Search(q) }

// Search is Fleet.Search of the selection.
func (s Selection) Search(q Query) (Found, Coverage) {
	box := q.Box
	if box == nil && q.Inside != nil {
		b := q.Inside.Box()
		box = &b
	}
	var found Found
	c := s.each(func(p *Partition) {
		if found.Cut {
			return
		}
		p.within(box, func(_ *entry, v *track.View) bool {
			if !q.fits(v) {
				return true
			}
			if q.Limit > 0 && len(found.Tracks) == q.Limit {
				found.Cut = true
				return false
			}
			found.Tracks = append(found.Tracks, v)
			return true
		})
	})
	return found, c
}

// fits judges everything but the box.
func (q *Query) fits(v *track.View) bool {
	if !statusFits(q.Statuses, v.Status) {
		return false
	}
	if q.Fence != "" {
		if _, in := slices.BinarySearch(v.Fences, q.Fence); !in {
			return false
		}
	}
	if q.Inside == nil {
		return true
	}
	point := geo.Ask(v.Position)
	return q.Inside.Contains(&point)
}

func statusFits(wanted []track.Status, s track.Status) bool {
	return len(wanted) == 0 || slices.Contains(wanted, s)
}

// Counts are the numbers of tracks by status.
func (f *Fleet) Counts() (Counts, Coverage) { return f.all().Counts() }

// Counts is Fleet.Counts of the selection.
func (s Selection) Counts() (Counts, Coverage) {
	var sum Counts
	c := s.each(func(p *Partition) {
		n := p.count()
		sum.Total += n.Total
		sum.Moving += n.Moving
		sum.Stopped += n.Stopped
		sum.Silent += n.Silent
	})
	return sum, c
}

// Cells counts the tracks of a box by geohash cell of a precision (1..9), the cells in ascending order.
func (f *Fleet) Cells(precision int, box *geo.Box) ([]Cell, Coverage) {
	return f.all().Cells(precision, box)
}

// Cells is Fleet.Cells of the selection.
func (s Selection) Cells(precision int, box *geo.Box) ([]Cell, Coverage) {
	counts := map[uint64]uint32{}
	c := s.each(func(p *Partition) {
		p.within(box, func(_ *entry, v *track.View) bool {
			counts[geo.GeohashInt(v.Position, precision)]++
			return true
		})
	})
	cells := make([]Cell, 0, len(counts))
	for hash, n := range counts {
		cells = append(cells, Cell{hash, n})
	}
	slices.SortFunc(cells, func(a, b Cell) int { return cmp.Compare(a.Geohash, b.Geohash) })
	return cells, c
}

// Visible returns the tracks of a box for a frame of the live map, at most limit, and counts them all.
func (f *Fleet) Visible(box *geo.Box, limit int) (Visible, Coverage) {
	return f.all().Visible(box, limit)
}

// Visible is Fleet.Visible of the selection.
func (s Selection) Visible(box *geo.Box, limit int) (Visible, Coverage) {
	var seen Visible
	c := s.each(func(p *Partition) {
		p.within(box, func(e *entry, v *track.View) bool {
			seen.InView++
			if len(seen.Items) < limit {
				seen.Items = append(seen.Items, Item{Slot: e.slot, Birth: e.birth, View: v})
			}
			return true
		})
	})
	return seen, c
}
