package actors

import (
	"errors"

	"github.com/trackmesh/trackmesh/track"
)

// errMoved: the partition stopped running here before it could answer; ask again.
var errMoved = errors.New("the partition stopped running on this node; try again")

// pathQuery asks for a track's fixes in memory.
type pathQuery struct {
	vehicle  string
	from, to int64 // UTC ms; from ≤ t < to
	limit    int
	reply    chan<- pathAnswer // has room for one
}

type pathAnswer struct {
	points []track.PathPoint
	since  int64 // the path is whole from here on, UTC ms
	known  bool
}

func (p *partition) path(q *pathQuery) pathAnswer {
	e := p.table.byVehicle[q.vehicle]
	if e == nil {
		return pathAnswer{}
	}
	return pathAnswer{points: e.track.Path(q.from, q.to, q.limit), since: e.track.PathStart(), known: true}
}

// applyWaiter waits until the command at an offset is committed.
type applyWaiter struct {
	offset int64
	done   chan<- error // has room for one
}

func (p *partition) await(w *applyWaiter) {
	if p.phase == failed {
		w.done <- errMoved
		return
	}
	p.waiters = append(p.waiters, *w)
	if p.phase == free && !p.somethingPending() {
		p.resolve()
	}
}

// resolve answers those whose command the last commit holds.
func (p *partition) resolve() {
	kept := p.waiters[:0]
	for _, w := range p.waiters {
		if w.offset < p.at.command {
			w.done <- nil
			continue
		}
		kept = append(kept, w)
	}
	p.waiters = kept
}
