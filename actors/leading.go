package actors

import (
	"time"

	"github.com/trackmesh/trackmesh/broker"
	"github.com/trackmesh/trackmesh/fence"
	"github.com/trackmesh/trackmesh/geo"
)

// A fence that follows a vehicle is moved by the partition that has the vehicle: it compares where the fence is with where
// the vehicle was as of the last commit, and writes a move to the fences' log where they differ by enough. Every partition
// then takes it as it takes an edit. Nothing is remembered: what a crash kept from being written is found to differ by the
// next owner.
//
//	vehicle moves ──> committed ──> far enough, and a second since the last? ──> move in the fences' log ──> every partition
const (
	// leadInterval is the least time between two rounds of moves of a partition.
	leadInterval = time.Second
	// A fence is moved when its vehicle is so far from where it is: a part of the radius, at least so many metres.
	leadPart   = 0.02
	leadMetres = 5
)

// ledMessage says that a round of moves was written, or not.
type ledMessage struct{ err error }

// lead writes the moves that are due. It runs on the lane while nothing is on its way to a track.
func (p *partition) lead() {
	now := p.opts.Now()
	if p.leading || p.stopping != nil || !p.env.Fences.HasFollowers() || now.Sub(p.led) < leadInterval {
		return
	}
	records := p.moves()
	if len(records) == 0 {
		return
	}
	p.leading, p.led = true, now
	host, self := p.host, p.context.Self()
	host.commits.Go(func() {
		_, err := host.opts.Log.Produce(host.ctx, records)
		host.opts.System.Root.Send(self, &ledMessage{err})
	})
}

// moves are those of the fences whose vehicles are elsewhere by now. A track that changed since the last commit waits for it.
func (p *partition) moves() []broker.Record {
	var records []broker.Record
	p.env.Fences.Followers(func(f *fence.Fence, last *fence.Move) {
		next := fence.Move{Vehicle: f.Follows, Partition: p.id}
		e := p.table.byVehicle[f.Follows]
		switch {
		case e == nil && (last == nil || last.Withdrawn || last.Partition != p.id):
			return // somebody else's vehicle, or nobody's
		case e == nil:
			next.Withdrawn = true
		default:
			at, seen := e.track.Position()
			if e.dirty || !seen || last != nil && !last.Withdrawn && geo.Distance(last.At, at) <= max(leadMetres, leadPart*f.RadiusMetres) {
				return
			}
			next.At = at
		}
		record, err := newMove(f.ID, next)
		if err != nil {
			p.log.Error("a fence that follows a vehicle cannot be moved", "fence", f.ID, "err", err)
			return
		}
		records = append(records, record)
	})
	return records
}

func (p *partition) afterLead(m *ledMessage) {
	p.leading = false
	if m.err != nil && p.host.ctx.Err() == nil {
		p.log.Warn("moving fences with their vehicles failed; trying again", "err", m.err)
	}
}
