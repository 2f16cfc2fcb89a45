package track

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/trackmesh/trackmesh/fence"
	trackmeshv1 "github.com/trackmesh/trackmesh/messages/trackmesh/v1"
)

// A snapshot is a trackmesh.v1.Snapshot in protobuf. Every track that a commit touched is written, and all are read when a
// partition moves, so it is written from the track and read into it without a message between: five times as fast as the
// generated code, against which the tests hold it.

// snapshotVersion is the version of what AppendSnapshot writes. Any other is refused.
const snapshotVersion = 2

const (
	flagHas = 1 << iota
	flagSilent
	flagStopped
	flagInTrip
	flagStrayed
)

// AppendSnapshot appends the track's snapshot to dst: everything that later outputs depend on.
func (t *Track) AppendSnapshot(dst []byte) []byte {
	w := wire{buf: dst}
	w.number(1<<3|varintType, snapshotVersion)
	if t.has {
		t.writeNewest(&w)
	}
	w.number(12<<3|varintType, t.sequence)
	w.number(14<<3|varintType, t.flags())
	if t.has {
		t.writeMotion(&w)
	}
	for i := range t.visits {
		t.visits[i].write(&w)
	}
	if t.rare != nil {
		t.writeRare(&w)
	}
	return w.buf
}

func (t *Track) flags() (flags uint64) {
	for i, set := range [...]bool{t.has, t.silent, t.stopped, t.inTrip, t.strayed} {
		if set {
			flags |= 1 << i
		}
	}
	return flags
}

func (t *Track) writeNewest(w *wire) {
	w.fixed64(2<<3|fixed64Type, uint64(t.time))
	w.double(3<<3|fixed64Type, t.pos.Lon)
	w.double(4<<3|fixed64Type, t.pos.Lat)
	w.number(5<<3|varintType, uint64(t.offset))
	w.signed(6<<3|varintType, t.arrived-t.time)
	w.known(7<<3|fixed32Type, t.speed)
	w.known(8<<3|fixed32Type, t.heading)
	w.known(9<<3|fixed32Type, t.accuracy)
	w.known(10<<3|fixed32Type, t.altitude)
	w.bytes(11<<3|bytesType, t.attributes)
	if t.odometer != 0 {
		w.double(13<<3|fixed64Type, t.odometer)
	}
	if t.silent {
		w.signed(23<<3|varintType, t.gapStarted-t.time)
	}
}

func (t *Track) writeMotion(w *wire) {
	h := &t.halt
	if t.stopped {
		start := w.begin(16<<3 | bytesType)
		place := h.place()
		w.signed(1<<3|varintType, t.time-h.since)
		w.double(2<<3|fixed64Type, place.Lon)
		w.double(3<<3|fixed64Type, place.Lat)
		if t.strayed {
			inside := w.begin(4<<3 | bytesType)
			w.signed(1<<3|varintType, t.time-h.inside.Time)
			w.double(2<<3|fixed64Type, h.inside.Location.Lon)
			w.double(3<<3|fixed64Type, h.inside.Location.Lat)
			w.number(4<<3|varintType, uint64(h.inside.Offset))
			w.end(inside)
			w.double(6<<3|fixed64Type, h.leg)
		}
		w.end(start)
	} else {
		start := w.begin(15<<3 | bytesType)
		w.signed(1<<3|varintType, t.time-h.since)
		w.double(2<<3|fixed64Type, h.first.Lon)
		w.double(3<<3|fixed64Type, h.first.Lat)
		w.number(4<<3|varintType, uint64(h.offset))
		w.number(5<<3|varintType, uint64(h.fixes))
		w.some(6<<3|fixed64Type, h.sumLon)
		w.some(7<<3|fixed64Type, h.sumLat)
		w.some(8<<3|fixed64Type, h.metres)
		w.some(9<<3|fixed64Type, float64(h.maxSpeed))
		w.end(start)
	}
	if t.inTrip {
		start := w.begin(17<<3 | bytesType)
		w.signed(1<<3|varintType, t.time-t.trip.start)
		w.double(2<<3|fixed64Type, t.trip.from.Lon)
		w.double(3<<3|fixed64Type, t.trip.from.Lat)
		w.some(4<<3|fixed64Type, t.trip.metres)
		w.some(5<<3|fixed64Type, float64(t.trip.maxSpeed))
		w.end(start)
	}
}

// maxKeptName bounds the fence's name in a snapshot, in bytes. It is only needed when the fence is gone by the next start.
const maxKeptName = 64

func (v *visit) write(w *wire) {
	start := w.begin(18<<3 | bytesType)
	w.text(1<<3|bytesType, v.id)
	w.number(2<<3|varintType, uint64(v.version))
	w.number(3<<3|varintType, uint64(v.entered))
	w.number(4<<3|varintType, uint64(v.dwellDue))
	w.number(5<<3|varintType, uint64(v.changes))
	w.flag(6<<3|varintType, v.open)
	w.flag(7<<3|varintType, v.dwelt)
	w.text(8<<3|bytesType, cut(v.ref().Name, maxKeptName))
	w.number(9<<3|varintType, uint64(fence.MaskAll&^v.emits))
	w.end(start)
}

// cut shortens a text to at most so many bytes of whole characters.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && s[most]&0xC0 == 0x80 { // within a character
		most--
	}
	return s[:most]
}

