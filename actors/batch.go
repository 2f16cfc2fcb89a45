package actors

import (
	"fmt"

	"github.com/trackmesh/trackmesh/broker"
	"github.com/trackmesh/trackmesh/track"
)

// Headers that HTTP ingest puts on a record so that a repeated request makes nothing.
const (
	HeaderProducer = "producer"
	HeaderSequence = "sequence"
)

// begin takes the next batch from the inbox and sends each track what it has of it: one message for all its fixes, for a message
// costs more than a fix does.
func (p *partition) begin() {
	b := p.nextStep()
	p.feed.taken(b.bytes)
	p.current = b
	now := p.opts.Now().UnixMilli()
	for i := range b.records {
		rec := &b.records[i]
		switch {
		case b.stream == broker.Commands:
			p.command(rec, now)
		case p.repeated(rec, now):
			p.tally.outcomes["repeated"]++
		default:
			p.observation(rec, now)
		}
	}
	p.sendFixes(now)
	p.mark()
}

// stepRecords is how many records are handled at once: so many that a track mostly has several of them, so few that what is made of
// them stays in the processor's cache, and that a question which comes between need not wait for long.
const stepRecords = 8192

// nextStep cuts what is handled next from the first batch of the inbox.
func (p *partition) nextStep() *batch {
	b := p.inbox[0]
	n := len(b.records)
	if n <= stepRecords {
		p.inbox[0] = nil
		p.inbox = p.inbox[1:]
		return b
	}
	step := *b
	step.records, step.bytes = b.records[:stepRecords], b.bytes*stepRecords/int64(n)
	step.next = step.records[stepRecords-1].Offset + 1
	b.records, b.bytes = b.records[stepRecords:], b.bytes-step.bytes
	return &step
}

// sendFixes sends what observation has gathered.
func (p *partition) sendFixes(now int64) {
	for i, e := range p.batched {
		first := e.first
		e.first, e.last, p.batched[i] = nil, nil, nil
		p.send(e, first, now)
	}
	p.batched = p.batched[:0]
}

// observation decodes an input record and puts the fix behind those that the batch has of its vehicle already.
func (p *partition) observation(rec *broker.Record, now int64) {
	m := p.fixes.next()
	m.record, p.found = rec, nil
	reason, detail := p.decode(rec, now, &m.fix)
	if reason != "" {
		p.refuse(rec, reason, detail)
		return
	}
	if p.tally.oldest == 0 || rec.Timestamp < p.tally.oldest {
		p.tally.oldest = rec.Timestamp
	}
	p.clock.observe(m.fix.Time, now)
	m.clock = p.clock.event
	e := p.vehicle(m.fix.Vehicle)
	if e.misplaced {
		p.tally.misplaced++
	}
	if e.first == nil {
		e.first = m
		p.batched = append(p.batched, e)
	} else {
		e.last.next = m
	}
	e.last = m
}

// vehicle finds the entry of a vehicle, or makes it. Mostly the decoder has asked for it a moment ago.
func (p *partition) vehicle(id string) *entry {
	if e := p.found; e != nil && e.vehicle == id {
		return e
	}
	e := p.table.byVehicle[id]
	if e == nil {
		e = p.table.add(id, track.New(id))
		e.misplaced = p.strange(id)
	}
	return e
}

// strange reports whether a vehicle's records should be in another partition.
func (p *partition) strange(vehicle string) bool {
	return p.host.home != nil && p.host.home(vehicle) != p.id
}

// known is the decoder's way to the string of a vehicle that the partition has already.
func (p *partition) known(vehicle []byte) (string, bool) {
	p.found = p.table.byVehicle[string(vehicle)]
	if p.found == nil {
		return "", false
	}
	return p.found.vehicle, true
}

// decode keeps a record on which the decoder panics from stopping the partition.
func (p *partition) decode(rec *broker.Record, now int64, fix *track.Fix) (reason, detail string) {
	defer func() {
		if r := recover(); r != nil {
			p.host.metrics.panics.WithLabelValues(string(opDecode)).Inc()
			p.log.Error("decoder panicked", "offset", rec.Offset, "err", fmt.Sprint(r), "stack", stack())
			reason, detail = "unparsable", "the decoder failed on it; please report this record"
		}
	}()
	return p.decoder.Decode(rec, now, fix)
}

// repeated reports whether an ingest client has sent the record before.
func (p *partition) repeated(rec *broker.Record, now int64) bool {
	id, ok := rec.Header(HeaderProducer)
	if !ok || len(id) > maxNameBytes {
		return false
	}
	value, _ := rec.Header(HeaderSequence)
	sequence, err := parseUint(value)
	if err != nil {
		return false
	}
	known, seen := p.at.producers[string(id)]
	if seen && sequence <= known.sequence {
		return true
	}
	p.at.producers[string(id)] = producer{sequence: sequence, seenAt: now}
	return false
}

// refuse makes a dead letter of an input record.
func (p *partition) refuse(rec *broker.Record, reason, detail string) {
	p.tally.dead[reason]++
	p.tally.outcomes["dead"]++
	p.pending.dead(rec, p.host.layout, reason, detail)
}

// advance moves the partition's position past a batch whose tracks are done.
func (p *partition) advance(b *batch) {
	if b.stream == broker.Commands {
		p.at.command = b.next
	} else {
		p.at.input, p.at.inputEnd = b.next, b.end
	}
	p.pending.progress = true
	if p.pending.since.IsZero() {
		p.pending.since = p.opts.Now()
	}
	p.fixes.reset()
}

// collect encodes what the tracks put out since the last call; their memory is used again.
func (p *partition) collect() {
	for i := range p.out.Events {
		p.at.events++
		p.tally.events[p.out.Events[i].Type]++
		p.encodeEvent(&p.out.Events[i])
	}
	for i := range p.out.Documents {
		d := &p.out.Documents[i]
		switch {
		case p.opts.History == HistoryOff:
		case p.opts.History == HistoryInFences && !d.Inside:
			p.tally.outcomes["filtered"]++
		default:
			p.encodeDocument(d)
		}
	}
	if len(p.out.Events) > 0 && p.pending.since.IsZero() {
		p.pending.since = p.opts.Now()
	}
	p.out.Reset()
}

// encodeEvent puts an event into the next commit. One that cannot be encoded is lost, loudly: its number is used up.
func (p *partition) encodeEvent(e *track.Event) {
	mark := p.pending.mark()
	if !p.look(opEncode, e.Vehicle, func() { p.pending.event(e, p.host.layout, p.id, p.at.events) }) {
		p.pending.rewind(mark)
	}
}

// encodeDocument puts a document into the next commit, or a dead letter of its record.
func (p *partition) encodeDocument(d *track.Document) {
	mark := p.pending.mark()
	if !p.look(opEncode, d.Fix.Vehicle, func() { p.pending.document(d, p.host.layout, p.id) }) {
		p.pending.rewind(mark)
		p.unencodable(d)
	}
}
