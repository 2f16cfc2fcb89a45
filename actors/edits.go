package actors

import (
	"slices"

	"github.com/trackmesh/trackmesh/fence"
)

// adoptFences moves the partition to the newest fence set, if there is a newer one, and judges the tracks that it
// concerns: those inside a new or changed fence, silent ones included, and those that hold a fence which is gone or changed.
// It runs between batches, when no message is on its way to a track.
func (p *partition) adoptFences() bool {
	newest := p.opts.Fences.Current()
	old := p.env.Fences
	if newest.Version() == old.Version() {
		return false
	}
	changed, removed := fence.Diff(old, newest)
	if newest.Version() < old.Version() { // the topic was made anew, so its versions say nothing of the old ones
		p.host.metrics.fencesRemade.Inc()
		changed = everyFence(newest)
	}
	p.env.Fences = newest
	p.judge(changed, removed)
	p.pending.progress = true
	if p.pending.since.IsZero() {
		p.pending.since = p.opts.Now()
	}
	p.report(p.opts.Now())
	p.host.fencesMoved.announce()
	return true
}

// rejudgeAfter brings restored tracks from the fences of their checkpoint to the present ones: what was edited while the
// partition was down or on its way here is judged now, once, intermediate versions never.
func (p *partition) rejudgeAfter(version int64, remade bool) {
	set := p.env.Fences
	if set.Version() <= version && !remade {
		return
	}
	changed := everyFence(set)
	if !remade {
		changed = slices.DeleteFunc(changed, func(f *fence.Fence) bool { return f.Version <= version })
	}
	p.judge(changed, nil)
	p.pending.progress = true
	p.pending.since = p.opts.Now()
	p.mark()
}

func everyFence(set *fence.Set) []*fence.Fence {
	all := make([]*fence.Fence, 0, set.Len())
	set.All("", func(f *fence.Fence) bool {
		all = append(all, f)
		return true
	})
	return all
}

// fewChanges is up to how many changed fences are searched by themselves.
const fewChanges = 256

// judge tells each track of the changes that concern it.
func (p *partition) judge(changed, removed []*fence.Fence) {
	news := make(map[string]*fence.Fence, len(changed))
	for _, f := range changed {
		news[f.ID] = f
	}
	gone := make(map[string]*fence.Fence, len(removed))
	for _, f := range removed {
		gone[f.ID] = f
	}
	p.env.EventClock = p.clock.event
	among := p.env.Fences
	if len(changed) < fewChanges { // a move every second must not cost a search among all fences for each track
		among = fence.NewSet()
		changes := make([]fence.Change, len(changed))
		for i, f := range changed {
			changes[i] = fence.Change{ID: f.ID, Fence: f, Version: f.Version}
		}
		among = among.Apply(changes)
	}
	var near []*fence.Fence
	for _, e := range p.table.byVehicle {
		var toJudge, toLeave []*fence.Fence
		stale := false
		for _, id := range e.track.FenceIDs() {
			if f := news[id]; f != nil {
				toJudge = append(toJudge, f)
			} else if f := gone[id]; f != nil {
				toLeave = append(toLeave, f)
			} else if _, ok := p.env.Fences.Get(id); !ok {
				stale = true
			}
		}
		if at, ok := e.track.Position(); ok && len(news) > 0 {
			near = among.At(at, near[:0])
			for _, f := range near {
				if news[f.ID] == f && !holds(toJudge, f) {
					toJudge = append(toJudge, f)
				}
			}
		}
		if len(toJudge)+len(toLeave) > 0 || stale {
			p.attempt(opFences, e, func() {
				e.track.FencesChanged(&p.env, toJudge, toLeave, &p.out)
				p.table.touch(&p.env, e)
			})
		}
	}
}

func holds(fences []*fence.Fence, f *fence.Fence) bool {
	return slices.Contains(fences, f)
}
