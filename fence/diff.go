package fence

import (
	"slices"
	"strings"
	"sync"
)

// maxHistory is how many changed ids a line of sets remembers: 16 bytes each, the text is the fences'.
const maxHistory = 1 << 18

// history remembers which ids changed from set to set of one line, so that two of it are told apart without looking at every
// fence. A set's place is the number of changes before it.
type history struct {
	mutex   sync.Mutex // over all below, and over copying the trees of the line's sets
	changed []string   // the ids of the changes number first and later
	first   int
}

// after adds changes behind a place, and gives the place after them. Behind another place than the end, a new line begins
// that does not remember what came before. The caller holds the mutex.
func (h *history) after(place int, changes []Change) (*history, int) {
	if place != h.first+len(h.changed) {
		return &history{first: place}, place
	}
	for _, c := range changes {
		h.changed = append(h.changed, c.ID)
	}
	if over := len(h.changed) - maxHistory; over > maxHistory/4 {
		h.changed = append([]string(nil), h.changed[over:]...)
		h.first += over
	}
	return h, place + len(changes)
}

// between is the ids that changed from one place to a later one; ok is false when they are forgotten.
func (h *history) between(from, to int) (ids []string, ok bool) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	if from < h.first || to < from || to > h.first+len(h.changed) {
		return nil, false
	}
	return slices.Clone(h.changed[from-h.first : to-h.first]), true
}

// Diff tells two sets apart: the fences of after that are not in before or have another version there, and those of before
// that are not in after; both by ascending id. It costs as much as changed when after was derived from before by not too
// many changes, else a walk through both.
func Diff(before, after *Set) (changed, removed []*Fence) {
	if before == after {
		return nil, nil
	}
	if before.history == after.history {
		if ids, ok := before.history.between(before.place, after.place); ok && len(ids) < (before.Len()+after.Len())/4+16 {
			return diffOf(before, after, ids)
		}
	}
	return diffAll(before, after)
}

func diffOf(before, after *Set, ids []string) (changed, removed []*Fence) {
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		o, had := before.Get(id)
		n, has := after.Get(id)
		switch {
		case has && (!had || o.Version != n.Version):
			changed = append(changed, n)
		case had && !has:
			removed = append(removed, o)
		}
	}
	return changed, removed
}

func diffAll(before, after *Set) (changed, removed []*Fence) {
	olds := make([]*Fence, 0, before.Len())
	before.All("", func(f *Fence) bool {
		olds = append(olds, f)
		return true
	})
	i := 0
	after.All("", func(n *Fence) bool {
		for i < len(olds) && strings.Compare(olds[i].ID, n.ID) < 0 {
			removed = append(removed, olds[i])
			i++
		}
		if i < len(olds) && olds[i].ID == n.ID {
			if olds[i].Version != n.Version {
				changed = append(changed, n)
			}
			i++
		} else {
			changed = append(changed, n)
		}
		return true
	})
	return changed, append(removed, olds[i:]...)
}
