package client

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"math"
	"time"

	trackmeshv1 "github.com/trackmesh/trackmesh/messages/trackmesh/v1"
)

// Status is what a vehicle does.
type Status string

// A vehicle moves, stands, or has not been heard of for a while.
const (
	Moving  Status = "moving"
	Stopped Status = "stopped"
	Silent  Status = "silent"
)

var statusOf = map[trackmeshv1.TrackStatus]Status{
	trackmeshv1.TrackStatus_TRACK_STATUS_MOVING: Moving, trackmeshv1.TrackStatus_TRACK_STATUS_STOPPED: Stopped, trackmeshv1.TrackStatus_TRACK_STATUS_SILENT: Silent,
}

// Point is a place in degrees (WGS84).
type Point struct{ Longitude, Latitude float64 }

// State is a vehicle as it is now. Absent numbers are NaN.
type State struct {
	Vehicle        string
	Time           time.Time // of the newest fix
	Position       Point
	SpeedMPS       float64
	HeadingDegrees float64 // clockwise from north
	Status         Status
	OdometerMetres float64
	Fences         []string        // ids
	Attributes     json.RawMessage // an object; nil: none
	Partition      int32           // of the input topic
	Offset         int64           // of the newest fix
	Node           string          // where the track runs
}

func number(v *float64) float64 {
	if v == nil {
		return math.NaN()
	}
	return *v
}

func stateOf(t *trackmeshv1.TrackState) *State {
	s := &State{
		Vehicle: t.GetVehicle(), Time: time.UnixMilli(t.GetTimeMs()).UTC(), Position: pointOf(t.GetPosition()), SpeedMPS: number(t.SpeedMps),
		HeadingDegrees: number(t.HeadingDegrees), Status: statusOf[t.GetStatus()], OdometerMetres: t.GetOdometerMetres(), Fences: t.GetFences(),
		Partition: t.GetPartition(), Offset: t.GetOffset(), Node: t.GetNode(),
	}
	if t.GetAttributesJson() != "" {
		s.Attributes = json.RawMessage(t.GetAttributesJson())
	}
	return s
}

func pointOf(p *trackmeshv1.Place) Point { return Point{p.GetLongitude(), p.GetLatitude()} }

// Track is one vehicle, wherever it runs.
type Track struct {
	mesh    *Mesh
	vehicle string
}

// Track names a vehicle. It asks nothing.
func (m *Mesh) Track(vehicle string) *Track { return &Track{m, vehicle} }

// Get returns the vehicle's state now, or ErrNotFound.
func (t *Track) Get(ctx context.Context) (*State, error) {
	answer, err := call(ctx, t.mesh, func(n *endpoint) procedure[trackmeshv1.GetRequest, trackmeshv1.GetResponse] { return n.tracks.Get },
		&trackmeshv1.GetRequest{Vehicle: t.vehicle})
	if err != nil {
		return nil, err
	}
	return stateOf(answer.GetTrack()), nil
}

// Message is something that a track is told: Annotate, ResetOdometer, Configure or Forget.
type Message interface {
	into(r *trackmeshv1.SendRequest)
}

// Annotate sets attributes of the track; an empty value removes one.
type Annotate map[string]string

func (a Annotate) into(r *trackmeshv1.SendRequest) {
	r.Body = &trackmeshv1.SendRequest_Annotate{Annotate: &trackmeshv1.Annotate{Attributes: a}}
}

// ResetOdometer sets the odometer to zero.
type ResetOdometer struct{}

func (ResetOdometer) into(r *trackmeshv1.SendRequest) {
	r.Body = &trackmeshv1.SendRequest_ResetOdometer{ResetOdometer: &trackmeshv1.ResetOdometer{}}
}

// Configure overrides settings of this track; what is zero keeps the node's.
type Configure struct {
	StopRadiusMetres    float64
	StopAfter, GapAfter time.Duration
	JumpSpeedMPS        float64
	PathFixes           uint32
}

