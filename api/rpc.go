package api

import (
	"cmp"
	"context"
	"errors"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"connectrpc.com/connect"

	"github.com/trackmesh/trackmesh/broker"
	"github.com/trackmesh/trackmesh/geo"
	"github.com/trackmesh/trackmesh/live"
	trackmeshv1 "github.com/trackmesh/trackmesh/messages/trackmesh/v1"
	"github.com/trackmesh/trackmesh/messages/trackmesh/v1/trackmeshv1connect"
	"github.com/trackmesh/trackmesh/track"
)

// maxSendWait bounds how long a message is waited for.
const maxSendWait = 30 * time.Second

// rpcRoutes are the procedures of gRPC, gRPC-Web and Connect, with the roles that their counterparts in REST need.
func (s *Server) rpcRoutes() []route {
	limit := connect.WithReadMaxBytes(int(s.opts.MaxBodyBytes))
	_, tracks := trackmeshv1connect.NewTrackServiceHandler(trackService{s}, limit)
	_, state := trackmeshv1connect.NewClusterServiceHandler(clusterService{s}, limit)
	via := func(h http.Handler) handler {
		return func(w http.ResponseWriter, r *http.Request) error {
			h.ServeHTTP(&patientWriter{ResponseWriter: w, conn: http.NewResponseController(w), patience: s.opts.ClientPatience}, r)
			return nil
		}
	}
	return []route{
		{"POST " + trackmeshv1connect.TrackServiceGetProcedure, roleRead, call, via(tracks)},
		{"POST " + trackmeshv1connect.TrackServiceSendProcedure, roleWrite, longCall, via(tracks)},
		{"POST " + trackmeshv1connect.TrackServicePathProcedure, roleRead, call, via(tracks)},
		{"POST " + trackmeshv1connect.TrackServiceSearchProcedure, roleRead, call, via(tracks)},
		{"POST " + trackmeshv1connect.TrackServiceWatchProcedure, roleRead, stream, via(tracks)},
		{"POST " + trackmeshv1connect.ClusterServiceStateProcedure, roleRead, call, via(state)},
	}
}

// patientWriter gives each write so long and no longer.
type patientWriter struct {
	http.ResponseWriter
	conn     *http.ResponseController
	patience time.Duration
}

func (p *patientWriter) Write(b []byte) (int, error) {
	_ = p.conn.SetWriteDeadline(time.Now().Add(p.patience)) // not every test's connection has one
	return p.ResponseWriter.Write(b)
}

// Flush implements http.Flusher, which streams need.
func (p *patientWriter) Flush() { _ = p.conn.Flush() } // the next write tells

// Unwrap lets http.ResponseController reach the connection.
func (p *patientWriter) Unwrap() http.ResponseWriter { return p.ResponseWriter }

// rpcError is an error as a client of gRPC or Connect sees it.
func (s *Server) rpcError(err error) error {
	p, internal := asProblem(err)
	if internal {
		s.opts.Logger.Error("a call failed", "err", err)
	}
	code := connect.CodeInternal
	switch p.status {
	case http.StatusBadRequest:
		code = connect.CodeInvalidArgument
	case http.StatusUnauthorized:
		code = connect.CodeUnauthenticated
	case http.StatusForbidden:
		code = connect.CodePermissionDenied
	case http.StatusNotFound:
		code = connect.CodeNotFound
	case http.StatusGone:
		code = connect.CodeOutOfRange
	case http.StatusPreconditionFailed:
		code = connect.CodeFailedPrecondition
	case http.StatusRequestEntityTooLarge, http.StatusInsufficientStorage:
		code = connect.CodeResourceExhausted
	case http.StatusNotImplemented:
		code = connect.CodeUnimplemented
	case http.StatusServiceUnavailable:
		code = connect.CodeUnavailable
	}
	return connect.NewError(code, errors.New(p.detail))
}

// checkVehicle checks a vehicle's id.
func checkVehicle(id string) (string, error) {
	if id == "" || len(id) > 128 || !utf8.ValidString(id) || strings.ContainsFunc(id, unicode.IsControl) {
		return "", badParameter("vehicle", "has 1 to 128 bytes of UTF-8 and no control characters")
	}
	return id, nil
}

// trackService serves trackmesh.v1.TrackService.
type trackService struct{ s *Server }

var _ trackmeshv1connect.TrackServiceHandler = trackService{}

