package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"github.com/trackmesh/trackmesh/live"
)

// maxViewMessage bounds what a viewer may send.
const maxViewMessage = 4096

// viewMessage is what a viewer says: where it looks, and how.
type viewMessage struct {
	Type      string    `json:"type"` // "view"
	Box       []float64 `json:"bbox"`
	Look      string    `json:"look"`
	Precision int       `json:"precision"`
	Limit     int       `json:"limit"`
}

// view is a viewer's wish.
type view struct {
	sight
	auto bool
}

func parseView(raw []byte) (*view, error) {
	m := viewMessage{Look: "auto"}
	if err := json.Unmarshal(raw, &m); err != nil {
		return nil, fmt.Errorf("not JSON of the expected form: %w", err)
	}
	switch {
	case m.Type != "view":
		return nil, fmt.Errorf("type %q is not known: there is view", m.Type)
	case len(m.Box) != 4:
		return nil, errors.New("bbox must be [west,south,east,north]")
	case m.Precision < 0 || m.Precision > 9:
		return nil, errors.New("precision must be from 0 (chosen by the box) to 9")
	case m.Limit < 0:
		return nil, errors.New("limit must not be below zero")
	}
	box, err := boxOf(m.Box[0], max(-90, m.Box[1]), m.Box[2], min(90, m.Box[3]))
	if err != nil {
		return nil, fmt.Errorf("bbox: %w", err)
	}
	v := &view{sight: sight{box: box, precision: m.Precision, limit: min(m.Limit, maxPoints)}}
	if v.limit == 0 {
		v.limit = maxPoints
	}
	switch m.Look {
	case "auto":
		v.auto = true
	case "points", "heat": // the heat is the client's drawing of points
	case "cells":
		v.look = lookCells
	default:
		return nil, fmt.Errorf("look %q is not known: there are auto, points, cells, heat", m.Look)
	}
	return v, nil
}

// getLive serves the live map's WebSocket.
func (s *Server) getLive(w http.ResponseWriter, r *http.Request) error {
	if p := readParams(r); p.problem() != nil {
		return p.problem()
	}
	if err := s.checkUpgrade(w, r); err != nil {
		return err
	}
	done, err := s.enterStream("live")
	if err != nil {
		return err
	}
	defer done()
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true}) // checkUpgrade has looked at the origin
	if err != nil {
		return nil //nolint:nilerr // Accept has answered
	}
	defer func() { _ = conn.CloseNow() }() // after serve it is closed already
	defer s.cutWhenKilled(r.Context())()
	conn.SetReadLimit(maxViewMessage)
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(s.stopping, cancel)() //nolint:contextcheck // the server's end ends streams too
	v := &viewer{conn: conn, hub: s.hub, patience: s.opts.ClientPatience, metrics: s.metrics, changed: make(chan struct{}, 1)}
	s.hub.enter() //nolint:contextcheck // the clock outlives the viewer who is first
	defer s.hub.leave()
	v.serve(ctx, cancel)
	return nil
}

// checkUpgrade refuses what is no WebSocket, and pages of origins that may not read here.
func (s *Server) checkUpgrade(w http.ResponseWriter, r *http.Request) error {
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		w.Header().Set("Upgrade", "websocket")
		return named(http.StatusUpgradeRequired, "upgrade", "this is a WebSocket")
	}
	origin := r.Header.Get("Origin")
	if origin == "" || s.allowedOrigin(origin) != "" {
		return nil
	}
	if u, err := url.Parse(origin); err == nil && strings.EqualFold(u.Host, r.Host) {
		return nil
	}
	return named(http.StatusForbidden, "origin", "a page of another origin may not do this; --cors-origins names those that may")
}

// viewer is one client of the live map. At each tick it is sent the newest frame of what it looks at; while it is slow, ticks
// pass it by. Nothing is queued.
type viewer struct {
	conn     *websocket.Conn
	hub      *hub
	metrics  *metrics
	patience time.Duration
	wish     atomic.Pointer[view]
	changed  chan struct{} // has room for one

	sent  time.Time // the last frame
	look  look      // the one chosen last by "auto"
	named births
}

// serve ends when the client leaves, is too slow, or ctx ends. Reading and writing do not end with ctx: the library would cut the
// connection without a word.
func (v *viewer) serve(ctx context.Context, cancel context.CancelFunc) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer cancel()
		v.listen(context.WithoutCancel(ctx))
	}()
	v.send(ctx)
	_ = v.conn.Close(websocket.StatusGoingAway, "connect again") // waits some seconds for the client's word; ends listen
	<-done
}

