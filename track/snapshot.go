package track

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/trackmesh/trackmesh/geo"
	trackmeshv1 "github.com/trackmesh/trackmesh/messages/trackmesh/v1"
)

// snapshotVersion is the version of what AppendSnapshot writes. A newer one is refused.
const snapshotVersion = 1

const (
	flagHas = 1 << iota
	flagSilent
	flagStopped
	flagInTrip
	flagStrayed
)

// Snapshots encodes tracks; it keeps the memory for that between calls. Not safe for concurrent use.
type Snapshots struct {
	message   trackmeshv1.Snapshot
	candidate trackmeshv1.SnapshotCandidate
	stop      trackmeshv1.SnapshotStop
	inside    trackmeshv1.SnapshotEvidence
	strayed   trackmeshv1.SnapshotEvidence
	trip      trackmeshv1.SnapshotTrip
	visits    []trackmeshv1.SnapshotVisit
}

// Append appends the track's snapshot to dst.
func (s *Snapshots) Append(dst []byte, t *Track) []byte {
	m := s.fill(t)
	start, size := len(dst), m.SizeVT()
	dst = slices.Grow(dst, size)[:start+size]
	if _, err := m.MarshalToSizedBufferVT(dst[start:]); err != nil {
		panic(err) // the buffer has the size that it asked for
	}
	return dst
}

// AppendSnapshot appends the track's snapshot to dst. Snapshots does the same with less garbage.
func (t *Track) AppendSnapshot(dst []byte) []byte { return new(Snapshots).Append(dst, t) }

func (s *Snapshots) fill(t *Track) *trackmeshv1.Snapshot {
	m := &s.message
	m.Version = snapshotVersion
	m.TimeMs, m.Longitude, m.Latitude, m.Offset = uint64(t.time), t.pos.Lon, t.pos.Lat, t.offset
	m.ArrivedAfter = t.arrived - t.time
	m.SpeedMps, m.HeadingDegrees, m.AccuracyMetres, m.AltitudeMetres = t.speed, t.heading, t.accuracy, t.altitude
	m.Attributes, m.Sequence, m.OdometerMetres, m.Flags = t.attributes, t.sequence, t.odometer, t.flags()
	m.Candidate, m.Stop, m.Trip, m.Pending, m.Own = nil, nil, nil, nil, nil
	s.fillMotion(t, m)
	m.Visits, m.Held = m.Visits[:0], nil
	s.visits = slices.Grow(s.visits[:0], len(t.visits))[:len(t.visits)]
	for i := range t.visits {
		v, to := &t.visits[i], &s.visits[i]
		to.Id, to.Version, to.EnteredMs, to.DwellDueMs, to.ChangesMs = v.id, v.version, v.entered, v.dwellDue, v.changes
		to.Open, to.Dwelt = v.open, v.dwelt
		m.Visits = append(m.Visits, to)
	}
	if t.pending != nil {
		m.Pending = t.pending.message()
	}
	for i := range t.held {
		m.Held = append(m.Held, t.held[i].message())
	}
	if t.own != nil {
		m.Own = t.own.message()
	}
	m.Annotations = t.annotations
	return m
}

func (t *Track) flags() (flags uint32) {
	for i, set := range [...]bool{t.has, t.silent, t.stopped, t.inTrip, t.strayed} {
		if set {
			flags |= 1 << i
		}
	}
	return flags
}

func (s *Snapshots) fillMotion(t *Track, m *trackmeshv1.Snapshot) {
	if c := &t.candidate; c.n > 0 && !t.stopped {
		to := &s.candidate
		to.TimeBefore, to.Longitude, to.Latitude, to.Offset = t.time-c.time, c.pos.Lon, c.pos.Lat, c.offset
		to.Fixes, to.SumLongitude, to.SumLatitude, to.DistanceMetres, to.MaxSpeedMps = c.n, c.dLon, c.dLat, c.distance, c.maxSpeed
		m.Candidate = to
	}
	if t.stopped {
		to := &s.stop
		to.StartedBefore, to.Longitude, to.Latitude = t.time-t.stop.started, t.stop.place.Lon, t.stop.place.Lat
		to.Inside, to.Strayed, to.LegMetres = fillEvidence(&s.inside, t.stop.inside, t.time), nil, 0
		if t.strayed {
			to.Strayed, to.LegMetres = fillEvidence(&s.strayed, t.stop.strayed, t.time), t.stop.leg
		}
		m.Stop = to
	}
	if t.inTrip {
		to := &s.trip
		to.StartBefore, to.Longitude, to.Latitude = t.time-t.trip.start, t.trip.from.Lon, t.trip.from.Lat
		to.DistanceMetres, to.MaxSpeedMps = t.trip.distance, t.trip.maxSpeed
		m.Trip = to
	}
}

func fillEvidence(to *trackmeshv1.SnapshotEvidence, e Evidence, now int64) *trackmeshv1.SnapshotEvidence {
	to.TimeBefore, to.Longitude, to.Latitude, to.Offset = now-e.Time, e.Location.Lon, e.Location.Lat, e.Offset
	return to
}

