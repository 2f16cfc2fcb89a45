package sinks

import (
	"time"

	"github.com/trackmesh/trackmesh/broker"
)

// batch is what one Write takes, with the cursors that follow from it.
type batch struct {
	documents []Document
	refused   []Rejection // records that are no documents
	bytes     int
	since     time.Time      // when the first record came
	next      map[lane]int64 // where each of its lanes goes on once everything up to this batch is acknowledged
	reset     bool           // the cursors are set, not moved, and before any later batch
	done      bool
	gaveUp    bool // the pump stops; it will be read again at the next start
}

const documentOverhead = 128 // bytes: the action line of a bulk request, or the struct

func (b *batch) empty() bool { return len(b.next) == 0 }

func (b *batch) add(l lane, rec *broker.Record) {
	b.moved(l, rec.Offset+1)
	kind := Position
	if l.stream == broker.Events {
		kind = Event
	}
	d := Document{Kind: kind, Partition: rec.Partition, Offset: rec.Offset, Timestamp: rec.Timestamp, Body: rec.Value}
	id, ok := rec.Header(HeaderID)
	if !ok || len(id) == 0 || len(rec.Value) == 0 {
		b.refused = append(b.refused, Rejection{Document: d, Detail: "the record has no id header or no body: it was not written by trackmesh"})
		return
	}
	d.ID = string(id)
	b.documents = append(b.documents, d)
	b.bytes += len(rec.Value) + documentOverhead
}

func (b *batch) moved(l lane, next int64) {
	if b.next == nil {
		b.next, b.since = map[lane]int64{}, time.Now()
	}
	b.next[l] = next
}

// take puts what was read into batches.
func (p *Pump) take(f *broker.Fetch, l lane, state *laneState) {
	for i := range f.Records {
		if p.full(p.filling) {
			p.cut()
		}
		p.filling.add(l, &f.Records[i])
	}
	if f.Next > state.read {
		p.filling.moved(l, f.Next)
		state.read = f.Next
	}
	state.end = f.End
	p.show(l, state)
}

func (p *Pump) full(b *batch) bool {
	return b.bytes >= p.opts.MaxBatchBytes || len(b.documents) >= p.opts.MaxBatchDocuments || len(b.refused) >= p.opts.MaxBatchDocuments
}

// cut ends the batch that is being filled.
func (p *Pump) cut() {
	if !p.filling.empty() {
		p.queue = append(p.queue, p.filling)
		p.filling = &batch{}
	}
}

// dispatch starts the writing of batches that are full, old enough, or the last.
func (p *Pump) dispatch() {
	if p.draining {
		return
	}
	if !p.filling.empty() && (p.full(p.filling) || time.Since(p.filling.since) >= p.opts.MaxBatchAge) && len(p.queue) < p.opts.Concurrency {
		p.cut()
	}
	for _, b := range p.queue[p.underWay:] {
		if p.running() >= p.opts.Concurrency {
			return
		}
		p.underWay++
		p.work.Go(func() {
			delivered := p.deliver(b)
			p.post(func() {
				b.done, b.gaveUp = delivered, !delivered
				p.acknowledge()
			})
		})
	}
}

// running is how many batches are being written.
func (p *Pump) running() (n int) {
	for _, b := range p.queue[:p.underWay] {
		if !b.done && !b.gaveUp {
			n++
		}
	}
	return n
}

// acknowledge moves the cursors past the batches at the head of the queue that are done.
func (p *Pump) acknowledge() {
	for p.underWay > 0 && p.queue[0].done {
		b := p.queue[0]
		p.queue[0] = nil
		p.queue, p.underWay = p.queue[1:], p.underWay-1
		for l, next := range b.next {
			state := p.lanes[l]
			if state == nil || !state.open {
				continue // removed meanwhile; the next owner repeats it
			}
			state.acked = next
			if b.reset {
				state.stored = next
			}
			p.show(l, state)
			p.finishLeaving(l, state)
		}
	}
}
