package track

import (
	"cmp"
	"math"
	"slices"

	"github.com/trackmesh/trackmesh/fence"
)

// motion reads the stop or its candidate, and the trip, whose times are relative to the newest fix's.
func (s *restoring) motion() {
	t := s.track
	if t.stopped {
		s.readStop(&t.halt)
	} else {
		s.readCandidate(&t.halt)
	}
	r := fields{buf: s.trip}
	t.trip.start = t.time
	for r.next() {
		switch r.tag {
		case 1<<3 | varintType:
			t.trip.start = t.time - r.signed()
		case 2<<3 | fixed64Type:
			t.trip.from.Lon = r.double()
		case 3<<3 | fixed64Type:
			t.trip.from.Lat = r.double()
		case 4<<3 | fixed64Type:
			t.trip.metres = r.double()
		case 5<<3 | fixed64Type:
			t.trip.maxSpeed = float32(r.double())
		}
	}
	s.bad = s.bad || r.bad
}

func (s *restoring) readCandidate(h *halt) {
	r := fields{buf: s.candidate}
	h.since = s.track.time
	for r.next() {
		switch r.tag {
		case 1<<3 | varintType:
			h.since = s.track.time - r.signed()
		case 2<<3 | fixed64Type:
			h.first.Lon = r.double()
		case 3<<3 | fixed64Type:
			h.first.Lat = r.double()
		case 4<<3 | varintType:
			h.offset = int64(r.number)
		case 5<<3 | varintType:
			h.fixes = int32(min(r.number, math.MaxInt32))
		case 6<<3 | fixed64Type:
			h.sumLon = r.double()
		case 7<<3 | fixed64Type:
			h.sumLat = r.double()
		case 8<<3 | fixed64Type:
			h.metres = r.double()
		case 9<<3 | fixed64Type:
			h.maxSpeed = float32(r.double())
		}
	}
	s.bad = s.bad || r.bad
}

// readStop reads the mean place as the only fix.
func (s *restoring) readStop(h *halt) {
	r := fields{buf: s.stop}
	h.since, h.fixes = s.track.time, 1
	for r.next() {
		switch r.tag {
		case 1<<3 | varintType:
			h.since = s.track.time - r.signed()
		case 2<<3 | fixed64Type:
			h.first.Lon = r.double()
		case 3<<3 | fixed64Type:
			h.first.Lat = r.double()
		case 4<<3 | bytesType:
			h.inside = s.evidence(r.data())
		case 6<<3 | fixed64Type:
			h.leg = r.double()
		}
	}
	s.bad = s.bad || r.bad
}

func (s *restoring) evidence(data []byte) (e Evidence) {
	r := fields{buf: data}
	e.Time = s.track.time
	for r.next() {
		switch r.tag {
		case 1<<3 | varintType:
			e.Time = s.track.time - r.signed()
		case 2<<3 | fixed64Type:
			e.Location.Lon = r.double()
		case 3<<3 | fixed64Type:
			e.Location.Lat = r.double()
		case 4<<3 | varintType:
			e.Offset = int64(r.number)
		}
	}
	s.bad = s.bad || r.bad
	return e
}

// visit reads one and puts it in its place by id.
func (s *restoring) visit(data []byte) {
	r, v := fields{buf: data}, visit{emits: fence.MaskAll}
	var id, name []byte
	for r.next() {
		switch r.tag {
		case 1<<3 | bytesType:
			id = r.data()
		case 2<<3 | varintType:
			v.version = int64(r.number)
		case 3<<3 | varintType:
			v.entered = int64(r.number)
		case 4<<3 | varintType:
			v.dwellDue = int64(r.number)
		case 5<<3 | varintType:
			v.changes = int64(r.number)
		case 6<<3 | varintType:
			v.open = r.number != 0
		case 7<<3 | varintType:
			v.dwelt = r.number != 0
		case 8<<3 | bytesType:
			name = r.data()
		case 9<<3 | varintType:
			v.emits = fence.MaskAll &^ fence.Mask(r.number)
		}
	}
	s.bad = s.bad || r.bad
	var space [fence.MaxIDBytes + maxKeptName]byte
	texts := string(append(append(space[:0], id...), name...)) // one piece of memory for both
	v.id, v.name = texts[:len(id)], texts[len(id):]
	t := s.track
	if t.visits == nil {
		t.visits = make([]visit, 0, 2)
	}
	if n := len(t.visits); n == 0 || cmp.Less(t.visits[n-1].id, v.id) {
		t.visits = append(t.visits, v)
		return
	}
	if at, there := t.findVisit(v.id); !there {
		t.visits = slices.Insert(t.visits, at, v)
	}
}

func (s *restoring) held(data []byte) held {
	r, f, arrived := fields{buf: data}, &Fix{Vehicle: s.track.vehicle}, int64(0)
	for r.next() {
		switch r.tag {
		case 1<<3 | varintType:
			f.Time = int64(r.number)
		case 2<<3 | fixed64Type:
			f.Position.Lon = r.double()
		case 3<<3 | fixed64Type:
			f.Position.Lat = r.double()
		case 4<<3 | fixed64Type:
			f.SpeedMPS = r.double()
		case 5<<3 | fixed64Type:
			f.HeadingDegrees = r.double()
		case 6<<3 | fixed64Type:
			f.AccuracyMetres = r.double()
		case 7<<3 | fixed64Type:
			f.AltitudeMetres = r.double()
		case 8<<3 | bytesType:
			f.Attributes = slices.Clone(r.data())
		case 9<<3 | varintType:
			f.Offset = int64(r.number)
		case 10<<3 | varintType:
			f.RecordTime = int64(r.number)
		case 11<<3 | varintType:
			arrived = int64(r.number)
		}
	}
	s.bad = s.bad || r.bad
	return held{fix: f, arrived: arrived}
}

// pair reads an entry of a map of strings.
func (s *restoring) pair(data []byte) (key, value string) {
	r := fields{buf: data}
	for r.next() {
		switch r.tag {
		case 1<<3 | bytesType:
			key = string(r.data())
		case 2<<3 | bytesType:
			value = string(r.data())
		}
	}
	s.bad = s.bad || r.bad
	return key, value
}
