package fence

import (
	"slices"

	"github.com/google/btree"

	"github.com/trackmesh/trackmesh/geo"
)

// Change is one record of the fences' log: a fence was put, deleted, or moved with the vehicle that it follows.
type Change struct {
	ID      string
	Fence   *Fence // nil: deleted, or moved
	Moved   *Move  // nil: put or deleted
	Version int64  // the record's offset
}

// Set is all fences at one version: immutable, for any number of readers, and cheap to derive the next one from: it shares
// with it all that did not change.
type Set struct {
	version int64
	byID    *btree.BTreeG[entry]
	index   index
	history *history // of the line of sets that this one is in
	place   int      // its place in there
	movers  movers   // those that follow a vehicle
	mark    *mark
}

// entry is a fence in the order of ids.
type entry struct {
	id    string
	fence *Fence
}

// NewSet is the empty set, to which no record was applied: its version is -1.
func NewSet() *Set {
	return &Set{
		version: -1,
		byID:    btree.NewG(32, func(a, b entry) bool { return a.id < b.id }),
		index:   newIndex(),
		history: new(history),
		mark:    new(mark),
	}
}

// Version is the offset of the last record that was applied; -1 for a set to which nothing was.
func (s *Set) Version() int64 { return s.version }

// Len is the number of fences.
func (s *Set) Len() int { return s.byID.Len() }

// Get is the fence with an id.
func (s *Set) Get(id string) (*Fence, bool) {
	e, ok := s.byID.Get(entry{id: id})
	return e.fence, ok
}

// All calls fn for the fences from an id on, by ascending id, until it returns false.
func (s *Set) All(from string, fn func(*Fence) bool) {
	s.byID.AscendGreaterOrEqual(entry{id: from}, func(e entry) bool { return fn(e.fence) })
}

// Apply derives the set after some changes; of several to one fence the last wins. It may be called while others read the
// set, and derive from it too.
func (s *Set) Apply(changes []Change) *Set {
	s.history.mutex.Lock() // copying marks the trees as shared
	defer s.history.mutex.Unlock()
	n := &Set{version: s.version, byID: s.byID.Clone(), index: s.index.copy(), movers: s.movers, mark: new(mark)}
	for i := range changes {
		c := &changes[i]
		n.version = max(n.version, c.Version)
		f, same := n.follow(c)
		switch {
		case same:
		case f == nil:
			n.byID.Delete(entry{id: c.ID})
		default:
			n.byID.ReplaceOrInsert(entry{id: f.ID, fence: f})
		}
	}
	n.movers.fresh = false
	n.reindex(s, changes)
	n.history, n.place = s.history.after(s.place, changes)
	return n
}

// reindex brings the index from what the set before had of the changed ids to what this one has.
func (s *Set) reindex(before *Set, changes []Change) {
	ids := make([]string, len(changes))
	for i, c := range changes {
		ids[i] = c.ID
	}
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		old, had := before.Get(id)
		f, has := s.Get(id)
		if old == f {
			continue
		}
		if had {
			s.index.remove(old)
		}
		if has {
			s.index.add(f)
		}
	}
}

// At appends the fences that contain a point, whatever their schedules say, by ascending id.
func (s *Set) At(p geo.Point, dst []*Fence) []*Fence {
	q := geo.Ask(p)
	from := len(dst)
	s.index.at(p, func(f *Fence) {
		if f.contains(&q) {
			dst = append(dst, f)
		}
	})
	return ordered(dst, from)
}

// Along appends the fences that the segment from a to b touches or runs in, and perhaps some more that it comes near, by
// ascending id. Traverse tells.
func (s *Set) Along(a, b geo.Point, dst []*Fence) []*Fence {
	w := geo.Go(a, b)
	from := len(dst)
	s.index.within(w.Box(), func(f *Fence) bool {
		if f.mayMeet(&w) {
			dst = append(dst, f)
		}
		return true
	})
	return ordered(dst, from)
}

// Step is At for b and Along from a to b in one: to inside it appends the fences that contain b, to passed those of Along
// that do not; both by ascending id. It is what a moving vehicle needs, at about half the cost.
func (s *Set) Step(a, b geo.Point, inside, passed []*Fence) (in, by []*Fence) {
	q, w := geo.Ask(b), geo.Go(a, b)
	in, by = inside, passed
	s.index.within(w.Box(), func(f *Fence) bool {
		if f.contains(&q) {
			in = append(in, f)
		} else if f.mayMeet(&w) {
			by = append(by, f)
		}
		return true
	})
	return ordered(in, len(inside)), ordered(by, len(passed))
}

// Search calls fn for the fences whose box meets another, until it returns false; in no order.
func (s *Set) Search(box geo.Box, fn func(*Fence) bool) {
	seen := map[*Fence]struct{}{} // those that may come twice, from both sides of the antimeridian
	twice := box.CrossesAntimeridian() || box.West <= -180 || box.East >= 180
	s.index.within(box, func(f *Fence) bool {
		if twice || f.Box().CrossesAntimeridian() {
			if _, ok := seen[f]; ok {
				return true
			}
			seen[f] = struct{}{}
		}
		return fn(f)
	})
}

// ordered sorts what was appended, and drops what came twice, from both sides of the antimeridian.
func ordered(fences []*Fence, from int) []*Fence {
	added := fences[from:]
	if len(added) > fewFences {
		slices.SortFunc(added, func(f, g *Fence) int {
			switch {
			case f == g:
				return 0
			case f.before(g):
				return -1
			}
			return 1
		})
		return fences[:from+len(slices.Compact(added))]
	}
	return fences[:from+insertionSort(added)]
}

// insertionSort sorts a few fences, drops what comes twice, and gives how many are left. The numbers that most ids are told
// apart by lie beside each other meanwhile.
func insertionSort(fences []*Fence) int {
	var orders [fewFences][2]uint64
	n := 0
	for _, f := range fences {
		order := f.order
		i := n
		for ; i > 0; i-- {
			if o := &orders[i-1]; order[0] > o[0] || order[0] == o[0] && (order[1] > o[1] ||
				order[1] == o[1] && f.ID >= fences[i-1].ID) {
				break
			}
			orders[i] = orders[i-1]
			fences[i] = fences[i-1]
		}
		if i > 0 && fences[i-1] == f {
			copy(fences[i:n], fences[i+1:n+1])
			copy(orders[i:n], orders[i+1:n+1])
			continue
		}
		fences[i], orders[i] = f, order
		n++
	}
	return n
}

// fewFences is up to how many are sorted by insertion.
const fewFences = 40
