package actors

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/trackmesh/trackmesh/broker"
	trackmeshv1 "github.com/trackmesh/trackmesh/messages/trackmesh/v1"
)

// producersKept is how long the sequence of an ingest client is remembered after its last record.
const producersKept = 24 * time.Hour

// maxProducers is how many ingest clients a partition remembers, those that were seen last: the checkpoint that names them must stay
// well under what the log takes as a record.
const maxProducers = 1000

// maxNameBytes is how long the name of an ingest client and an idempotency key may be; the API takes no longer ones.
const maxNameBytes = 128

// snapshotBytes is about what a track's snapshot takes in a commit, its record included.
const snapshotBytes = 300

// shouldCommit reports whether something waits and is old or large enough.
func (p *partition) shouldCommit() bool {
	if !p.somethingPending() {
		return false
	}
	return p.stopping != nil || p.pending.bytes()+snapshotBytes*len(p.table.dirty) >= p.opts.MaxPendingBytes ||
		p.opts.Now().Sub(p.pending.since) >= p.host.commitInterval()
}

func (p *partition) somethingPending() bool {
	return p.pending.progress || len(p.pending.records) > 0 || len(p.table.dirty) > 0
}

// commit writes everything that the partition made since its last commit, the snapshots of the tracks that it changed, and
// its checkpoint, as one transaction. It runs off the lane, which answers queries but takes no input meanwhile.
func (p *partition) commit() {
	p.phase = committing
	now := p.opts.Now()
	for _, e := range p.table.dirty {
		p.snapshot(e)
	}
	p.table.dirty = p.table.dirty[:0]
	p.forgetKeys(now)
	p.checkpoint(now)
	records, claim, host, self := p.pending.records, p.claim, p.host, p.context.Self()
	host.commits.Go(func() {
		started := time.Now()
		err := commitSafely(host.ctx, claim, records)
		host.opts.System.Root.Send(self, &committed{err: err, took: time.Since(started)})
	})
}

// commitSafely makes a panic in the log's client a failed commit, after which the claim is never used again.
func commitSafely(ctx context.Context, claim broker.Claim, records []broker.Record) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &panicError{value: r, stack: stack()}
		}
	}()
	return claim.Commit(ctx, records)
}

// snapshot appends the track's state, or a tombstone when it was forgotten.
func (p *partition) snapshot(e *entry) {
	e.dirty = false
	if e.track.Forgotten() {
		p.pending.add(broker.State, p.id, p.pending.text(e.vehicle), nil, 0)
		p.forget(e)
		return
	}
	start := len(p.pending.buf)
	if !p.look(opSnapshot, e.vehicle, func() { p.pending.buf = e.track.AppendSnapshot(p.pending.buf) }) {
		p.pending.buf = p.pending.buf[:start] // the one before it stands until the track has another message
		return
	}
	value := p.pending.take(start)
	p.pending.add(broker.State, p.id, p.pending.text(e.vehicle), value, 0)
}

func (p *partition) checkpoint(now time.Time) {
	cp := &trackmeshv1.Checkpoint{
		Version:      stateVersion,
		Term:         p.claim.Term(),
		InputTopicId: p.host.layout.InputID,
		InputOffset:  p.at.input, CommandOffset: p.at.command,
		FenceVersion: p.env.Fences.Version(), FencesTopicId: p.host.layout.FencesID,
		EventClockMs: p.clock.base, WallClockMs: p.clock.wall,
		EventCounter: p.at.events,
	}
	if p.clock.event > p.clock.base { // the quiet clock fired something: go on from there
		cp.EventClockMs, cp.WallClockMs = p.clock.event, now.UnixMilli()
	}
	p.forgetProducers(now.Add(-producersKept).UnixMilli())
	for id, pr := range p.at.producers {
		cp.Producers = append(cp.Producers, &trackmeshv1.Producer{Id: id, Sequence: pr.sequence, SeenMs: pr.seenAt})
	}
	start := len(p.pending.buf)
	size := cp.SizeVT()
	p.pending.buf = append(p.pending.buf, make([]byte, size)...)
	if _, err := cp.MarshalToSizedBufferVT(p.pending.buf[start:]); err != nil {
		panic(err) // the buffer has the size that it asked for
	}
	value := p.pending.take(start)
	p.pending.add(broker.State, p.id, p.pending.text(broker.CheckpointKey), value, 0)
}

// forgetProducers lets those go that were not seen since oldest, and the longest unseen where there are too many.
func (p *partition) forgetProducers(oldest int64) {
	maps.DeleteFunc(p.at.producers, func(_ string, pr producer) bool { return pr.seenAt < oldest })
	over := len(p.at.producers) - maxProducers
	if over <= 0 {
		return
	}
	ids := slices.Collect(maps.Keys(p.at.producers))
	slices.SortFunc(ids, func(a, b string) int {
		x, y := p.at.producers[a], p.at.producers[b]
		return cmp.Or(cmp.Compare(x.seenAt, y.seenAt), strings.Compare(a, b))
	})
	for _, id := range ids[:over] {
		delete(p.at.producers, id)
	}
}

// afterCommit goes on, or stops the partition when its claim is lost.
func (p *partition) afterCommit(m *committed) {
	if m.err != nil {
		p.fail(m.err)
		return
	}
	now := p.opts.Now()
	p.host.metrics.commits.Observe(m.took.Seconds())
	p.tally.flush(p.host.metrics, now.UnixMilli())
	p.pending.reset()
	p.committed = p.at.input
	p.resolve()
	p.report(now)
	p.phase = free
	p.lead()
	p.goOn()
}

// resumePosition takes over where the last commit left off.
func (p *partition) resumePosition(r *restored) {
	cp := r.checkpoint
	p.at = position{
		input: cp.GetInputOffset(), command: cp.GetCommandOffset(), events: cp.GetEventCounter(), producers: map[string]producer{},
	}
	for _, pr := range cp.GetProducers() {
		p.at.producers[pr.GetId()] = producer{sequence: pr.GetSequence(), seenAt: pr.GetSeenMs()}
	}
	p.clock = clock{event: cp.GetEventClockMs(), base: cp.GetEventClockMs(), wall: cp.GetWallClockMs()}
	p.committed, p.keys = p.at.input, newKeyring(r.keys)
}
