package actors

import (
	"fmt"
	"runtime/debug"

	"github.com/trackmesh/trackmesh/broker"
	"github.com/trackmesh/trackmesh/track"
)

// operation is what a partition does with a track or a record; the label of the counter of panics.
type operation string

const (
	opObserve  operation = "observe"
	opCommand  operation = "command"
	opDecode   operation = "decode"
	opTick     operation = "tick"
	opFences   operation = "fences"
	opSnapshot operation = "snapshot"
	opEncode   operation = "encode"
	opView     operation = "view"
	opPath     operation = "path"
)

// attempt runs an operation on a track that no record caused. A panic costs that operation and nothing else: the track and
// the output are as before, it is logged and counted, and the partition goes on. It reports whether there was none.
func (p *partition) attempt(op operation, e *entry, fn func()) (ok bool) {
	p.remember(e)
	defer func() {
		if r := recover(); r != nil {
			p.restoreTrack(e)
			p.panicked(op, e.vehicle, r)
			ok = false
		}
	}()
	p.seam(op, e.vehicle)
	fn()
	return true
}

// look is attempt for what only reads the track, which therefore need not be kept.
func (p *partition) look(op operation, vehicle string, fn func()) (ok bool) {
	defer func() {
		if r := recover(); r != nil {
			p.panicked(op, vehicle, r)
			ok = false
		}
	}()
	p.seam(op, vehicle)
	fn()
	return true
}

func (p *partition) seam(op operation, vehicle string) {
	if p.opts.BeforeOperation != nil {
		p.opts.BeforeOperation(string(op), vehicle)
	}
}

// remember keeps the track and the length of the output for restoreTrack.
func (p *partition) remember(e *entry) {
	e.track.CopyTo(&p.saved)
	p.before = p.out.Mark()
}

func (p *partition) restoreTrack(e *entry) {
	p.saved.CopyTo(e.track)
	p.out.Rewind(p.before)
}

// panicked tells of a bug that cost one operation.
func (p *partition) panicked(op operation, vehicle string, r any) {
	p.host.metrics.panics.WithLabelValues(string(op)).Inc()
	p.log.Error("track panicked; what it was to do is undone", "operation", string(op), "vehicle", vehicle, "err", fmt.Sprint(r), "stack", stack())
}

// undo is deferred behind remember. After a panic the track and the output are as before, and the record is a dead letter: one
// bad message costs no other vehicle anything.
func (p *partition) undo(op operation, e *entry, rec *broker.Record) {
	r := recover()
	if r == nil {
		return
	}
	p.restoreTrack(e)
	p.host.metrics.panics.WithLabelValues(string(op)).Inc()
	p.log.Error("track panicked; its message became a dead letter", "operation", string(op), "vehicle", e.vehicle, "offset", rec.Offset, "err", fmt.Sprint(r), "stack", stack())
	p.refuse(rec, "internal", fmt.Sprint(r))
}

// unencodable makes a dead letter of the record whose document could not be encoded. The bytes are there when the record is of
// the batch at hand; a fix that waited in the reorder window has its coordinates only.
func (p *partition) unencodable(d *track.Document) {
	rec := &broker.Record{Stream: broker.Input, Partition: p.id, Offset: d.Fix.Offset, Key: []byte(d.Fix.Vehicle)}
	if b := p.current; b != nil && b.stream == broker.Input {
		for i := range b.records {
			if b.records[i].Offset == d.Fix.Offset {
				rec = &b.records[i]
			}
		}
	}
	p.refuse(rec, "internal", "its document could not be encoded; please report this record")
}

// panicError is a panic that escaped from a partition's own code.
type panicError struct {
	value any
	stack string
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v\n%s", e.value, e.stack) }

func stack() string { return string(debug.Stack()) }
