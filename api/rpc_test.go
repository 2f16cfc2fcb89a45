package api

import (
	"context"
	"fmt"
	"math"
	"net"
	"net/http"
	"testing"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/broker"
	"github.com/trackmesh/trackmesh/geo"
	"github.com/trackmesh/trackmesh/live"
	trackmeshv1 "github.com/trackmesh/trackmesh/messages/trackmesh/v1"
	"github.com/trackmesh/trackmesh/messages/trackmesh/v1/trackmeshv1connect"
	"github.com/trackmesh/trackmesh/track"
)

// rpc are clients of the three protocols, over the one port.
func (b *bundle) rpc() map[string]trackmeshv1connect.TrackServiceClient {
	plain := &http.Transport{Protocols: new(http.Protocols)}
	plain.Protocols.SetUnencryptedHTTP2(true)
	h2c := &http.Client{Transport: plain}
	b.t.Cleanup(h2c.CloseIdleConnections)
	return map[string]trackmeshv1connect.TrackServiceClient{
		"connect":  trackmeshv1connect.NewTrackServiceClient(b.client, b.url),
		"json":     trackmeshv1connect.NewTrackServiceClient(b.client, b.url, connect.WithProtoJSON()),
		"grpc":     trackmeshv1connect.NewTrackServiceClient(h2c, b.url, connect.WithGRPC()),
		"grpc-web": trackmeshv1connect.NewTrackServiceClient(b.client, b.url, connect.WithGRPCWeb()),
	}
}

func TestGetAnswersInEveryProtocol(t *testing.T) {
	b := start(t)
	b.put(cab("cab 1", -73.98, 40.75))
	for name, c := range b.rpc() {
		t.Run(name, func(t *testing.T) {
			got, err := c.Get(t.Context(), connect.NewRequest(&trackmeshv1.GetRequest{Vehicle: "cab 1"}))
			require.NoError(t, err)
			state := got.Msg.GetTrack()
			require.InDelta(t, -73.98, state.GetPosition().GetLongitude(), 0)
			require.InDelta(t, 8.25, state.GetSpeedMps(), 0)
			require.Nil(t, state.HeadingDegrees)
			require.Equal(t, trackmeshv1.TrackStatus_TRACK_STATUS_MOVING, state.GetStatus())
			require.Equal(t, "n1", state.GetNode())
			require.JSONEq(t, `{"driver":"Ann"}`, state.GetAttributesJson())

			_, err = c.Get(t.Context(), connect.NewRequest(&trackmeshv1.GetRequest{Vehicle: "nobody"}))
			require.Equal(t, connect.CodeNotFound, connect.CodeOf(err), "%v", err)
			_, err = c.Get(t.Context(), connect.NewRequest(&trackmeshv1.GetRequest{}))
			require.Equal(t, connect.CodeInvalidArgument, connect.CodeOf(err), "%v", err)
		})
	}
}

func TestSendMakesAMessageDurable(t *testing.T) {
	b := start(t)
	b.put(cab("cab 1", -73.98, 40.75))
	c := b.rpc()["connect"]
	sent, err := c.Send(t.Context(), connect.NewRequest(&trackmeshv1.SendRequest{
		Vehicle: "cab 1", IdempotencyKey: "k", WaitMs: 1000,
		Body: &trackmeshv1.SendRequest_Annotate{Annotate: &trackmeshv1.Annotate{Attributes: map[string]string{"a": "b"}}},
	}))
	require.NoError(t, err)
	require.True(t, sent.Msg.GetApplied())
	require.Equal(t, "k", b.messages.sent[0].GetIdempotencyKey())
	require.Equal(t, "cab 1", b.messages.sent[0].GetVehicle())

	tooFar, tooMany := -1.0, uint32(1<<20)
	for name, m := range map[string]*trackmeshv1.SendRequest{
		"no body":     {Vehicle: "cab 1"},
		"wait":        {Vehicle: "cab 1", WaitMs: 1 << 40, Body: &trackmeshv1.SendRequest_Forget{}},
		"radius":      {Vehicle: "cab 1", Body: &trackmeshv1.SendRequest_Configure{Configure: &trackmeshv1.Configure{StopRadiusMetres: &tooFar}}},
		"path":        {Vehicle: "cab 1", Body: &trackmeshv1.SendRequest_Configure{Configure: &trackmeshv1.Configure{PathFixes: &tooMany}}},
		"nameless":    {Vehicle: "cab 1", Body: &trackmeshv1.SendRequest_Annotate{Annotate: &trackmeshv1.Annotate{Attributes: map[string]string{"": "x"}}}},
		"bad vehicle": {Vehicle: "a\x01", Body: &trackmeshv1.SendRequest_Forget{Forget: &trackmeshv1.Forget{}}},
	} {
		_, err := c.Send(t.Context(), connect.NewRequest(m))
		require.Equal(t, connect.CodeInvalidArgument, connect.CodeOf(err), "%s: %v", name, err)
	}
	require.Len(t, b.messages.sent, 1)
}

