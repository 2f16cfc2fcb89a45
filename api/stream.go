package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/trackmesh/trackmesh/broker"
	"github.com/trackmesh/trackmesh/geo"
)

// eventFilter says which events a client wants; empty parts let all pass.
type eventFilter struct {
	types, fences, vehicles []string
	box                     *geo.Box
}

func (f *eventFilter) passes(e *streamed) bool {
	return (len(f.types) == 0 || slices.Contains(f.types, e.kind)) &&
		(len(f.fences) == 0 || slices.Contains(f.fences, e.fence)) &&
		(len(f.vehicles) == 0 || slices.Contains(f.vehicles, e.vehicle)) &&
		(f.box == nil || (e.located && f.box.Contains(e.location)))
}

// getEventStream sends events as they are committed, from the client's cursor on.
func (s *Server) getEventStream(w http.ResponseWriter, r *http.Request) error {
	p := readParams(r, "after", "type", "fence", "vehicle", "bbox")
	filter := eventFilter{types: p.eventTypes(), fences: p.each("fence"), vehicles: p.each("vehicle"), box: p.box()}
	after := p.text("after")
	if last := r.Header.Get("Last-Event-ID"); last != "" {
		after = last // a browser that reconnects sends the address of its first connection, and where it got to
	}
	if err := p.problem(); err != nil {
		return err
	}
	done, err := s.enterStream("events")
	if err != nil {
		return err
	}
	defer done()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(s.stopping, cancel)() //nolint:contextcheck // the server's end ends streams too
	s.tail.start()                                //nolint:contextcheck // the tail outlives the client that is first
	out := newEventWriter(w, s)
	sub := &subscriber{s: s, filter: filter, out: out, log: logNumber(s.opts.Log.Layout().StateID)}
	if sub.at, err = s.startOf(ctx, after, sub.log); err != nil {
		return err
	}
	if out.open(sub.id()) == nil {
		sub.run(ctx)
	}
	return nil
}

// enterStream counts a client that stays; done must be called when it leaves.
func (s *Server) enterStream(kind string) (done func(), err error) {
	s.entering.Lock()
	defer s.entering.Unlock()
	if s.stopping.Err() != nil || !s.watchers.take() {
		return nil, busy("there are too many streams, or the node is stopping: connect again")
	}
	s.streams.Add(1)
	gauge := s.metrics.streams.WithLabelValues(kind)
	gauge.Inc()
	return func() {
		gauge.Dec()
		s.watchers.free()
		s.streams.Done()
	}, nil
}

// startOf reads a client's cursor and checks that the log still holds what comes after it. Without one it is "from now on".
func (s *Server) startOf(ctx context.Context, after string, log uint32) (cursor, error) {
	bound, cancel := context.WithTimeout(ctx, s.opts.QueryTimeout)
	defer cancel()
	if after == "" {
		for {
			c, news := s.tail.now()
			if c != nil {
				return c, nil
			}
			select {
			case <-news:
			case <-bound.Done():
				return nil, ErrUnavailable
			}
		}
	}
	c, err := decodeCursor(after, log, int(s.opts.Log.Layout().Partitions))
	if err != nil {
		return nil, named(http.StatusGone, "cursor", "the cursor is none of this log: begin again without one; events between are missed")
	}
	for p := range c {
		if err := s.checkBounds(bound, int32(p), c[p]); err != nil { //nolint:gosec // partitions are int32
			return nil, err
		}
	}
	return c, nil
}

// checkBounds returns nil when the log holds what comes after an offset. One past the end is waited for a little: right after its
// leader changed, a partition may not know yet how far it is.
func (s *Server) checkBounds(ctx context.Context, p int32, offset int64) error {
	for try := range 10 {
		earliest, end, err := s.opts.Log.Bounds(ctx, broker.Events, p)
		switch {
		case err != nil:
			return err
		case offset < earliest:
			return cursorGone()
		case offset <= end:
			return nil
		}
		if !sleepUntil(ctx, time.Duration(try)*20*time.Millisecond) {
			return context.Cause(ctx)
		}
	}
	return cursorGone()
}

func cursorGone() *problem {
	return named(http.StatusGone, "cursor", "the log no longer holds what comes after the cursor: ask /api/v1/events for it, and begin again without a cursor")
}

// subscriber is one client of the stream.
type subscriber struct {
	s      *Server
	filter eventFilter
	out    eventSink
	log    uint32
	at     cursor // what the client has not been sent yet
	told   bool   // whether the client knows at
	number uint64 // where in the tail it is
}

func (u *subscriber) id() string { return u.at.encode(u.log) }

// run sends until the client leaves or is too slow, or the node stops.
func (u *subscriber) run(ctx context.Context) {
	beat := time.NewTicker(u.s.opts.StreamHeartbeat)
	defer beat.Stop()
	u.told = true
	for ctx.Err() == nil {
		w := u.s.tail.since(u.at, u.number)
		if w.behind {
			if !u.catchUp(ctx) {
				return
			}
			u.number = 0
			continue
		}
		u.number = w.next
		for _, e := range w.events {
			if u.send(e) != nil {
				return
			}
		}
		if len(w.events) > 0 {
			if u.out.flush() != nil {
				return
			}
			continue
		}
		select {
		case <-w.news:
		case <-beat.C:
			if u.heartbeat() != nil {
				return
			}
		case <-ctx.Done():
		}
	}
}

