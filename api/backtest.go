package api

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/trackmesh/trackmesh/backtest"
	"github.com/trackmesh/trackmesh/fence"
	"github.com/trackmesh/trackmesh/track"
)

const (
	defaultBacktestLimit = 1000
	maxBacktestLimit     = 100_000
	maxBacktestVehicles  = 1000
)

// backtestBody asks which events a fence would have made.
type backtestBody struct {
	From     json.RawMessage `json:"from"` // RFC 3339, or epoch milliseconds
	To       json.RawMessage `json:"to"`
	Vehicles []string        `json:"vehicles"` // none: all
	Feature  json.RawMessage `json:"feature"`  // instead of the fence that is stored, which need not be there
}

// backtestEnd is what a test says beside its events.
type backtestEnd struct {
	Fixes     int  `json:"fixes"`
	Vehicles  int  `json:"vehicles"`
	Limit     int  `json:"limit"`
	Truncated bool `json:"truncated"`
}

// postBacktest runs a fence over history. Lines go out as they are found, a document when all are.
func (s *Server) postBacktest(w http.ResponseWriter, r *http.Request) error {
	q, limit, err := s.backtestQuestion(w, r)
	if err != nil {
		return err
	}
	if s.opts.History == nil {
		return historyOff()
	}
	if !s.backtests.take() {
		return busy("too many backtests are under way")
	}
	defer s.backtests.free()
	ctx, cancel := context.WithTimeout(r.Context(), s.opts.BacktestTimeout)
	defer cancel()
	if strings.Contains(r.Header.Get("Accept"), "application/x-ndjson") {
		return s.streamBacktest(ctx, w, q, limit)
	}
	events := []json.RawMessage{}
	end, err := s.backtest(ctx, q, limit, func(line []byte) { events = append(events, append(json.RawMessage(nil), line...)) })
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, struct {
		Events []json.RawMessage `json:"events"`
		backtestEnd
	}{events, end})
}

// backtestQuestion reads a request.
func (s *Server) backtestQuestion(w http.ResponseWriter, r *http.Request) (*backtest.Question, int, error) {
	id, err := pathID(r, "id")
	if err != nil {
		return nil, 0, err
	}
	p := readParams(r, "limit")
	limit := p.integer("limit", defaultBacktestLimit, 1, maxBacktestLimit)
	if err := p.problem(); err != nil {
		return nil, 0, err
	}
	var body backtestBody
	if err := s.readJSON(w, r, &body); err != nil {
		return nil, 0, err
	}
	q := &backtest.Question{Vehicles: body.Vehicles, Settings: s.opts.Settings}
	if len(body.Vehicles) > maxBacktestVehicles {
		return nil, 0, badBody("/vehicles", "at most "+strconv.Itoa(maxBacktestVehicles)+"; none means all")
	}
	if q.From, err = bodyTime(body.From, "/from"); err != nil {
		return nil, 0, err
	}
	if q.To, err = bodyTime(body.To, "/to"); err != nil {
		return nil, 0, err
	}
	q.Fence, err = s.testedFence(r.Context(), id, body.Feature)
	return q, limit, err
}

func bodyTime(raw json.RawMessage, pointer string) (time.Time, error) {
	if len(raw) == 0 {
		return time.Time{}, badBody(pointer, "is needed")
	}
	text := string(raw)
	if raw[0] == '"' {
		if err := json.Unmarshal(raw, &text); err != nil {
			return time.Time{}, badBody(pointer, err.Error())
		}
	}
	t, err := parseTime(text)
	if err != nil {
		return time.Time{}, badBody(pointer, "must be RFC 3339 or epoch milliseconds")
	}
	return t, nil
}

// testedFence is the Feature that came with the question, or the fence that is stored.
func (s *Server) testedFence(ctx context.Context, id string, feature json.RawMessage) (*fence.Fence, error) {
	if len(feature) > 0 && string(feature) != "null" {
		f, err := fence.Parse(id, feature, -1)
		if refused, ok := errors.AsType[*fence.ParseError](err); ok {
			return nil, badBody("/feature"+refused.Pointer, refused.Reason)
		}
		return f, err
	}
	stored, err := s.opts.Fences.Get(ctx, id)
	if err != nil {
		return nil, noFence(err, id)
	}
	return fence.Parse(id, stored.Feature, stored.Version)
}

// backtest calls line with each event as JSON, which is only good until it returns.
func (s *Server) backtest(ctx context.Context, q *backtest.Question, limit int, line func([]byte)) (backtestEnd, error) {
	topic := s.opts.Log.Layout().Input
	n, buf, id := 0, []byte(nil), []byte(nil)
	sum, err := backtest.Run(ctx, s.opts.History, *q, func(e *track.Event) error {
		if n == limit {
			return backtest.ErrEnough
		}
		n++
		id = strconv.AppendInt(append(id[:0], "backtest-"...), int64(n), 10)
		buf = track.AppendEvent(buf[:0], e, id, topic, -1)
		line(buf)
		return nil
	})
	if errors.Is(err, backtest.ErrQuestion) {
		return backtestEnd{}, badBody("", err.Error())
	}
	return backtestEnd{sum.Fixes, sum.Vehicles, limit, sum.Stopped}, err
}

// streamBacktest answers with a line for each event and one for the end.
func (s *Server) streamBacktest(ctx context.Context, w http.ResponseWriter, q *backtest.Question, limit int) error {
	out := bufio.NewWriterSize(w, 32<<10)
	wrote := false
	end, err := s.backtest(ctx, q, limit, func(line []byte) {
		if !wrote {
			wrote = true
			w.Header().Set("Content-Type", "application/x-ndjson")
		}
		_, _ = out.Write(append(line, '\n')) // a client that left ends the context
	})
	if err != nil {
		if wrote {
			s.opts.Logger.Warn("a backtest broke off", "fence", q.Fence.ID, "err", err)
			panic(http.ErrAbortHandler) // the client must see that it is not whole
		}
		return err
	}
	last, err := json.Marshal(end)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	_, _ = out.Write(append(last, '\n'))
	_ = out.Flush() // a client that left cannot be told
	return nil
}
