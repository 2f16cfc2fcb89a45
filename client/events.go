package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// EventsOptions of a stream of events.
type EventsOptions struct {
	// Query holds the filters: type, fence, vehicle, bbox.
	Query url.Values
	// After is the cursor to go on from. Empty: from now on.
	After string
	// Silence is how long nothing may come before the connection is taken for dead. Zero: 45 s, three heartbeats.
	Silence time.Duration
	// OnCursor hears of each cursor that came without an event: at the start and when nothing passes the filter.
	OnCursor func(cursor string)
	// OnReconnect hears why the connection was lost, before a new one is tried after the wait.
	OnReconnect func(err error, wait time.Duration)
}

// StreamedEvent is an event with the cursor to go on from.
type StreamedEvent struct {
	Cursor string
	Body   json.RawMessage
}

// Events calls fn with each event as it is committed. A lost connection is made again from the last cursor, so that none is
// missed and none comes twice; a first connection that fails, and what the server refuses for good, ends it. It returns
// nil when ctx ends.
func (c *Client) Events(ctx context.Context, o EventsOptions, fn func(StreamedEvent) error) error {
	if o.Silence <= 0 {
		o.Silence = 45 * time.Second
	}
	waits := backoff.NewExponentialBackOff()
	waits.InitialInterval, waits.MaxInterval = 200*time.Millisecond, 5*time.Second
	s := &stream{client: c, opts: o, cursor: o.After, fn: fn}
	for ctx.Err() == nil {
		opened, err := s.once(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if opened {
			waits.Reset()
			s.known = true
		}
		if problem, refused := errors.AsType[*Problem](err); !s.known || errors.Is(err, errStop) || refused && !problem.Temporary() {
			return unstopped(err)
		}
		wait := waits.NextBackOff()
		if o.OnReconnect != nil {
			o.OnReconnect(err, wait)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
	return nil
}

// errStop marks an error of the caller's.
var errStop = errors.New("stopped")

func unstopped(err error) error {
	if stopped, ok := errors.AsType[*stopError](err); ok {
		return stopped.cause
	}
	return err
}

type stopError struct{ cause error }

func (e *stopError) Error() string        { return e.cause.Error() }
func (e *stopError) Is(target error) bool { return target == errStop }

// stream is a stream over its connections.
type stream struct {
	client *Client
	opts   EventsOptions
	cursor string
	known  bool // a connection has been there
	fn     func(StreamedEvent) error
}

// once reads one connection to its end.
func (s *stream) once(ctx context.Context) (opened bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watchdog := time.AfterFunc(s.opts.Silence, func() { cancel(fmt.Errorf("nothing came for %s", s.opts.Silence)) })
	defer watchdog.Stop()
	header := http.Header{"Accept": {"text/event-stream"}}
	if s.cursor != "" {
		header.Set("Last-Event-ID", s.cursor)
	}
	resp, err := s.client.Open(ctx, Request{Path: Path("events", "stream"), Query: s.opts.Query, Header: header})
	if err != nil {
		return false, silenced(ctx, err)
	}
	defer func() { _ = resp.Body.Close() }() // it was only read
	in := bufio.NewReaderSize(resp.Body, 64<<10)
	for {
		m, err := readMessage(in, func() { watchdog.Reset(s.opts.Silence) })
		if err != nil {
			return true, silenced(ctx, err)
		}
		if err := s.take(m); err != nil {
			return true, err
		}
	}
}

// silenced prefers the watchdog's reason to what it made of the connection.
func silenced(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if errors.Is(err, io.EOF) {
		return errors.New("the server closed the connection")
	}
	return err
}

func (s *stream) take(m message) error {
	if m.event == "problem" {
		problem := &Problem{}
		if err := json.Unmarshal(m.data, problem); err != nil {
			return fmt.Errorf("reading the stream's problem: %w", err)
		}
		return problem
	}
	if m.id != "" {
		s.cursor = m.id
	}
	if len(m.data) == 0 {
		if m.id != "" && s.opts.OnCursor != nil {
			s.opts.OnCursor(m.id)
		}
		return nil
	}
	if err := s.fn(StreamedEvent{Cursor: s.cursor, Body: m.data}); err != nil {
		return &stopError{err}
	}
	return nil
}

// message is one server-sent message.
type message struct {
	id, event string
	data      []byte
}

// readMessage reads up to the blank line that ends a message; alive is called with each line.
func readMessage(in *bufio.Reader, alive func()) (message, error) {
	var m message
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return m, err // an unfinished message counts as not sent
		}
		alive()
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			return m, nil
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(name) {
		case "id":
			m.id = string(value)
		case "event":
			m.event = string(value)
		case "data":
			if m.data != nil {
				m.data = append(m.data, '\n')
			}
			m.data = append(m.data, value...)
		}
	}
}
