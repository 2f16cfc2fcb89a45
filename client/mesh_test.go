package client

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"

	trackmeshv1 "github.com/trackmesh/trackmesh/messages/trackmesh/v1"
	"github.com/trackmesh/trackmesh/messages/trackmesh/v1/trackmeshv1connect"
)

// fakeNode is a node over a log that the test's nodes share.
type fakeNode struct {
	trackmeshv1connect.UnimplementedTrackServiceHandler
	trackmeshv1connect.UnimplementedClusterServiceHandler

	server *httptest.Server
	log    *fakeLog

	mu       sync.Mutex
	down     bool
	cutAfter int // a watch is cut after so many responses; 0: never
}

// fakeLog is what all nodes know: events by number, and messages by key.
type fakeLog struct {
	mu      sync.Mutex
	events  int
	applied map[string]int
	news    chan struct{}
}

func (l *fakeLog) emit(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events += n
	close(l.news)
	l.news = make(chan struct{})
}

func startNodes(t *testing.T, n int) (nodes []*fakeNode, addresses []string) {
	t.Helper()
	log := &fakeLog{applied: map[string]int{}, news: make(chan struct{})}
	for range n {
		f := &fakeNode{log: log}
		mux := http.NewServeMux()
		mux.Handle(trackmeshv1connect.NewTrackServiceHandler(f))
		mux.Handle(trackmeshv1connect.NewClusterServiceHandler(f))
		f.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			f.mu.Lock()
			down := f.down
			f.mu.Unlock()
			if down {
				panic(http.ErrAbortHandler)
			}
			mux.ServeHTTP(w, r)
		}))
		t.Cleanup(f.server.Close)
		nodes, addresses = append(nodes, f), append(addresses, f.server.URL)
	}
	return nodes, addresses
}

func (f *fakeNode) State(context.Context, *connect.Request[trackmeshv1.StateRequest]) (*connect.Response[trackmeshv1.StateResponse], error) {
	return connect.NewResponse(&trackmeshv1.StateResponse{Node: f.server.URL}), nil
}

func (f *fakeNode) Get(_ context.Context, r *connect.Request[trackmeshv1.GetRequest]) (*connect.Response[trackmeshv1.GetResponse], error) {
	if r.Msg.GetVehicle() != "taxi-1" {
		return nil, connect.NewError(connect.CodeNotFound, errors.New("no vehicle of that name"))
	}
	return connect.NewResponse(&trackmeshv1.GetResponse{Track: &trackmeshv1.TrackState{Vehicle: "taxi-1", Status: trackmeshv1.TrackStatus_TRACK_STATUS_STOPPED, Node: f.server.URL}}), nil
}

// Send applies a message, and loses the answer of each first attempt.
func (f *fakeNode) Send(_ context.Context, r *connect.Request[trackmeshv1.SendRequest]) (*connect.Response[trackmeshv1.SendResponse], error) {
	f.log.mu.Lock()
	f.log.applied[r.Msg.GetIdempotencyKey()]++
	seen := f.log.applied[r.Msg.GetIdempotencyKey()]
	f.log.mu.Unlock()
	if seen == 1 {
		panic(http.ErrAbortHandler)
	}
	return connect.NewResponse(&trackmeshv1.SendResponse{Topic: "positions.commands", Offset: 7, Applied: r.Msg.GetWaitMs() > 0}), nil
}

func (f *fakeNode) Search(_ context.Context, r *connect.Request[trackmeshv1.SearchRequest]) (*connect.Response[trackmeshv1.SearchResponse], error) {
	metres := 12.5
	return connect.NewResponse(&trackmeshv1.SearchResponse{
		Found:      []*trackmeshv1.FoundTrack{{Track: &trackmeshv1.TrackState{Vehicle: r.Msg.GetFence()}, DistanceMetres: &metres}},
		Partitions: &trackmeshv1.Coverage{Asked: 8, Answered: 7, Missing: []int32{3}},
	}), nil
}

func (f *fakeNode) Path(_ context.Context, r *connect.Request[trackmeshv1.PathRequest]) (*connect.Response[trackmeshv1.PathResponse], error) {
	return connect.NewResponse(&trackmeshv1.PathResponse{Points: []*trackmeshv1.PathPoint{{TimeMs: r.Msg.GetFromMs(), Position: &trackmeshv1.Place{Longitude: 1}}}}), nil
}

