package actors

import (
	"time"

	"github.com/trackmesh/trackmesh/live"
	"github.com/trackmesh/trackmesh/track"
)

// publishInterval bounds how often a partition changes its live index: a vehicle that sends ten fixes meanwhile moves once.
const publishInterval = 100 * time.Millisecond

// Between two changes of the live index a partition does something else for publishShare times as long as the first took, but at most
// maxPublishInterval: while it catches up with very many vehicles, the newest places are not worth more of its time.
const (
	publishShare       = 20
	maxPublishInterval = 2 * time.Second
)

// openIndex shows the restored tracks before the first input, all at once: a partition that is half there would be believed.
func (p *partition) openIndex() {
	for _, e := range p.table.byVehicle {
		if e.published {
			e.published = false
			p.table.unseen = append(p.table.unseen, e)
		}
	}
	p.published = time.Time{}
	p.publish()
	p.opts.Fleet.Show(p.index)
	p.report(p.opts.Now())
}

// publish puts the newest views of the tracks that changed into the live index.
func (p *partition) publish() {
	if len(p.table.unseen) == 0 {
		return
	}
	now := p.opts.Now()
	if now.Sub(p.published) < p.resting {
		return
	}
	p.published = now
	changes := make([]live.Change, 0, len(p.table.unseen))
	for i, e := range p.table.unseen {
		e.published = true
		p.table.unseen[i] = nil
		if _, seen := e.track.Position(); !seen || e.track.Forgotten() {
			continue // gone, or so far only with fixes in the reorder window
		}
		view := &track.View{}
		if !p.look(opView, e.vehicle, func() { e.track.View(view) }) {
			continue // the view before it stays
		}
		view.Partition = p.id
		changes = append(changes, live.Change{Vehicle: e.vehicle, View: view})
	}
	p.table.unseen = p.table.unseen[:0]
	p.index.Apply(changes)
	p.resting = min(max(publishInterval, publishShare*p.opts.Now().Sub(now)), maxPublishInterval)
}

func (p *partition) dropView(vehicle string) {
	p.index.Apply([]live.Change{{Vehicle: vehicle}})
}

// PartitionStatus is what a partition says of itself, as of its last report.
type PartitionStatus struct {
	Partition    int32
	State        string // claiming, recovering, running, stopped
	Term         uint64
	InputOffset  int64 // the next to handle
	Committed    int64 // the next to handle, as of the last commit
	InputEnd     int64 // after the last known
	EventClock   int64 // UTC ms; 0: no fix yet
	FenceVersion int64
	Tracks       int
	Err          string // why it is stopped
	NeedsHelp    bool   // it will not go on by itself
}

// report refreshes the status that other goroutines see.
func (p *partition) report(time.Time) {
	p.view.Store(&PartitionStatus{
		Partition: p.id, State: "running", Term: p.claim.Term(), InputOffset: p.at.input, Committed: p.committed, InputEnd: p.at.inputEnd,
		EventClock: p.clock.event, FenceVersion: p.env.Fences.Version(), Tracks: len(p.table.byVehicle),
	})
	p.host.observeLag(p.id, max(0, p.at.inputEnd-p.at.input))
}