// listen takes the viewer's wishes.
func (v *viewer) listen(ctx context.Context) {
	for {
		kind, raw, err := v.conn.Read(ctx)
		if err != nil {
			return
		}
		wish, err := parseView(raw)
		if kind != websocket.MessageText {
			err = errors.New("text is wanted")
		}
		if err != nil {
			_ = v.conn.Close(websocket.StatusPolicyViolation, clip(err.Error())) // it is gone either way
			return
		}
		v.wish.Store(wish)
		select {
		case v.changed <- struct{}{}:
		default:
		}
	}
}

// clip keeps a reason for closing within what a control frame holds.
func clip(s string) string { return s[:min(len(s), 120)] }

// send sends a frame at each tick, and at once when the wish changed.
func (v *viewer) send(ctx context.Context) {
	beat := time.NewTicker(20 * time.Second)
	defer beat.Stop()
	for {
		tick := v.hub.next()
		select {
		case <-tick:
		case <-v.changed:
			if v.hub.now().Sub(v.sent) < v.hub.interval {
				continue // the next tick shows it: whoever drags the map sends many
			}
		case <-beat.C:
			if v.ping(ctx) != nil {
				return
			}
			continue
		case <-ctx.Done():
			return
		}
		wish := v.wish.Load()
		if wish == nil {
			continue
		}
		v.sent = v.hub.now()
		if v.frame(ctx, wish) != nil {
			return
		}
	}
}

// ping finds out whether the client is still there; its answer is read by listen.
func (v *viewer) ping(ctx context.Context) error {
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), v.patience)
	defer cancel()
	return v.conn.Ping(bounded)
}

func (v *viewer) frame(ctx context.Context, wish *view) error {
	shot, err := v.shot(ctx, wish)
	if err != nil {
		return ctx.Err() // this tick has no frame; the next may
	}
	if err := v.write(ctx, websocket.MessageText, shot.status); err != nil {
		return err
	}
	if unnamed := v.named.missing(shot.items); len(unnamed) > 0 {
		if err := v.write(ctx, websocket.MessageBinary, dictionaryFrame(unnamed, v.hub.now().UnixMilli())); err != nil {
			return err
		}
	}
	return v.write(ctx, websocket.MessageBinary, shot.frame)
}

// shot takes the shot of the wish, changing the look when it is left to us.
func (v *viewer) shot(ctx context.Context, wish *view) (*shot, error) {
	s := wish.sight
	if !wish.auto {
		return v.hub.take(ctx, s)
	}
	s.look = v.look
	if s.look == lookPoints {
		s.limit = min(s.limit, cellsAbove)
	}
	taken, err := v.hub.take(ctx, s)
	if err != nil {
		return nil, err
	}
	switch {
	case v.look == lookPoints && taken.inView > cellsAbove:
		v.look = lookCells
	case v.look == lookCells && taken.inView < pointsBelow:
		v.look = lookPoints
		s.limit = min(s.limit, cellsAbove)
	default:
		return taken, nil
	}
	s.look = v.look
	return v.hub.take(ctx, s)
}

// write gives a slow client so long and no longer.
func (v *viewer) write(ctx context.Context, kind websocket.MessageType, b []byte) error {
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), v.patience)
	defer cancel()
	return v.conn.Write(bounded, kind, b)
}

// births remembers which vehicles a client knows the names of, a bit for each birth number. It forgets all when it grows too
// large: the names are sent again then.
type births struct {
	pages map[uint32]*[64]uint64 // of 4096 numbers
}

// maxPages bounds a viewer's memory to 2 MiB, or 16 million vehicles.
const maxPages = 4096

// missing returns the items whose names were not sent, and counts them as sent.
func (n *births) missing(items []live.Item) []live.Item {
	if n.pages == nil || len(n.pages) > maxPages {
		n.pages = map[uint32]*[64]uint64{}
	}
	var unnamed []live.Item
	for i := range items {
		b := items[i].Birth
		page := n.pages[b>>12]
		if page == nil {
			page = new([64]uint64)
			n.pages[b>>12] = page
		}
		word, bit := &page[b>>6&63], uint64(1)<<(b&63)
		if *word&bit == 0 {
			*word |= bit
			unnamed = append(unnamed, items[i])
		}
	}
	return unnamed
}