func (c Configure) into(r *trackmeshv1.SendRequest) {
	r.Body = &trackmeshv1.SendRequest_Configure{Configure: &trackmeshv1.Configure{
		StopRadiusMetres: given(c.StopRadiusMetres), StopAfterMs: given(c.StopAfter.Milliseconds()), GapAfterMs: given(c.GapAfter.Milliseconds()),
		JumpSpeedMps: given(c.JumpSpeedMPS), PathFixes: given(c.PathFixes),
	}}
}

func given[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// Forget ends the track; a vehicle that returns is a new one.
type Forget struct{}

func (Forget) into(r *trackmeshv1.SendRequest) {
	r.Body = &trackmeshv1.SendRequest_Forget{Forget: &trackmeshv1.Forget{}}
}

// SendOptions of a message.
type SendOptions struct {
	// Key makes a repeated message harmless, also across runs of the caller. Empty: a random one, for this call and its repeats.
	Key string
	// Wait is how long to wait until the message is applied, at most 30 s. Zero: until it is durable.
	Wait time.Duration
}

// Receipt says where a message stands in the log.
type Receipt struct {
	Topic     string
	Partition int32
	Offset    int64
	Applied   bool // within Wait
}

// Send tells the track something. When it returns without an error the message is durable: it is applied once, in the order sent, also
// when the nodes die. It is repeated while no node answers, under one key.
func (t *Track) Send(ctx context.Context, m Message, o SendOptions) (Receipt, error) {
	r := &trackmeshv1.SendRequest{Vehicle: t.vehicle, IdempotencyKey: o.Key, WaitMs: o.Wait.Milliseconds()}
	if r.IdempotencyKey == "" {
		r.IdempotencyKey = rand.Text()
	}
	m.into(r)
	answer, err := call(ctx, t.mesh, func(n *endpoint) procedure[trackmeshv1.SendRequest, trackmeshv1.SendResponse] { return n.tracks.Send }, r)
	if err != nil {
		return Receipt{}, err
	}
	return Receipt{answer.GetTopic(), answer.GetPartition(), answer.GetOffset(), answer.GetApplied()}, nil
}

// PathQuery asks for a span of a vehicle's way. The zero value: the newest 1000 fixes.
type PathQuery struct {
	From, To       time.Time // zero: open
	Limit          int       // the newest so many; zero: 1000
	SimplifyMetres float64   // leave out what deviates less; zero: nothing
}

// Fix is a point of a path. Absent numbers are NaN.
type Fix struct {
	Time           time.Time
	Position       Point
	SpeedMPS       float64
	HeadingDegrees float64
}

// Way is a piece of a vehicle's path, oldest first.
type Way struct {
	Fixes        []Fix
	Truncated    bool      // there are older ones in the span
	CompleteFrom time.Time // without history nothing older is known; else zero
}

// Path returns where the vehicle was.
func (t *Track) Path(ctx context.Context, q PathQuery) (*Way, error) {
	r := &trackmeshv1.PathRequest{Vehicle: t.vehicle, Limit: int32(q.Limit), SimplifyMetres: q.SimplifyMetres} //nolint:gosec // the server bounds it
	if !q.From.IsZero() {
		r.FromMs = q.From.UnixMilli()
	}
	if !q.To.IsZero() {
		r.ToMs = q.To.UnixMilli()
	}
	answer, err := call(ctx, t.mesh, func(n *endpoint) procedure[trackmeshv1.PathRequest, trackmeshv1.PathResponse] { return n.tracks.Path }, r)
	if err != nil {
		return nil, err
	}
	way := &Way{Truncated: answer.GetTruncated(), Fixes: make([]Fix, len(answer.GetPoints()))}
	if answer.GetCompleteFromMs() != 0 {
		way.CompleteFrom = time.UnixMilli(answer.GetCompleteFromMs()).UTC()
	}
	for i, p := range answer.GetPoints() {
		way.Fixes[i] = Fix{time.UnixMilli(p.GetTimeMs()).UTC(), pointOf(p.GetPosition()), number(p.SpeedMps), number(p.HeadingDegrees)}
	}
	return way, nil
}