// Get implements the procedure.
func (t trackService) Get(ctx context.Context, r *connect.Request[trackmeshv1.GetRequest]) (*connect.Response[trackmeshv1.GetResponse], error) {
	vehicle, err := checkVehicle(r.Msg.GetVehicle())
	if err != nil {
		return nil, t.s.rpcError(err)
	}
	v, err := t.s.findTrack(ctx, vehicle)
	if err != nil {
		return nil, t.s.rpcError(err)
	}
	return connect.NewResponse(&trackmeshv1.GetResponse{Track: t.s.trackState(v)}), nil
}

// trackState is a view as clients see it.
func (s *Server) trackState(v *track.View) *trackmeshv1.TrackState {
	return &trackmeshv1.TrackState{
		Vehicle: v.Vehicle, TimeMs: v.Time, Position: placeOf(v.Position), SpeedMps: optional(v.SpeedMPS), HeadingDegrees: optional(v.HeadingDegrees),
		Status: trackmeshv1.TrackStatus(v.Status) + trackmeshv1.TrackStatus_TRACK_STATUS_MOVING, OdometerMetres: v.OdometerMetres, Fences: v.Fences,
		AttributesJson: strings.ToValidUTF8(string(v.Attributes), "\uFFFD"), Partition: v.Partition, Offset: v.Offset, Node: s.opts.Owner(v.Partition),
	}
}

func placeOf(p geo.Point) *trackmeshv1.Place {
	return &trackmeshv1.Place{Longitude: p.Lon, Latitude: p.Lat}
}

func optional(v float64) *float64 {
	if math.IsNaN(v) {
		return nil
	}
	return &v
}

// Send implements the procedure.
func (t trackService) Send(ctx context.Context, r *connect.Request[trackmeshv1.SendRequest]) (*connect.Response[trackmeshv1.SendResponse], error) {
	answer, err := t.send(ctx, r.Msg)
	if err != nil {
		return nil, t.s.rpcError(err)
	}
	return connect.NewResponse(answer), nil
}

func (t trackService) send(ctx context.Context, m *trackmeshv1.SendRequest) (*trackmeshv1.SendResponse, error) {
	vehicle, err := checkVehicle(m.GetVehicle())
	if err != nil {
		return nil, err
	}
	if len(m.GetIdempotencyKey()) > 128 {
		return nil, badParameter("idempotency_key", "has at most 128 bytes")
	}
	wait := time.Duration(m.GetWaitMs()) * time.Millisecond
	if m.GetWaitMs() < 0 || m.GetWaitMs() > maxSendWait.Milliseconds() {
		return nil, badParameter("wait_ms", "must be from 0 to 30000")
	}
	cmd, err := commandOf(m)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, t.s.opts.StoreTimeout+wait)
	defer cancel()
	if _, err := t.s.findTrack(ctx, vehicle); err != nil {
		return nil, err
	}
	cmd.Vehicle, cmd.IdempotencyKey, cmd.TimeMs = vehicle, m.GetIdempotencyKey(), t.s.opts.Now().UnixMilli()
	sent, err := t.s.opts.Messages.Send(ctx, cmd, wait)
	if err != nil {
		return nil, err
	}
	topic := t.s.opts.Log.Layout().Topic(broker.Commands)
	return &trackmeshv1.SendResponse{Topic: topic, Partition: sent.Partition, Offset: sent.Offset, Applied: sent.Applied}, nil
}

// commandOf is the message as the log keeps it, under the same rules as one that comes as JSON.
func commandOf(m *trackmeshv1.SendRequest) (*trackmeshv1.Command, error) {
	switch b := m.GetBody().(type) {
	case *trackmeshv1.SendRequest_Annotate:
		if _, nameless := b.Annotate.GetAttributes()[""]; nameless {
			return nil, badBody("/annotate", "an attribute needs a name")
		}
		return &trackmeshv1.Command{Body: &trackmeshv1.Command_Annotate{Annotate: b.Annotate}}, nil
	case *trackmeshv1.SendRequest_ResetOdometer:
		return &trackmeshv1.Command{Body: &trackmeshv1.Command_ResetOdometer{ResetOdometer: b.ResetOdometer}}, nil
	case *trackmeshv1.SendRequest_Configure:
		c := b.Configure
		body := configureBody{
			StopRadiusMetres: c.StopRadiusMetres, StopAfterSeconds: toSeconds(c.StopAfterMs), GapAfterSeconds: toSeconds(c.GapAfterMs),
			JumpSpeedMPS: c.JumpSpeedMps, PathFixes: c.PathFixes,
		}
		if _, err := body.message(); err != nil {
			return nil, err
		}
		return &trackmeshv1.Command{Body: &trackmeshv1.Command_Configure{Configure: c}}, nil
	case *trackmeshv1.SendRequest_Forget:
		return &trackmeshv1.Command{Body: &trackmeshv1.Command_Forget{Forget: b.Forget}}, nil
	}
	return nil, badBody("", "exactly one of annotate, reset_odometer, configure, forget is wanted")
}

