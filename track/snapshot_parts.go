package track

import (
	"cmp"
	"math"
	"slices"

	"github.com/trackmesh/trackmesh/fence"
	"github.com/trackmesh/trackmesh/geo"
)

// moment is a place and a time as several parts have them: fields 1 to 4. It reports whether the field was one of these.
func (s *restoring) moment(r *fields, at *int64, place *geo.Point, offset *int64) bool {
	switch r.tag {
	case 1<<3 | varintType:
		*at = s.track.time - r.signed() // times are relative to the newest fix's
	case 2<<3 | fixed64Type:
		place.Lon = r.double()
	case 3<<3 | fixed64Type:
		place.Lat = r.double()
	case 4<<3 | varintType:
		*offset = int64(r.number)
	default:
		return false
	}
	return true
}

// motion reads the stop or its candidate, and the trip.
func (s *restoring) motion() {
	t := s.track
	if t.stopped {
		s.readStop(&t.halt)
	} else {
		s.readCandidate(&t.halt)
	}
	r, none := s.trip, int64(0)
	t.trip.start = t.time
	for r.next() {
		switch {
		case s.moment(&r, &t.trip.start, &t.trip.from, &none):
		case r.tag == 4<<3|fixed64Type:
			t.trip.metres = r.double()
		case r.tag == 5<<3|fixed64Type:
			t.trip.maxSpeed = float32(r.double())
		}
	}
	s.bad = s.bad || r.bad
}

func (s *restoring) readCandidate(h *halt) {
	r := s.candidate
	h.since = s.track.time
	for r.next() {
		if s.moment(&r, &h.since, &h.first, &h.offset) {
			continue
		}
		switch r.tag {
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
	r, none := s.stop, int64(0)
	h.since, h.fixes = s.track.time, 1
	for r.next() {
		switch r.tag {
		case 4<<3 | bytesType:
			h.inside = s.evidence(r.within())
		case 6<<3 | fixed64Type:
			h.leg = r.double()
		default:
			s.moment(&r, &h.since, &h.first, &none)
		}
	}
	s.bad = s.bad || r.bad
}

func (s *restoring) evidence(r fields) (e Evidence) {
	e.Time = s.track.time
	for r.next() {
		s.moment(&r, &e.Time, &e.Location, &e.Offset)
	}
	s.bad = s.bad || r.bad
	return e
}

// cut is a piece of text that outlives the snapshot's bytes.
func (s *restoring) cut(r *fields) string {
	if s.texts == "" {
		s.texts = string(r.buf)
	}
	return s.texts[r.from:r.to]
}

// visit reads one.
func (s *restoring) visit(r fields) {
	t := s.track
	if t.visits == nil {
		t.visits = make([]visit, 0, 2)
	}
	t.visits = append(t.visits, visit{emits: fence.MaskAll})
	v := &t.visits[len(t.visits)-1]
	for r.next() {
		switch r.tag {
		case 1<<3 | bytesType:
			v.id = s.cut(&r)
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
			v.name = s.cut(&r)
		case 9<<3 | varintType:
			v.emits = fence.MaskAll &^ fence.Mask(r.number)
		}
	}
	s.bad = s.bad || r.bad
}

// sortVisits puts them in the order of their ids, in which they should be already.
func (s *restoring) sortVisits() {
	byID := func(a, b visit) int { return cmp.Compare(a.id, b.id) }
	visits := s.track.visits
	sorted := true
	for i := 1; i < len(visits) && sorted; i++ {
		sorted = visits[i-1].id < visits[i].id
	}
	if !sorted {
		slices.SortStableFunc(visits, byID)
		s.track.visits = slices.CompactFunc(visits, func(a, b visit) bool { return a.id == b.id })
	}
}

func (s *restoring) held(r fields) held {
	f, arrived := &Fix{Vehicle: s.track.vehicle}, int64(0)
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
func (s *restoring) pair(r fields) (key, value string) {
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
