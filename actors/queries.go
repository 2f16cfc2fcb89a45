package actors

import (
	"errors"
	"fmt"

	"github.com/trackmesh/trackmesh/track"
)

// errMoved: the partition stopped running here before it could answer; ask again.
var errMoved = fmt.Errorf("%w any more: try again", ErrNotHere)

// errPath: the track panicked over its own path, which was logged and counted.
var errPath = errors.New("the track failed on this question: please report it with the node's log")

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
	err    error
}

func (p *partition) path(q *pathQuery) pathAnswer {
	if p.phase == failed {
		return pathAnswer{err: errMoved}
	}
	e := p.table.byVehicle[q.vehicle]
	if e == nil {
		return pathAnswer{}
	}
	a := pathAnswer{known: true}
	if !p.look(opPath, e.vehicle, func() { a.points, a.since = e.track.Path(q.from, q.to, q.limit), e.track.PathStart() }) {
		return pathAnswer{err: errPath}
	}
	return a
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