func TestSearchFindsByEachKindOfArea(t *testing.T) {
	b := start(t)
	b.put(cab("in", -73.98, 40.75))
	b.put(cab("out", 10, 50))
	c := b.rpc()["connect"]
	for name, m := range map[string]*trackmeshv1.SearchRequest{
		"box": {Area: &trackmeshv1.SearchRequest_Box{Box: &trackmeshv1.Box{West: -74, South: 40, East: -73, North: 41}}},
		"polygon": {Area: &trackmeshv1.SearchRequest_PolygonGeojson{
			PolygonGeojson: `{"type":"Polygon","coordinates":[[[-74,40],[-73,40],[-73,41],[-74,41],[-74,40]]]}`,
		}},
		"near": {Area: &trackmeshv1.SearchRequest_Near{Near: &trackmeshv1.Near{Place: &trackmeshv1.Place{Longitude: -73.98, Latitude: 40.75}, RadiusMetres: 100}}},
	} {
		got, err := c.Search(t.Context(), connect.NewRequest(m))
		require.NoError(t, err, name)
		require.Len(t, got.Msg.GetFound(), 1, name)
		require.Equal(t, "in", got.Msg.GetFound()[0].GetTrack().GetVehicle())
		require.EqualValues(t, 4, got.Msg.GetPartitions().GetAnswered())
	}
	for name, m := range map[string]*trackmeshv1.SearchRequest{
		"polygon": {Area: &trackmeshv1.SearchRequest_PolygonGeojson{PolygonGeojson: "{"}},
		"place":   {Area: &trackmeshv1.SearchRequest_Near{Near: &trackmeshv1.Near{Place: &trackmeshv1.Place{Latitude: 91}}}},
		"limit":   {Limit: -1},
		"status":  {Statuses: []trackmeshv1.TrackStatus{9}},
	} {
		_, err := c.Search(t.Context(), connect.NewRequest(m))
		require.Equal(t, connect.CodeInvalidArgument, connect.CodeOf(err), "%s: %v", name, err)
	}
	b.fleet.Drop(2)
	got, err := c.Search(t.Context(), connect.NewRequest(&trackmeshv1.SearchRequest{}))
	require.NoError(t, err)
	require.Equal(t, []int32{2}, got.Msg.GetPartitions().GetMissing())
}

func TestPathIsThatOfMemoryAndHistory(t *testing.T) {
	b := start(t)
	for i := range int64(3) {
		b.paths.points = append(b.paths.points, track.PathPoint{Time: 1000 + i, Position: geo.Point{Lon: float64(i), Lat: 1}, SpeedMPS: math.NaN(), HeadingDegrees: 5})
	}
	got, err := b.rpc()["connect"].Path(t.Context(), connect.NewRequest(&trackmeshv1.PathRequest{Vehicle: "cab 1", FromMs: 1000, Limit: 2}))
	require.NoError(t, err)
	require.True(t, got.Msg.GetTruncated())
	require.Len(t, got.Msg.GetPoints(), 2)
	require.EqualValues(t, 1001, got.Msg.GetPoints()[0].GetTimeMs())
	require.Nil(t, got.Msg.GetPoints()[0].SpeedMps)
	require.InDelta(t, 5, got.Msg.GetPoints()[0].GetHeadingDegrees(), 0)
	_, err = b.rpc()["connect"].Path(t.Context(), connect.NewRequest(&trackmeshv1.PathRequest{Vehicle: "cab 1", Limit: 1 << 30}))
	require.Equal(t, connect.CodeInvalidArgument, connect.CodeOf(err))
}

