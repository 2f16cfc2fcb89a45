package fence

import (
	"slices"
	"strings"

	"github.com/trackmesh/trackmesh/geo"
)

// Change is one record of the fences' log: a fence was put, or deleted.
type Change struct {
	ID      string
	Fence   *Fence // nil: deleted
	Version int64  // the record's offset
}

// Set is all fences at one version: immutable, and cheap to derive the next one from. The zero value is an empty set.
type Set struct {
	version int64
	fences  []*Fence
}

// Version is the offset of the last record that was applied; -1 for a set to which nothing was.
func (s *Set) Version() int64 { return s.version }

// Len is the number of fences.
func (s *Set) Len() int { return len(s.fences) }

func (s *Set) find(id string) (int, bool) {
	return slices.BinarySearchFunc(s.fences, id, func(f *Fence, id string) int { return strings.Compare(f.ID, id) })
}

// Get is the fence with an id.
func (s *Set) Get(id string) (*Fence, bool) {
	if i, ok := s.find(id); ok {
		return s.fences[i], true
	}
	return nil, false
}

// Apply derives the set after some changes; of several to one fence the last wins.
func (s *Set) Apply(changes []Change) *Set {
	n := &Set{version: s.version, fences: slices.Clone(s.fences)}
	for _, c := range changes {
		n.version = max(n.version, c.Version)
		i, ok := n.find(c.ID)
		switch {
		case c.Fence == nil && ok:
			n.fences = slices.Delete(n.fences, i, i+1)
		case c.Fence != nil && ok:
			n.fences[i] = c.Fence
		case c.Fence != nil:
			n.fences = slices.Insert(n.fences, i, c.Fence)
		}
	}
	return n
}

// At appends the fences that contain a point, whatever their schedules say, by ascending id.
func (s *Set) At(p geo.Point, dst []*Fence) []*Fence {
	for _, f := range s.fences {
		if f.Contains(p) {
			dst = append(dst, f)
		}
	}
	return dst
}

// Along appends every fence that the segment from a to b may touch, by ascending id.
func (s *Set) Along(a, b geo.Point, dst []*Fence) []*Fence {
	box := geo.SegmentBox(a, b)
	for _, f := range s.fences {
		if f.shape != nil && f.Box().Intersects(box) {
			dst = append(dst, f)
		}
	}
	return dst
}

// Search calls fn for the fences whose box meets another, until it returns false.
func (s *Set) Search(box geo.Box, fn func(*Fence) bool) {
	for _, f := range s.fences {
		if f.Box().Intersects(box) && !fn(f) {
			return
		}
	}
}

// Diff tells two sets apart: the fences of new that are not in old or have another version there, and those of old that are
// not in new; both by ascending id.
func Diff(old, new *Set) (changed, removed []*Fence) {
	for _, f := range new.fences {
		if o, ok := old.Get(f.ID); !ok || o.Version != f.Version {
			changed = append(changed, f)
		}
	}
	for _, f := range old.fences {
		if _, ok := new.Get(f.ID); !ok {
			removed = append(removed, f)
		}
	}
	return changed, removed
}