func toSeconds(ms *int64) *float64 {
	if ms == nil {
		return nil
	}
	seconds := float64(*ms) / 1000
	return &seconds
}

// Path implements the procedure.
func (t trackService) Path(ctx context.Context, r *connect.Request[trackmeshv1.PathRequest]) (*connect.Response[trackmeshv1.PathResponse], error) {
	m := r.Msg
	vehicle, err := checkVehicle(m.GetVehicle())
	if err != nil {
		return nil, t.s.rpcError(err)
	}
	limit, err := limitOf(m.GetLimit(), defaultPathLimit, maxPathLimit)
	if err != nil {
		return nil, t.s.rpcError(err)
	}
	whole, err := t.s.wholePath(ctx, vehicle, timeOf(m.GetFromMs()), timeOf(m.GetToMs()), limit+1)
	if err != nil {
		return nil, t.s.rpcError(err)
	}
	answer := &trackmeshv1.PathResponse{Truncated: len(whole.points) > limit}
	if t.s.opts.History == nil {
		answer.CompleteFromMs = whole.since
	}
	points := whole.points[max(0, len(whole.points)-limit):]
	if tolerance := m.GetSimplifyMetres(); tolerance > 0 {
		points = simplify(points, tolerance)
	}
	for i := range points {
		p := &points[i]
		answer.Points = append(answer.Points, &trackmeshv1.PathPoint{
			TimeMs: p.Time, Position: placeOf(p.Position), SpeedMps: optional(p.SpeedMPS), HeadingDegrees: optional(p.HeadingDegrees),
		})
	}
	return connect.NewResponse(answer), nil
}