func (h *held) message() *trackmeshv1.SnapshotHeld {
	f := h.fix
	return &trackmeshv1.SnapshotHeld{
		TimeMs: f.Time, Longitude: f.Position.Lon, Latitude: f.Position.Lat, SpeedMps: f.SpeedMPS, HeadingDegrees: f.HeadingDegrees,
		AccuracyMetres: f.AccuracyMetres, AltitudeMetres: f.AltitudeMetres, Attributes: f.Attributes, Offset: f.Offset,
		RecordTimeMs: f.RecordTime, ArrivedMs: h.arrived,
	}
}

func (o *overrides) message() *trackmeshv1.Configure {
	fixes := uint32(o.pathFixes)
	return &trackmeshv1.Configure{
		StopRadiusMetres: &o.stopRadiusMetres, StopAfterMs: &o.stopAfter, GapAfterMs: &o.gapAfter, JumpSpeedMps: &o.jumpSpeedMPS, PathFixes: &fixes,
	}
}

// ErrSnapshot: the bytes are no snapshot of a track.
var ErrSnapshot = errors.New("not a snapshot of a track")

// Restore makes the track that a snapshot was taken of. Its path starts anew.
func Restore(vehicle string, snapshot []byte) (*Track, error) {
	var m trackmeshv1.Snapshot
	if err := m.UnmarshalVT(snapshot); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSnapshot, err)
	}
	if m.Version == 0 || m.Version > snapshotVersion {
		return nil, fmt.Errorf("%w that this program knows: version %d, it knows %d", ErrSnapshot, m.Version, snapshotVersion)
	}
	t := &Track{
		vehicle: vehicle, time: int64(m.TimeMs), pos: geo.Point{Lon: m.Longitude, Lat: m.Latitude}, offset: m.Offset,
		speed: m.SpeedMps, heading: m.HeadingDegrees, accuracy: m.AccuracyMetres, altitude: m.AltitudeMetres,
		attributes: m.Attributes, sequence: m.Sequence, odometer: m.OdometerMetres, annotations: m.Annotations,
		has: m.Flags&flagHas != 0, silent: m.Flags&flagSilent != 0, stopped: m.Flags&flagStopped != 0,
		inTrip: m.Flags&flagInTrip != 0, strayed: m.Flags&flagStrayed != 0,
	}
	t.arrived = t.time + m.ArrivedAfter
	t.restoreMotion(&m)
	for _, v := range m.Visits {
		t.visits = append(t.visits, visit{
			id: v.Id, version: v.Version, entered: v.EnteredMs, dwellDue: v.DwellDueMs, changes: v.ChangesMs, open: v.Open, dwelt: v.Dwelt,
		})
	}
	slices.SortFunc(t.visits, func(a, b visit) int { return cmp.Compare(a.id, b.id) })
	if m.Pending != nil {
		h := t.restoreHeld(m.Pending)
		t.pending = &h
	}
	for _, h := range m.Held {
		t.held = append(t.held, t.restoreHeld(h))
	}
	if c := m.Own; c != nil {
		t.configure(c)
	}
	return t, nil
}

func (t *Track) restoreMotion(m *trackmeshv1.Snapshot) {
	if c := m.Candidate; c != nil {
		t.candidate = candidate{
			time: t.time - c.TimeBefore, pos: geo.Point{Lon: c.Longitude, Lat: c.Latitude}, offset: c.Offset, n: c.Fixes,
			dLon: c.SumLongitude, dLat: c.SumLatitude, distance: c.DistanceMetres, maxSpeed: c.MaxSpeedMps,
		}
	}
	if s := m.Stop; s != nil {
		t.stop = stop{started: t.time - s.StartedBefore, place: geo.Point{Lon: s.Longitude, Lat: s.Latitude}, leg: s.LegMetres}
		t.stop.inside, t.stop.strayed = t.restoreEvidence(s.Inside), t.restoreEvidence(s.Strayed)
	}
	if r := m.Trip; r != nil {
		t.trip = trip{start: t.time - r.StartBefore, from: geo.Point{Lon: r.Longitude, Lat: r.Latitude}, distance: r.DistanceMetres, maxSpeed: r.MaxSpeedMps}
	}
}

func (t *Track) restoreEvidence(e *trackmeshv1.SnapshotEvidence) Evidence {
	if e == nil {
		return Evidence{}
	}
	return Evidence{Time: t.time - e.TimeBefore, Location: geo.Point{Lon: e.Longitude, Lat: e.Latitude}, Offset: e.Offset}
}

func (t *Track) restoreHeld(h *trackmeshv1.SnapshotHeld) held {
	return held{arrived: h.ArrivedMs, fix: &Fix{
		Vehicle: t.vehicle, Time: h.TimeMs, Position: geo.Point{Lon: h.Longitude, Lat: h.Latitude}, SpeedMPS: h.SpeedMps,
		HeadingDegrees: h.HeadingDegrees, AccuracyMetres: h.AccuracyMetres, AltitudeMetres: h.AltitudeMetres,
		Attributes: h.Attributes, Offset: h.Offset, RecordTime: h.RecordTimeMs,
	}}
}