func TestStateTellsOfTheCluster(t *testing.T) {
	b := start(t)
	c := trackmeshv1connect.NewClusterServiceClient(b.client, b.url)
	got, err := c.State(t.Context(), connect.NewRequest(&trackmeshv1.StateRequest{}))
	require.NoError(t, err)
	want, err := fakeCluster{}.State(t.Context())
	require.NoError(t, err)
	require.Len(t, got.Msg.GetPartitions(), len(want.Partitions))
	require.Equal(t, want.Node, got.Msg.GetNode())
}

func TestProceduresNeedTheRolesOfTheirCounterparts(t *testing.T) {
	b := start(t, withTokens(t))
	b.put(cab("cab 1", 0, 0))
	as := func(token string) trackmeshv1connect.TrackServiceClient {
		return trackmeshv1connect.NewTrackServiceClient(b.client, b.url, connect.WithInterceptors(connect.UnaryInterceptorFunc(
			func(next connect.UnaryFunc) connect.UnaryFunc {
				return func(ctx context.Context, r connect.AnyRequest) (connect.AnyResponse, error) {
					if token != "" {
						r.Header().Set("Authorization", "Bearer "+token)
					}
					return next(ctx, r)
				}
			})))
	}
	get := func(token string) error {
		_, err := as(token).Get(t.Context(), connect.NewRequest(&trackmeshv1.GetRequest{Vehicle: "cab 1"}))
		return err
	}
	send := func(token string) error {
		_, err := as(token).Send(t.Context(), connect.NewRequest(&trackmeshv1.SendRequest{Vehicle: "cab 1", Body: &trackmeshv1.SendRequest_Forget{Forget: &trackmeshv1.Forget{}}}))
		return err
	}
	require.Equal(t, connect.CodeUnauthenticated, connect.CodeOf(get("")))
	require.Equal(t, connect.CodeUnauthenticated, connect.CodeOf(get("wrong")))
	require.NoError(t, get("r"))
	require.Equal(t, connect.CodePermissionDenied, connect.CodeOf(send("r")))
	require.NoError(t, send("w"))
}

// emit commits an event of a vehicle.
func (b *bundle) emit(vehicle string, n int) {
	b.t.Helper()
	p := b.home(vehicle)
	_, err := b.log.Produce(b.t.Context(), []broker.Record{{Stream: broker.Events, Partition: p, Key: []byte(vehicle), Value: fmt.Appendf(nil,
		`{"id":"e%d","type":"enter","@timestamp":"2026-01-02T03:04:05.000Z","vehicle":%q,"sequence":%d,"fence":{"id":"jfk"}}`, n, vehicle, n)}})
	require.NoError(b.t, err)
}

