package track

import (
	"bytes"
	"math"
	"slices"

	"github.com/trackmesh/trackmesh/geo"
)

// Track is one vehicle's state. It is not safe for concurrent use; its owner serialises.
//
// A fix on its way through:
//
//	Observe ──> duplicate? late? ──> held in the reorder window ──> jump? ──> apply ──> gap ended, stops, trips, fences
//	               │ counted │ document        (reorder.go)        │ pending           (gaps, stops, fences.go)
//	                                                               └─ (jump.go)
//
// Before a fix is applied the timers that it proves due are fired (clock.go).
type Track struct {
	vehicle string

	// The newest applied fix.
	has        bool
	silent     bool // a gap is open
	forgotten  bool
	stopped    bool
	inTrip     bool
	strayed    bool // the newest fix is the first outside a stop's radius
	time       int64
	pos        geo.Point
	offset     int64
	arrived    int64 // the event clock when the newest fix arrived, less the reorder window
	speed      float32
	heading    float32
	accuracy   float32
	altitude   float32
	attributes []byte

	sequence uint64
	odometer float64

	// Stops and trips: see stops.go.
	candidate candidate
	stop      stop
	trip      trip

	visits  []visit // by id; see fences.go
	pending *held   // an unconfirmed jump
	held    []held  // the reorder window, by time

	own         *overrides
	annotations map[string]string
	path        *path
}

// held is a fix that is not applied yet.
type held struct {
	fix      *Fix // a copy of its own
	arrived  int64
	distance float64 // metres from the newest fix, while it is being applied
}

// New makes a track without a fix.
func New(vehicle string) *Track { return &Track{vehicle: vehicle} }

// Observe takes a fix as it came from the log.
func (t *Track) Observe(env *Env, fix *Fix, out *Output) Outcome {
	t.advance(env, env.ClockBefore, out)
	if t.forgotten {
		*t = Track{vehicle: t.vehicle}
	}
	switch {
	case t.knows(fix):
		return Duplicate
	case t.has && fix.Time <= t.time:
		t.unapplied(env, fix, FlagLate, out)
		return Late
	}
	if env.Settings.ReorderWindow > 0 {
		return t.hold(env, fix, out)
	}
	return t.accept(env, held{fix: fix, arrived: env.EventClock}, out)
}

// knows reports whether the fix repeats the newest, pending or a held one: the same time and place.
func (t *Track) knows(fix *Fix) bool {
	if t.has && t.time == fix.Time && t.pos == fix.Position {
		return true
	}
	same := func(h held) bool { return h.fix.Time == fix.Time && h.fix.Position == fix.Position }
	return (t.pending != nil && same(*t.pending)) || slices.ContainsFunc(t.held, same)
}

// unapplied puts out the document of a fix that changes nothing: a late one or a jump.
func (t *Track) unapplied(env *Env, fix *Fix, flag DocumentFlags, out *Output) {
	out.Documents = append(out.Documents, Document{
		Fix: fix, SpeedMPS: fix.SpeedMPS, HeadingDegrees: fix.HeadingDegrees, Flags: flag,
		DistanceMetres: math.NaN(), OdometerMetres: math.NaN(), Inside: t.insideAnything(env, fix),
	})
}

func (t *Track) insideAnything(env *Env, fix *Fix) bool {
	env.inside = env.Fences.At(fix.Position, env.inside[:0])
	for _, f := range env.inside {
		if f.Open(fix.Time) {
			return true
		}
	}
	return false
}

// apply makes a fix the newest. leap: it is a confirmed jump, whose document went out before.
func (t *Track) apply(env *Env, h held, leap bool, out *Output) {
	fix := h.fix
	t.fire(env, fix.Time, out)
	if t.forgotten {
		*t = Track{vehicle: t.vehicle}
	}
	from := len(out.Events)
	s := t.step(env, h, leap)
	if t.silent {
		t.endGap(env, &s, out)
	}
	t.follow(env, &s, out)
	t.cross(env, &s, out)
	t.become(env, &s, h.arrived)
	t.number(out, from)
	if !leap {
		t.document(&s, out)
	}
}

// become makes the step's fix the newest one.
func (t *Track) become(env *Env, s *step, arrived int64) {
	fix := s.fix
	t.has = true
	t.time, t.pos, t.offset = fix.Time, fix.Position, fix.Offset
	t.arrived = arrived
	t.speed, t.heading = float32(s.speed), float32(s.heading)
	t.accuracy, t.altitude = float32(fix.AccuracyMetres), float32(fix.AltitudeMetres)
	if !bytes.Equal(t.attributes, fix.Attributes) {
		t.attributes = bytes.Clone(fix.Attributes) // the fix lies in a large fetch that must not be kept
	}
	if t.path == nil {
		t.path = &path{}
	}
	t.path.add(t.pathFixes(env), fix, s.speed, s.heading)
}

func (t *Track) document(s *step, out *Output) {
	start := len(out.ids)
	for i := range t.visits {
		if t.visits[i].open {
			out.ids = append(out.ids, t.visits[i].id)
		}
	}
	ids := out.ids[start:len(out.ids):len(out.ids)]
	out.Documents = append(out.Documents, Document{
		Fix: s.fix, SpeedMPS: s.speed, HeadingDegrees: s.heading, DistanceMetres: s.distance, OdometerMetres: t.odometer,
		Status: t.motion(), Fences: ids, Inside: len(ids) > 0,
	})
}

func (t *Track) motion() Status {
	if t.stopped {
		return Stopped
	}
	return Moving
}

// newest is the newest fix as evidence.
func (t *Track) newest() Evidence {
	return Evidence{Time: t.time, Location: t.pos, Offset: t.offset}
}

// Forgotten reports whether the track ended: its owner writes a tombstone and drops it.
func (t *Track) Forgotten() bool { return t.forgotten }

// Position is the place of the newest fix.
func (t *Track) Position() (geo.Point, bool) { return t.pos, t.has }

// CopyTo makes dst the same track, sharing with it nothing that either changes in place, but for the path, which keeps
// points of fixes that were undone. It allocates only where the track has visits, held fixes or a pending jump.
func (t *Track) CopyTo(dst *Track) {
	visits, heldFixes := dst.visits[:0], dst.held[:0]
	*dst = *t
	dst.visits, dst.held = append(visits, t.visits...), append(heldFixes, t.held...)
}