// Watch sends the events behind a cursor, in this log a number.
func (f *fakeNode) Watch(ctx context.Context, r *connect.Request[trackmeshv1.WatchRequest], out *connect.ServerStream[trackmeshv1.WatchResponse]) error {
	at := 0
	if c := r.Msg.GetCursor(); c == "gone" {
		return connect.NewError(connect.CodeOutOfRange, errors.New("the log no longer holds it"))
	} else if c != "" {
		_, _ = fmt.Sscan(c, &at)
	} else {
		f.log.mu.Lock()
		at = f.log.events
		f.log.mu.Unlock()
	}
	sent := 0
	send := func(m *trackmeshv1.WatchResponse) error {
		f.mu.Lock()
		cut := f.cutAfter > 0 && sent >= f.cutAfter
		f.mu.Unlock()
		if cut {
			panic(http.ErrAbortHandler)
		}
		sent++
		m.Cursor = strconv.Itoa(at)
		return out.Send(m)
	}
	if err := send(&trackmeshv1.WatchResponse{}); err != nil {
		return err
	}
	if err := send(&trackmeshv1.WatchResponse{Body: &trackmeshv1.WatchResponse_State{State: &trackmeshv1.TrackState{Vehicle: "taxi-1", Node: f.server.URL}}}); err != nil {
		return err
	}
	for {
		f.log.mu.Lock()
		end, news := f.log.events, f.log.news
		f.log.mu.Unlock()
		for at < end {
			at++
			if err := send(&trackmeshv1.WatchResponse{Body: &trackmeshv1.WatchResponse_Event{Event: &trackmeshv1.TrackEvent{Sequence: uint64(at)}}}); err != nil { //nolint:gosec // a count
				return err
			}
		}
		select {
		case <-news:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func dial(t *testing.T, o MeshOptions) *Mesh {
	t.Helper()
	m, err := DialWith(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(m.Close)
	return m
}

func TestAMeshGoesOnAtTheNextNode(t *testing.T) {
	nodes, addresses := startNodes(t, 3)
	m := dial(t, MeshOptions{Addresses: addresses})
	for down := range nodes {
		for i, n := range nodes {
			n.mu.Lock()
			n.down = i <= down && down < 2
			n.mu.Unlock()
		}
		state, err := m.Track("taxi-1").Get(t.Context())
		require.NoError(t, err)
		require.Equal(t, Stopped, state.Status)
		require.True(t, math.IsNaN(state.SpeedMPS))
	}
}

func TestDialFailsWhenNobodyIsThere(t *testing.T) {
	_, err := DialWith(t.Context(), MeshOptions{Addresses: []string{"http://127.0.0.1:1"}, RetryFor: 200 * time.Millisecond})
	require.ErrorContains(t, err, "dialling http://127.0.0.1:1")
	_, err = Dial(t.Context())
	require.Error(t, err)
	_, err = Dial(t.Context(), "ftp://x")
	require.Error(t, err)
}

func TestAnUnknownVehicleIsNotAskedForAgain(t *testing.T) {
	_, addresses := startNodes(t, 1)
	_, err := dial(t, MeshOptions{Addresses: addresses}).Track("nobody").Get(t.Context())
	require.ErrorIs(t, err, ErrNotFound)
}

func TestAMessageWhoseAnswerIsLostIsRepeatedUnderItsKey(t *testing.T) {
	nodes, addresses := startNodes(t, 2)
	m := dial(t, MeshOptions{Addresses: addresses})
	receipt, err := m.Track("taxi-1").Send(t.Context(), Annotate{"driver": "Ann"}, SendOptions{Wait: time.Second})
	require.NoError(t, err)
	require.Equal(t, Receipt{Topic: "positions.commands", Offset: 7, Applied: true}, receipt)
	log := nodes[0].log
	require.Len(t, log.applied, 1)
	for _, times := range log.applied {
		require.Equal(t, 2, times, "sent twice, with one key: the track applies it once")
	}
}

func TestSearchSaysWhatIsMissing(t *testing.T) {
	_, addresses := startNodes(t, 1)
	m := dial(t, MeshOptions{Addresses: addresses})
	got, err := m.Search(t.Context(), Query{Fence: "jfk", Near: &Near{K: 1}, Statuses: []Status{Moving}})
	require.NoError(t, err)
	require.Equal(t, []int32{3}, got.Missing)
	require.Equal(t, "jfk", got.Found[0].Vehicle)
	require.InDelta(t, 12.5, got.Found[0].DistanceMetres, 0)
	_, err = m.Search(t.Context(), Query{Near: &Near{}, Box: &Box{}})
	require.ErrorIs(t, err, ErrInvalid)
	_, err = m.Search(t.Context(), Query{Statuses: []Status{"parked"}})
	require.ErrorIs(t, err, ErrInvalid)
}

func TestPathHasItsTimes(t *testing.T) {
	_, addresses := startNodes(t, 1)
	from := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	way, err := dial(t, MeshOptions{Addresses: addresses}).Track("taxi-1").Path(t.Context(), PathQuery{From: from})
	require.NoError(t, err)
	require.Equal(t, from, way.Fixes[0].Time)
	require.True(t, math.IsNaN(way.Fixes[0].HeadingDegrees))
}

func TestAWatchThatIsCutAgainAndAgainMissesNothingAndRepeatsNothing(t *testing.T) {
	nodes, addresses := startNodes(t, 3)
	for i, n := range nodes {
		n.cutAfter = 5 + i
	}
	m := dial(t, MeshOptions{Addresses: addresses})
	const events = 40
	var sequences []uint64
	states := 0
	for u, err := range m.Track("taxi-1").Watch(t.Context(), WatchOptions{}) {
		require.NoError(t, err)
		switch {
		case u.State != nil:
			if states++; states == 1 {
				nodes[0].log.emit(events)
			}
		case u.Event != nil:
			sequences = append(sequences, u.Event.Sequence)
		}
		if len(sequences) == events {
			break
		}
	}
	for i, s := range sequences {
		require.EqualValues(t, i+1, s)
	}
	require.Equal(t, 1, states, "a state that did not change is told once")
}

func TestAWatchGoesOnFromACursorThatWasKept(t *testing.T) {
	nodes, addresses := startNodes(t, 1)
	nodes[0].log.emit(10)
	m := dial(t, MeshOptions{Addresses: addresses})
	for u, err := range m.Track("taxi-1").Watch(t.Context(), WatchOptions{Cursor: "4"}) {
		require.NoError(t, err)
		if u.Event != nil {
			require.EqualValues(t, 5, u.Event.Sequence)
			break
		}
	}
	for _, err := range m.Track("taxi-1").Watch(t.Context(), WatchOptions{Cursor: "gone"}) {
		require.ErrorIs(t, err, ErrCursorGone)
	}
}

func TestAWatchEndsWithItsContext(t *testing.T) {
	_, addresses := startNodes(t, 1)
	m := dial(t, MeshOptions{Addresses: addresses})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for _, err := range m.Track("taxi-1").Watch(ctx, WatchOptions{}) {
		require.NoError(t, err)
		cancel()
	}
	require.Error(t, ctx.Err())
}

func TestAWatchTakesASilentConnectionForDead(t *testing.T) {
	nodes, addresses := startNodes(t, 1)
	m := dial(t, MeshOptions{Addresses: addresses, Silence: 50 * time.Millisecond})
	seen := 0
	for u, err := range m.Track("taxi-1").Watch(t.Context(), WatchOptions{}) {
		require.NoError(t, err)
		if u.State != nil { // then nothing comes: the watch is made again
			time.AfterFunc(200*time.Millisecond, func() { nodes[0].log.emit(1) })
			continue
		}
		seen++
		break
	}
	require.Equal(t, 1, seen)
}

func TestATokenGoesAlong(t *testing.T) {
	var got string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Get("Authorization")
		w.WriteHeader(http.StatusForbidden)
	}))
	defer server.Close()
	_, err := DialWith(t.Context(), MeshOptions{Addresses: []string{server.URL}, Token: "secret"})
	require.ErrorIs(t, err, ErrDenied)
	require.Equal(t, "Bearer secret", got)
}
