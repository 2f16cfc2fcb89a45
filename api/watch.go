package api

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect"

	"github.com/trackmesh/trackmesh/broker"
	"github.com/trackmesh/trackmesh/live"
	trackmeshv1 "github.com/trackmesh/trackmesh/messages/trackmesh/v1"
)

// watchTurn is how long the owner of a vehicle is asked to wait for a change before it is looked for anew.
const watchTurn = 10 * time.Second

// Watch implements the procedure: two things go into one stream, the states from the owner's live index and the events from the log.
func (t trackService) Watch(ctx context.Context, r *connect.Request[trackmeshv1.WatchRequest], out *connect.ServerStream[trackmeshv1.WatchResponse]) error {
	s := t.s
	vehicle, err := checkVehicle(r.Msg.GetVehicle())
	if err != nil {
		return s.rpcError(err)
	}
	if r.Msg.GetCursor() == "" {
		if _, err := s.findTrack(ctx, vehicle); err != nil {
			return s.rpcError(err)
		}
	}
	done, err := s.enterStream("watch")
	if err != nil {
		return s.rpcError(err)
	}
	defer done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.stopping, cancel)() //nolint:contextcheck // the server's end ends streams too
	s.tail.start()                                //nolint:contextcheck // the tail outlives the client that is first
	w := &watchWriter{s: s, out: out, cancel: cancel}
	sub := &subscriber{s: s, filter: eventFilter{vehicles: []string{vehicle}}, out: w, log: logNumber(s.opts.Log.Layout().StateID)}
	if sub.at, err = s.startOf(ctx, r.Msg.GetCursor(), sub.log); err != nil {
		return s.rpcError(err)
	}
	if w.comment(sub.id()) != nil {
		return nil
	}
	var states sync.WaitGroup
	states.Go(func() { w.states(ctx, vehicle) })
	sub.run(ctx)
	cancel()
	states.Wait()
	if s.stopping.Err() != nil {
		return connect.NewError(connect.CodeUnavailable, errors.New("the node is stopping: go on at another one"))
	}
	return w.failure()
}

// watchWriter sends what a watch sees; two goroutines write to it.
type watchWriter struct {
	s      *Server
	out    *connect.ServerStream[trackmeshv1.WatchResponse]
	cancel context.CancelFunc

	mu     sync.Mutex
	cursor string // of what was sent
	failed error
}

// states sends the vehicle's state, and again whenever it changes.
func (w *watchWriter) states(ctx context.Context, vehicle string) {
	defer w.cancel()
	seen := uint64(0)
	for ctx.Err() == nil {
		v, err := w.s.opts.Live.Changed(ctx, vehicle, seen, watchTurn)
		switch {
		case err != nil:
			if !sleepUntil(ctx, 250*time.Millisecond) { // it is on its way to another node
				return
			}
		case v != nil:
			seen = live.Mark(v)
			if w.send(&trackmeshv1.WatchResponse{Body: &trackmeshv1.WatchResponse_State{State: w.s.trackState(v)}}, "") != nil {
				return
			}
		}
	}
}

// send sends a response behind a cursor; "": the one before.
func (w *watchWriter) send(m *trackmeshv1.WatchResponse, cursor string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if cursor != "" {
		w.cursor = cursor
	}
	m.Cursor = w.cursor
	return w.out.Send(m)
}

func (w *watchWriter) event(id string, body []byte) error {
	var fields struct {
		ID       string    `json:"id"`
		Type     string    `json:"type"`
		Time     time.Time `json:"@timestamp"`
		Vehicle  string    `json:"vehicle"`
		Sequence uint64    `json:"sequence"`
		Fence    struct {
			ID string `json:"id"`
		} `json:"fence"`
	}
	if json.Unmarshal(body, &fields) != nil {
		return nil // no event of ours
	}
	return w.send(&trackmeshv1.WatchResponse{Body: &trackmeshv1.WatchResponse_Event{Event: &trackmeshv1.TrackEvent{
		Id: fields.ID, Type: fields.Type, Vehicle: fields.Vehicle, Sequence: fields.Sequence, TimeMs: fields.Time.UnixMilli(), Fence: fields.Fence.ID,
		Json: strings.ToValidUTF8(string(body), "\uFFFD"),
	}}}, id)
}

func (w *watchWriter) comment(id string) error {
	return w.send(&trackmeshv1.WatchResponse{}, id)
}

func (w *watchWriter) flush() error { return nil } // each response was

func (w *watchWriter) fail(err error) {
	if _, gone := errors.AsType[*broker.OffsetError](err); gone {
		err = cursorGone()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failed = w.s.rpcError(err)
}

func (w *watchWriter) failure() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.failed
}
