package track

import (
	"bytes"
	"math"

	"github.com/trackmesh/trackmesh/fence"
	"github.com/trackmesh/trackmesh/geo"
)

// Track is one vehicle's state. It is not safe for concurrent use; its owner serialises.
//
// A fix on its way through:
//
//	Observe ──> timers ──> duplicate? late? ──> held in the reorder window ──> jump? ──> apply ──> gap ended, stops, trips, fences
//	                           │ counted │ document      (reorder.go)           │ pending          (gaps, stops, trips, visits.go)
//	                                                                            └─ (jump.go)
//
// Before a fix is applied the timers that it proves due are fired (clock.go).
//
// A million of them are alive at once, so what few tracks have lies behind a pointer (rare).
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
	at         geo.Vector // of pos; unknown after a restore
	offset     int64
	arrived    int64 // the event clock when the newest fix arrived, less the reorder window
	speed      float32
	heading    float32
	accuracy   float32
	altitude   float32
	attributes []byte

	sequence uint64
	odometer float64

	gapStarted int64 // while silent: when the gap_started event was dated
	halt       halt
	trip       trip
	visits     []visit    // by id
	zone       fence.Zone // while the track is in here, it is in no other fences than those that it visits
	tried      uint8      // how often in a row no zone was found
	skip       uint8      // how many steps to go until the next one is looked for
	path       *path
	rare       *rare
}

// rare is what few tracks have.
type rare struct {
	jump        held   // not confirmed yet; without a fix: none
	held        []held // the reorder window, by time
	heldBytes   int
	own         overrides
	annotations map[string]string
}

// held is a fix that is not applied yet.
type held struct {
	fix     *Fix // a copy of its own
	arrived int64
}

// New makes a track without a fix.
func New(vehicle string) *Track { return &Track{vehicle: vehicle} }

// few is the track's rare part, which it makes.
func (t *Track) few() *rare {
	if t.rare == nil {
		t.rare = &rare{}
	}
	return t.rare
}

// Observe takes a fix as it came from the log. What the fix's arrival shows on the event clock is due before it.
func (t *Track) Observe(env *Env, fix *Fix, out *Output) Outcome {
	t.advance(env, env.EventClock, out)
	t.rise()
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
	return t.accept(env, fix, env.EventClock, out)
}

// knows reports whether the fix repeats the newest, pending or a held one: the same time and place.
func (t *Track) knows(fix *Fix) bool {
	if t.has && t.time == fix.Time && t.pos == fix.Position {
		return true
	}
	if t.rare == nil {
		return false
	}
	if t.rare.jump.is(fix) {
		return true
	}
	for i := range t.rare.held {
		if t.rare.held[i].is(fix) {
			return true
		}
	}
	return false
}

func (h *held) is(fix *Fix) bool {
	return h.fix != nil && h.fix.Time == fix.Time && h.fix.Position == fix.Position
}

// unapplied puts out the document of a fix that changes nothing: a late one or a jump.
func (t *Track) unapplied(env *Env, fix *Fix, flag DocumentFlags, out *Output) {
	out.Documents = append(out.Documents, Document{
		Fix: fix, SpeedMPS: fix.SpeedMPS, HeadingDegrees: fix.HeadingDegrees, Flags: flag,
		DistanceMetres: math.NaN(), OdometerMetres: math.NaN(), Inside: insideAnything(env, fix),
	})
}

func insideAnything(env *Env, fix *Fix) bool {
	env.inside = env.Fences.At(fix.Position, env.inside[:0])
	for _, f := range env.inside {
		if f.Open(fix.Time) && f.Follows != fix.Vehicle {
			return true
		}
	}
	return false
}

// apply makes a fix the newest, after what it proves due.
func (t *Track) apply(env *Env, s *step, arrived int64, out *Output) {
	t.fire(env, s.fix.Time, out)
	if t.rise() {
		leap := s.leap
		*s = firstStep(s.fix)
		s.leap = leap
	}
	from := len(out.Events)
	if t.silent {
		t.endGap(s, out)
	}
	t.follow(env, s, out)
	t.pass(env, s, out)
	t.become(env, s, arrived)
	t.number(out, from)
	if !s.leap {
		t.document(s, out)
	}
}

// become makes the step's fix the newest one.
func (t *Track) become(env *Env, s *step, arrived int64) {
	fix := s.fix
	if !s.leap { // jumps are left out of paths, here as in history
		t.remember(env, s)
	}
	t.has = true
	t.time, t.pos, t.at, t.offset, t.arrived = fix.Time, fix.Position, s.at(), fix.Offset, arrived
	t.speed, t.heading = float32(s.speed), float32(s.heading)
	t.accuracy, t.altitude = float32(fix.AccuracyMetres), float32(fix.AltitudeMetres)
	t.keepAttributes(fix.Attributes)
}

// maxKeptAttributes bounds what a track keeps of its newest fix's attributes, in bytes; larger ones are in the document alone.
const maxKeptAttributes = 32 << 10

func (t *Track) keepAttributes(attributes []byte) {
	if len(attributes) > maxKeptAttributes {
		attributes = nil
	}
	if !bytes.Equal(t.attributes, attributes) {
		t.attributes = bytes.Clone(attributes) // the fix lies in a large fetch that must not be kept
	}
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
		Fix: s.fix, SpeedMPS: s.speed, HeadingDegrees: s.heading, DistanceMetres: s.leg.Metres, OdometerMetres: t.odometer,
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

// Position is the place of the newest fix; ok is false when there is none, which is no track to show yet.
func (t *Track) Position() (at geo.Point, ok bool) { return t.pos, t.has }

// CopyTo makes dst the same track, sharing with it nothing that either changes in place, but for the path, which keeps
// points of fixes that were undone. It allocates only where the track has visits, held fixes or a pending jump, and uses
// again what dst had for those.
func (t *Track) CopyTo(dst *Track) {
	visits, few := dst.visits[:0], dst.rare
	*dst = *t
	dst.visits = append(visits, t.visits...)
	if t.rare == nil {
		return
	}
	if few == nil {
		few = &rare{}
	}
	waiting := few.held[:0]
	*few = *t.rare
	few.held = append(waiting, t.rare.held...)
	dst.rare = few
}
