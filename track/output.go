package track

import (
	"cmp"
	"slices"

	"github.com/trackmesh/trackmesh/fence"
)

// Output collects what tracks put out. One is used for many tracks and inputs: what it holds is valid until Reset.
type Output struct {
	Events    []Event
	Documents []Document

	evidence slab[Evidence]
	fences   slab[FenceRef]
	stops    slab[Stop]
	trips    slab[Trip]
	gaps     slab[Gap]
	ids      []string // of documents' fences
}

// Reset empties the output and keeps its memory.
func (o *Output) Reset() {
	clear(o.Events)
	clear(o.Documents)
	o.Events, o.Documents, o.ids = o.Events[:0], o.Documents[:0], o.ids[:0]
	o.evidence.used, o.fences.used, o.stops.used, o.trips.used, o.gaps.used = 0, 0, 0, 0, 0
}

// Mark is a place in an output to go back to.
type Mark struct{ events, documents int }

// Mark notes how much there is.
func (o *Output) Mark() Mark { return Mark{len(o.Events), len(o.Documents)} }

// Rewind drops what came after the mark.
func (o *Output) Rewind(m Mark) {
	o.Events, o.Documents = o.Events[:m.events], o.Documents[:m.documents]
}

// number puts the events of one record, those since from, in order and gives them their sequence.
func (t *Track) number(out *Output, from int) {
	events := out.Events[from:]
	if len(events) > 1 {
		slices.SortStableFunc(events, func(a, b Event) int {
			return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Type, b.Type), cmp.Compare(fenceID(&a), fenceID(&b)))
		})
	}
	for i := range events {
		t.sequence++
		events[i].Sequence = t.sequence
	}
}

func fenceID(e *Event) string {
	if e.Fence == nil {
		return ""
	}
	return e.Fence.ID
}

// slab hands out values that stay where they are until it is used from the start again.
type slab[T any] struct {
	chunks [][]T
	used   int
}

const slabChunk = 128

func (s *slab[T]) put(v T) *T {
	chunk, at := s.used/slabChunk, s.used%slabChunk
	if chunk == len(s.chunks) {
		s.chunks = append(s.chunks, make([]T, slabChunk))
	}
	s.used++
	p := &s.chunks[chunk][at]
	*p = v
	return p
}

// fixEvent appends an event caused by the step's fix, dated and placed there, with both fixes as evidence.
func (t *Track) fixEvent(kind EventType, s *step, out *Output) *Event {
	out.Events = append(out.Events, Event{
		Type: kind, Cause: CauseFix, Time: s.fix.Time, Vehicle: t.vehicle, Location: s.fix.Position, SourceOffset: s.fix.Offset,
		After: out.evidence.put(Evidence{Time: s.fix.Time, Location: s.fix.Position, Offset: s.fix.Offset}),
	})
	e := &out.Events[len(out.Events)-1]
	if !s.first {
		e.Before = out.evidence.put(t.newest())
	}
	return e
}

// fenceEvent is a fixEvent about a fence.
func (t *Track) fenceEvent(kind EventType, s *step, f *fence.Fence, out *Output) *Event {
	e := t.fixEvent(kind, s, out)
	e.Fence = out.fences.put(FenceRef{ID: f.ID, Name: f.Name, Version: f.Version})
	return e
}

// stillEvent appends an event about a fence that no fix caused: at the newest fix's place, with it as evidence.
func (t *Track) stillEvent(kind EventType, cause Cause, at int64, ref FenceRef, out *Output) {
	out.Events = append(out.Events, Event{
		Type: kind, Cause: cause, Time: at, Vehicle: t.vehicle, Location: t.pos, SourceOffset: -1,
		Before: out.evidence.put(t.newest()), Fence: out.fences.put(ref),
	})
}