func (t *Track) writeRare(w *wire) {
	r := t.rare
	if r.jump.fix != nil {
		r.jump.write(w, 19<<3|bytesType)
	}
	for i := range r.held {
		r.held[i].write(w, 20<<3|bytesType)
	}
	if r.own != (overrides{}) {
		start := w.begin(21<<3 | bytesType)
		w.some(1<<3|fixed64Type, r.own.stopRadiusMetres)
		w.number(2<<3|varintType, uint64(r.own.stopAfter))
		w.number(3<<3|varintType, uint64(r.own.gapAfter))
		w.some(4<<3|fixed64Type, r.own.jumpSpeedMPS)
		w.number(5<<3|varintType, uint64(r.own.pathFixes))
		w.end(start)
	}
	for _, key := range slices.Sorted(maps.Keys(r.annotations)) {
		start := w.begin(22<<3 | bytesType)
		w.text(1<<3|bytesType, key)
		w.text(2<<3|bytesType, r.annotations[key])
		w.end(start)
	}
}

func (h *held) write(w *wire, tag uint64) {
	start, f := w.begin(tag), h.fix
	w.number(1<<3|varintType, uint64(f.Time))
	w.double(2<<3|fixed64Type, f.Position.Lon)
	w.double(3<<3|fixed64Type, f.Position.Lat)
	w.double(4<<3|fixed64Type, f.SpeedMPS)
	w.double(5<<3|fixed64Type, f.HeadingDegrees)
	w.double(6<<3|fixed64Type, f.AccuracyMetres)
	w.double(7<<3|fixed64Type, f.AltitudeMetres)
	w.bytes(8<<3|bytesType, f.Attributes)
	w.number(9<<3|varintType, uint64(f.Offset))
	w.number(10<<3|varintType, uint64(f.RecordTime))
	w.number(11<<3|varintType, uint64(h.arrived))
	w.end(start)
}

// ErrSnapshot says that the bytes are no snapshot of a track that this program can read.
var ErrSnapshot = errors.New("not a snapshot of a track")

// Restore makes the track that a snapshot was taken of. Its path starts anew. It keeps nothing of the bytes.
func Restore(vehicle string, snapshot []byte) (*Track, error) {
	absent := float32(math.NaN())
	t := &Track{vehicle: vehicle, speed: absent, heading: absent, accuracy: absent, altitude: absent}
	s := restoring{track: t}
	r := readFields(snapshot)
	for r.next() {
		s.field(&r)
	}
	if r.bad || s.bad {
		return nil, fmt.Errorf("%w: it is damaged", ErrSnapshot)
	}
	if s.version != snapshotVersion {
		return nil, fmt.Errorf("%w that this program knows: version %d, it knows %d", ErrSnapshot, s.version, snapshotVersion)
	}
	s.finish()
	return t, nil
}

// restoring is a track on its way out of a snapshot.
type restoring struct {
	track                   *Track
	version                 uint64
	flags                   uint64
	afterTime, gapAfterTime int64
	candidate, stop, trip   fields
	texts                   string // the snapshot, once a visit's texts are cut out of it: one piece of memory for all
	bad                     bool
}

func (s *restoring) field(r *fields) {
	t := s.track
	switch r.tag {
	case 1<<3 | varintType:
		s.version = r.number
	case 2<<3 | fixed64Type:
		t.time = int64(r.number)
	case 3<<3 | fixed64Type:
		t.pos.Lon = r.double()
	case 4<<3 | fixed64Type:
		t.pos.Lat = r.double()
	case 5<<3 | varintType:
		t.offset = int64(r.number)
	case 6<<3 | varintType:
		s.afterTime = r.signed()
	case 7<<3 | fixed32Type:
		t.speed = r.float()
	case 8<<3 | fixed32Type:
		t.heading = r.float()
	case 9<<3 | fixed32Type:
		t.accuracy = r.float()
	case 10<<3 | fixed32Type:
		t.altitude = r.float()
	case 11<<3 | bytesType:
		t.attributes = slices.Clone(r.data())
	case 12<<3 | varintType:
		t.sequence = r.number
	case 13<<3 | fixed64Type:
		t.odometer = r.double()
	case 14<<3 | varintType:
		s.flags = r.number
	case 15<<3 | bytesType:
		s.candidate = r.within()
	case 16<<3 | bytesType:
		s.stop = r.within()
	case 17<<3 | bytesType:
		s.trip = r.within()
	case 18<<3 | bytesType:
		s.visit(r.within())
	case 23<<3 | varintType:
		s.gapAfterTime = r.signed()
	default:
		s.rare(r)
	}
}

func (s *restoring) rare(r *fields) {
	t := s.track
	switch r.tag {
	case 19<<3 | bytesType:
		t.few().jump = s.held(r.within())
	case 20<<3 | bytesType:
		few, h := t.few(), s.held(r.within())
		few.held = append(few.held, h)
		few.heldBytes += h.size()
	case 21<<3 | bytesType:
		var c trackmeshv1.Configure
		s.bad = s.bad || c.UnmarshalVT(r.data()) != nil
		t.configure(&c)
	case 22<<3 | bytesType:
		few := t.few()
		if few.annotations == nil {
			few.annotations = map[string]string{}
		}
		key, value := s.pair(r.within())
		few.annotations[key] = value
	}
}

// finish does what needs more than one field.
func (s *restoring) finish() {
	t := s.track
	t.has, t.silent, t.stopped = s.flags&flagHas != 0, s.flags&flagSilent != 0, s.flags&flagStopped != 0
	t.inTrip, t.strayed = s.flags&flagInTrip != 0, s.flags&flagStrayed != 0
	t.arrived = t.time + s.afterTime
	t.gapStarted = t.time + s.gapAfterTime
	s.motion()
	s.sortVisits()
}