// send writes an event that the client has not seen, if it wants it.
func (u *subscriber) send(e *streamed) error {
	if e.offset < u.at[e.partition] {
		return nil
	}
	u.at[e.partition] = e.offset + 1
	if !u.filter.passes(e) {
		u.told = false
		return nil
	}
	u.told = true
	return u.out.event(u.id(), e.body)
}

// heartbeat keeps the connection open, and the client's cursor near the end though nothing passes its filter.
func (u *subscriber) heartbeat() error {
	id := ""
	if !u.told {
		id = u.id()
	}
	u.told = true
	if err := u.out.comment(id); err != nil {
		return err
	}
	return u.out.flush()
}

// catchUp reads the log from the client's cursor until the tail holds the rest. It reports whether to go on.
func (u *subscriber) catchUp(ctx context.Context) bool {
	reader, err := u.s.opts.Log.NewReader(broker.ReaderOptions{Name: "event-catch-up", MaxBufferedBytes: 1 << 20, MaxPartitionBytes: 256 << 10})
	if err != nil {
		u.out.fail(ErrUnavailable)
		return false
	}
	defer reader.Close()
	for p, offset := range u.at {
		reader.Add(broker.Events, int32(p), offset) //nolint:gosec // partitions are int32
	}
	for {
		poll, cancel := context.WithTimeout(ctx, u.s.opts.StreamHeartbeat)
		fetches, err := reader.Poll(poll)
		quiet := poll.Err() != nil
		cancel()
		switch {
		case ctx.Err() != nil:
			return false
		case err != nil && !quiet:
			u.out.fail(err)
			return false
		case len(fetches) == 0 && u.heartbeat() != nil:
			return false
		}
		if !u.sendAll(fetches) {
			return false
		}
		if !u.s.tail.since(u.at, 0).behind {
			return true
		}
	}
}

func (u *subscriber) sendAll(fetches []broker.Fetch) bool {
	for i := range fetches {
		f := &fetches[i]
		if f.Err != nil {
			u.out.fail(f.Err)
			return false
		}
		for j := range f.Records {
			if u.send(parseStreamed(&f.Records[j])) != nil {
				return false
			}
		}
		u.at[f.Partition] = max(u.at[f.Partition], f.Next) // past what are no records
	}
	return u.out.flush() == nil
}

// eventSink is how a subscriber's client is written to.
type eventSink interface {
	event(id string, body []byte) error
	// comment is a heartbeat; an id moves the client's cursor.
	comment(id string) error
	flush() error
	// fail says why the stream ends.
	fail(err error)
}

// eventWriter writes server-sent events. A client that takes none for ClientPatience is cut off.
type eventWriter struct {
	w    http.ResponseWriter
	conn *http.ResponseController
	s    *Server
	buf  []byte
}

func newEventWriter(w http.ResponseWriter, s *Server) *eventWriter {
	return &eventWriter{w: w, conn: http.NewResponseController(w), s: s}
}

// open begins the stream. The first thing sent is the cursor, so that a client that is cut off before the first event misses none.
func (o *eventWriter) open(id string) error {
	h := o.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	o.w.WriteHeader(http.StatusOK)
	o.buf = append(o.buf, "retry: 2000\nid: "+id+"\n\n"...)
	return o.flush()
}

// flushAt is how much is gathered before it is written.
const flushAt = 32 << 10

func (o *eventWriter) event(id string, body []byte) error {
	o.buf = append(o.buf, "id: "...)
	o.buf = append(o.buf, id...)
	o.buf = append(o.buf, "\ndata: "...)
	o.buf = append(o.buf, oneLine(body)...)
	o.buf = append(o.buf, "\n\n"...)
	if len(o.buf) >= flushAt {
		return o.write()
	}
	return nil
}

// oneLine takes line breaks out of JSON, where they can only stand between tokens.
func oneLine(body []byte) []byte {
	if !slices.ContainsFunc(body, isBreak) {
		return body
	}
	return slices.DeleteFunc(slices.Clone(body), isBreak)
}

func isBreak(b byte) bool { return b == '\n' || b == '\r' }

// comment is a heartbeat; an id moves the client's cursor without an event.
func (o *eventWriter) comment(id string) error {
	o.buf = append(o.buf, ":\n"...)
	if id != "" {
		o.buf = append(o.buf, "id: "+id+"\n"...)
	}
	o.buf = append(o.buf, '\n')
	return nil
}

// fail ends the stream with an event of the name "problem" that says why; its data is a problem document.
func (o *eventWriter) fail(err error) {
	p, _ := asProblem(err)
	if _, gone := errors.AsType[*broker.OffsetError](err); gone {
		p = cursorGone()
	}
	doc, _ := json.Marshal(map[string]any{ //nolint:errchkjson // plain values
		"type": typePrefix + p.name, "title": http.StatusText(p.status), "status": p.status, "detail": p.detail,
	})
	o.buf = append(o.buf, "event: problem\ndata: "...)
	o.buf = append(append(o.buf, doc...), "\n\n"...)
	_ = o.flush() // the stream ends either way
}

func (o *eventWriter) write() error {
	_ = o.conn.SetWriteDeadline(time.Now().Add(o.s.opts.ClientPatience)) // not every test's connection has one
	_, err := o.w.Write(o.buf)
	o.buf = o.buf[:0]
	return err
}

func (o *eventWriter) flush() error {
	if len(o.buf) > 0 {
		if err := o.write(); err != nil {
			return err
		}
	}
	return o.conn.Flush()
}
