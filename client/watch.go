package client

import (
	"context"
	"encoding/json"
	"iter"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	trackmeshv1 "github.com/trackmesh/trackmesh/messages/trackmesh/v1"
)

// WatchOptions of a watch.
type WatchOptions struct {
	// Cursor to go on from: that of the last update that was dealt with. Empty: from now on.
	Cursor string
}

// Update is a state or an event of a watched vehicle.
type Update struct {
	State *State // it changed; nil: this is an event
	Event *Event
	// Cursor resumes behind this update, at any node. Events behind it come once each; states are not kept, the newest comes first.
	Cursor string
}

// Event is a committed event.
type Event struct {
	ID       string
	Type     string // enter, exit, cross, dwell, stop_started …
	Vehicle  string
	Sequence uint64 // counts a track's events without holes
	Time     time.Time
	Fence    string          // its id, where there is one
	Body     json.RawMessage // the whole event
}

// Watch yields the vehicle's state, again whenever it changes, and its events as they are committed. A connection that is lost is made
// again, at another node where there is one, from where it was: no event is missed and none comes twice. It ends with ctx (without an
// error), when the loop is left, or after an error that no repeat can help, which it yields.
func (t *Track) Watch(ctx context.Context, o WatchOptions) iter.Seq2[Update, error] {
	return func(yield func(Update, error) bool) {
		w := &watching{track: t, cursor: o.Cursor, yield: yield}
		pauses := newWaits()
		for ctx.Err() == nil {
			at := t.mesh.at.Load()
			node := t.mesh.nodes[at%uint32(len(t.mesh.nodes))] //nolint:gosec // addresses are few
			alive, err := w.once(ctx, node)
			switch {
			case w.left || ctx.Err() != nil:
				return
			case final(err):
				yield(Update{}, translated(node, err))
				return
			case alive:
				pauses.Reset()
			}
			t.mesh.at.CompareAndSwap(at, at+1)
			if !pauses.wait(ctx) {
				return
			}
		}
	}
}

// watching is a watch over its connections.
type watching struct {
	track  *Track
	cursor string
	last   *trackmeshv1.TrackState
	yield  func(Update, error) bool
	left   bool // the loop was
}

// once reads one connection to its end. alive: something came.
func (w *watching) once(ctx context.Context, node *endpoint) (alive bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	silence := w.track.mesh.opts.Silence
	watchdog := time.AfterFunc(silence, cancel)
	defer watchdog.Stop()
	stream, err := node.tracks.Watch(ctx, connect.NewRequest(&trackmeshv1.WatchRequest{Vehicle: w.track.vehicle, Cursor: w.cursor}))
	if err != nil {
		return false, err
	}
	defer func() { _ = stream.Close() }() // it was only read
	for stream.Receive() {
		alive = true
		watchdog.Reset(silence)
		if !w.take(stream.Msg()) {
			w.left = true
			cancel()
			return true, nil
		}
	}
	return alive, stream.Err()
}

// take passes a response on; it reports whether the loop goes on. A state that is told again after a reconnect is passed over.
func (w *watching) take(m *trackmeshv1.WatchResponse) bool {
	w.cursor = m.GetCursor()
	switch body := m.GetBody().(type) {
	case *trackmeshv1.WatchResponse_State:
		same := w.last
		w.last = body.State
		if same != nil {
			same.Node = body.State.GetNode()
			if proto.Equal(same, body.State) {
				return true
			}
		}
		return w.yield(Update{State: stateOf(body.State), Cursor: w.cursor}, nil)
	case *trackmeshv1.WatchResponse_Event:
		e := body.Event
		return w.yield(Update{Cursor: w.cursor, Event: &Event{
			ID: e.GetId(), Type: e.GetType(), Vehicle: e.GetVehicle(), Sequence: e.GetSequence(), Time: time.UnixMilli(e.GetTimeMs()).UTC(),
			Fence: e.GetFence(), Body: json.RawMessage(e.GetJson()),
		}}, nil)
	}
	return true
}
