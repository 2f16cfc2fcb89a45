package fence

import (
	"maps"

	"github.com/trackmesh/trackmesh/geo"
)

// A fence that follows a vehicle is put by whoever edits it and moved by whoever has that vehicle's track. Both are records
// of one log with keys of their own, so that compaction keeps the newest of each, in either order:
//
//	unknown ── put ──> nowhere ── moved ──> placed ── moved ──> placed elsewhere
//	   │                                      ▲ │ withdrawn, or put with another leader
//	   └── moved ──> waits for its fence ─────┘ └──> nowhere
//
// A deletion ends both.

// Move is where the vehicle is that a fence follows.
type Move struct {
	Vehicle   string
	Partition int32 // whose owner said it
	At        geo.Point
	Withdrawn bool // the vehicle's track is gone: the fence is nowhere
}

// mover is what is known of a fence that follows a vehicle.
type mover struct {
	fence *Fence // as it was put; nil: not read yet
	move  *Move  // nil: none read yet
}

// movers are kept by id. A map is never written to once a set has it, but by the Apply that makes the set.
type movers struct {
	byID  map[string]mover
	fresh bool // made by the Apply that is under way
}

func (m *movers) set(id string, v mover) {
	if !m.fresh {
		m.byID, m.fresh = maps.Clone(m.byID), true
	}
	if v == (mover{}) {
		delete(m.byID, id)
		return
	}
	if m.byID == nil {
		m.byID = map[string]mover{}
	}
	m.byID[id] = v
}

// follow is what a change makes of its fence; same is true when it stays as it is.
func (s *Set) follow(c *Change) (f *Fence, same bool) {
	m, known := s.movers.byID[c.ID]
	switch {
	case c.Moved != nil:
		m.move = c.Moved
		s.movers.set(c.ID, m)
		if m.fence == nil {
			return nil, true
		}
		return m.at(c.Version), false
	case c.Fence == nil:
		if known {
			s.movers.set(c.ID, mover{})
		}
		return nil, false
	case c.Fence.Follows == "":
		if known { // the move is still in the log: who reads it anew finds it too
			m.fence = nil
			s.movers.set(c.ID, m)
		}
		return c.Fence, false
	}
	m.fence = c.Fence
	s.movers.set(c.ID, m)
	return m.at(c.Version), false
}

// at is the fence where its leader is, or nowhere.
func (m *mover) at(version int64) *Fence {
	if m.move != nil && m.move.Vehicle == m.fence.Follows && !m.move.Withdrawn {
		return m.fence.Place(m.move.At, version)
	}
	if m.fence.Version == version {
		return m.fence
	}
	nowhere := *m.fence
	nowhere.Version = version
	return &nowhere
}

// HasFollowers reports whether any fence follows a vehicle.
func (s *Set) HasFollowers() bool { return len(s.movers.byID) > 0 }

// Followers calls fn for each fence that follows a vehicle, with where it was moved last for that vehicle; nil: it never was.
func (s *Set) Followers(fn func(f *Fence, last *Move)) {
	for _, m := range s.movers.byID {
		if m.fence == nil {
			continue
		}
		last := m.move
		if last != nil && last.Vehicle != m.fence.Follows {
			last = nil
		}
		fn(m.fence, last)
	}
}