func timeOf(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

func limitOf(limit int32, absent, highest int) (int, error) {
	switch {
	case limit == 0:
		return absent, nil
	case limit < 0 || int(limit) > highest:
		return 0, badParameter("limit", "is out of its range")
	}
	return int(limit), nil
}

// Search implements the procedure.
func (t trackService) Search(ctx context.Context, r *connect.Request[trackmeshv1.SearchRequest]) (*connect.Response[trackmeshv1.SearchResponse], error) {
	answer, err := t.search(ctx, r.Msg)
	if err != nil {
		return nil, t.s.rpcError(err)
	}
	if len(answer.GetPartitions().GetMissing()) > 0 {
		t.s.metrics.partial.Inc()
	}
	return connect.NewResponse(answer), nil
}

func (t trackService) search(ctx context.Context, m *trackmeshv1.SearchRequest) (*trackmeshv1.SearchResponse, error) {
	limit, err := limitOf(m.GetLimit(), defaultSearchLimit, maxSearchLimit)
	if err != nil {
		return nil, err
	}
	q := live.Query{Fence: m.GetFence(), Limit: limit}
	for _, wanted := range m.GetStatuses() {
		if wanted < trackmeshv1.TrackStatus_TRACK_STATUS_MOVING || wanted > trackmeshv1.TrackStatus_TRACK_STATUS_SILENT {
			return nil, badParameter("statuses", "must hold moving, stopped or silent")
		}
		q.Statuses = append(q.Statuses, track.Status(wanted-trackmeshv1.TrackStatus_TRACK_STATUS_MOVING)) //nolint:gosec // just bounded
	}
	switch area := m.GetArea().(type) {
	case *trackmeshv1.SearchRequest_Near:
		return t.nearest(ctx, area.Near, q.Statuses)
	case *trackmeshv1.SearchRequest_Box:
		box, err := boxOf(area.Box.GetWest(), area.Box.GetSouth(), area.Box.GetEast(), area.Box.GetNorth())
		if err != nil {
			return nil, badParameter("box", err.Error())
		}
		q.Box = &box
	case *trackmeshv1.SearchRequest_PolygonGeojson:
		q.InsideGeoJSON = []byte(area.PolygonGeojson)
		if q.Inside, err = parsePolygon(q.InsideGeoJSON); err != nil {
			return nil, err
		}
	}
	if q.Fence != "" {
		if _, err := t.s.opts.Fences.Get(ctx, q.Fence); err != nil {
			return nil, noFence(err, q.Fence)
		}
	}
	found, coverage, err := t.s.opts.Live.Search(ctx, q)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(found.Tracks, func(a, b *track.View) int { return cmp.Compare(a.Vehicle, b.Vehicle) })
	answer := &trackmeshv1.SearchResponse{Truncated: found.Cut, Partitions: coverageOf(coverage)}
	for _, v := range found.Tracks {
		answer.Found = append(answer.Found, &trackmeshv1.FoundTrack{Track: t.s.trackState(v)})
	}
	return answer, nil
}

func (t trackService) nearest(ctx context.Context, m *trackmeshv1.Near, statuses []track.Status) (*trackmeshv1.SearchResponse, error) {
	k, err := limitOf(m.GetK(), defaultNeighbours, maxNeighbours)
	if err != nil {
		return nil, err
	}
	at := geo.Point{Lon: m.GetPlace().GetLongitude(), Lat: m.GetPlace().GetLatitude()}
	if !(math.Abs(at.Lon) <= 180 && math.Abs(at.Lat) <= 90) || !(m.GetRadiusMetres() >= 0) {
		return nil, badParameter("near", "must be a place on the earth with a radius that is not below zero")
	}
	found, coverage, err := t.s.opts.Live.Nearest(ctx, live.NearestQuery{Point: at, K: k + 1, RadiusMetres: m.GetRadiusMetres(), Statuses: statuses})
	if err != nil {
		return nil, err
	}
	answer := &trackmeshv1.SearchResponse{Truncated: m.GetRadiusMetres() > 0 && len(found) > k, Partitions: coverageOf(coverage)}
	for _, n := range found[:min(k, len(found))] {
		answer.Found = append(answer.Found, &trackmeshv1.FoundTrack{Track: t.s.trackState(n.View), DistanceMetres: &n.Metres})
	}
	return answer, nil
}

func coverageOf(c live.Coverage) *trackmeshv1.Coverage {
	return &trackmeshv1.Coverage{Asked: int32(c.Asked), Answered: int32(c.Answered), Missing: c.Missing} //nolint:gosec // partitions are int32
}

// clusterService serves trackmesh.v1.ClusterService.
type clusterService struct{ s *Server }

// State implements the procedure.
func (c clusterService) State(ctx context.Context, _ *connect.Request[trackmeshv1.StateRequest]) (*connect.Response[trackmeshv1.StateResponse], error) {
	state, err := c.s.opts.Cluster.State(ctx)
	if err != nil {
		return nil, c.s.rpcError(err)
	}
	answer := &trackmeshv1.StateResponse{
		Node: state.Node, Version: state.Version, Log: state.Log, Topic: state.Topic, Fences: int64(state.Fences.Count),
		FencesVersion: state.Fences.Version, Tracks: int64(state.Tracks),
	}
	for _, m := range state.Members {
		answer.Members = append(answer.Members, &trackmeshv1.ClusterMember{Name: m.Name, Address: m.Address, State: m.State, SinceMs: m.Since.UnixMilli()})
	}
	for _, p := range state.Partitions {
		answer.Partitions = append(answer.Partitions, &trackmeshv1.ClusterPartition{
			Partition: p.Partition, Owner: p.Owner, Term: p.Term, State: p.State, InputOffset: p.InputOffset, Lag: p.Lag, Tracks: int64(p.Tracks),
			EventClockMs: p.EventClock, Error: p.Error,
		})
	}
	for _, sink := range state.Sinks {
		answer.Sinks = append(answer.Sinks, &trackmeshv1.ClusterSink{Name: sink.Name, Lag: sink.Lag, State: sink.State, Error: sink.Error})
	}
	for _, m := range state.Moves {
		answer.Moves = append(answer.Moves, &trackmeshv1.ClusterMove{Partition: m.Partition, From: m.From, To: m.To})
	}
	return connect.NewResponse(answer), nil
}