func TestAWatchSeesStatesAndEventsAndGoesOnFromItsCursor(t *testing.T) {
	b := start(t)
	b.put(cab("cab 1", 1, 1))
	for name, c := range b.rpc() {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			watch, err := c.Watch(ctx, connect.NewRequest(&trackmeshv1.WatchRequest{Vehicle: "cab 1"}))
			require.NoError(t, err)
			next := func(w *connect.ServerStreamForClient[trackmeshv1.WatchResponse], wanted func(*trackmeshv1.WatchResponse) bool) *trackmeshv1.WatchResponse {
				for w.Receive() {
					if wanted(w.Msg()) {
						return w.Msg()
					}
				}
				require.NoError(t, w.Err())
				return nil
			}
			state := func(m *trackmeshv1.WatchResponse) bool { return m.GetState() != nil }
			event := func(m *trackmeshv1.WatchResponse) bool { return m.GetEvent() != nil }
			require.EqualValues(t, 41, next(watch, state).GetState().GetOffset())
			b.emit("other", 1)
			b.emit("cab 1", 2)
			got := next(watch, event)
			require.Equal(t, "e2", got.GetEvent().GetId())
			require.Equal(t, "jfk", got.GetEvent().GetFence())
			require.EqualValues(t, 1767323045000, got.GetEvent().GetTimeMs())
			moved := cab("cab 1", 2, 2)
			moved.Offset = 42
			b.put(moved)
			require.EqualValues(t, 42, next(watch, state).GetState().GetOffset())
			cancel()
			_ = watch.Close() // it was cancelled
			b.emit("cab 1", 3)

			again, stop := context.WithCancel(t.Context())
			defer stop()
			watch, err = c.Watch(again, connect.NewRequest(&trackmeshv1.WatchRequest{Vehicle: "cab 1", Cursor: got.GetCursor()}))
			require.NoError(t, err)
			require.Equal(t, "e3", next(watch, event).GetEvent().GetId(), "what came meanwhile, once")
			stop()
			_ = watch.Close()
			back := cab("cab 1", 1, 1)
			b.put(back)
		})
	}
}

func TestAWatchOfNobodyOrFromNowhereIsRefused(t *testing.T) {
	b := start(t)
	b.put(cab("cab 1", 1, 1))
	c := b.rpc()["connect"]
	for _, m := range []*trackmeshv1.WatchRequest{{Vehicle: "nobody"}, {Vehicle: "cab 1", Cursor: "x"}} {
		w, err := c.Watch(t.Context(), connect.NewRequest(m))
		require.NoError(t, err)
		require.False(t, w.Receive())
		require.Contains(t, []connect.Code{connect.CodeNotFound, connect.CodeOutOfRange}, connect.CodeOf(w.Err()))
		require.NoError(t, w.Close())
	}
}

func TestStoppingTheServerEndsAWatch(t *testing.T) {
	b := start(t)
	b.put(cab("cab 1", 1, 1))
	w, err := b.rpc()["connect"].Watch(t.Context(), connect.NewRequest(&trackmeshv1.WatchRequest{Vehicle: "cab 1"}))
	require.NoError(t, err)
	require.True(t, w.Receive())
	stopped := make(chan error, 1)
	go func() { stopped <- b.server.Stop(context.Background()) }()
	for w.Receive() {
	}
	require.Equal(t, connect.CodeUnavailable, connect.CodeOf(w.Err()))
	require.NoError(t, w.Close())
	b.client.CloseIdleConnections()
	require.NoError(t, <-stopped)
}

func TestHTTP2WithoutTLSIsServedOnTheSamePort(t *testing.T) {
	b := start(t)
	transport := &http.Transport{Protocols: new(http.Protocols), DialContext: (&net.Dialer{}).DialContext}
	transport.Protocols.SetUnencryptedHTTP2(true)
	client := &http.Client{Transport: transport}
	defer client.CloseIdleConnections()
	res, err := client.Get(b.url + "/healthz")
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, 2, res.ProtoMajor)
}

func TestChangedOfANodeThatIsAloneWaitsForANewState(t *testing.T) {
	b := start(t)
	b.put(cab("cab 1", 1, 1))
	l := b.server.opts.Live
	v, err := l.Changed(t.Context(), "cab 1", 0, waitAtMost)
	require.NoError(t, err)
	seen := live.Mark(v)
	v, err = l.Changed(t.Context(), "cab 1", seen, 20*pollEvery)
	require.NoError(t, err)
	require.Nil(t, v)
	b.fleet.Drop(b.home("cab 1"))
	_, err = l.Changed(t.Context(), "cab 1", seen, waitAtMost)
	require.ErrorIs(t, err, ErrUnavailable)
	one, same := cab("x", 1, 1), cab("x", 1, 1)
	require.Equal(t, live.Mark(one), live.Mark(same))
	require.NotEqual(t, live.Mark(&track.View{Vehicle: "x"}), live.Mark(&track.View{Vehicle: "y"}))
}
