package api

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/trackmesh/trackmesh/geo"
	"github.com/trackmesh/trackmesh/live"
)

// Where the automatic look changes, with 20 % of hysteresis.
const (
	cellsAbove  = 3000
	pointsBelow = 2400
	maxPoints   = 50_000
)

// sight is what a viewer looks at. Viewers of the same sight share their frames.
type sight struct {
	box       geo.Box
	look      look
	precision int // of cells; 0: chosen by the box
	limit     int // of points
}

// look is how the fleet is drawn.
type look uint8

const (
	lookPoints look = iota
	lookCells
)

func (l look) String() string { return [...]string{"points", "cells"}[l] }

// shot is a sight at one tick: encoded once, sent to every viewer of it. It is immutable.
type shot struct {
	frame  []byte
	items  []live.Item // of points, for the dictionaries
	inView int
	status []byte
}

// statusMessage goes before each frame.
type statusMessage struct {
	Type       string        `json:"type"` // "status"
	Time       int64         `json:"time"` // UTC ms
	InView     int           `json:"in_view"`
	Total      int           `json:"total"`
	Moving     int           `json:"moving"`
	Stopped    int           `json:"stopped"`
	Silent     int           `json:"silent"`
	Partitions live.Coverage `json:"partitions"`
	Look       string        `json:"look"`
}

// hub is the live map's clock, and keeps the shots of the current tick. Its clock runs while there are viewers.
type hub struct {
	live     Live
	metrics  *metrics
	interval time.Duration
	timeout  time.Duration
	now      func() time.Time

	clocks sync.WaitGroup

	mu      sync.Mutex
	viewers int
	cancel  context.CancelFunc // of the clock, while it runs
	tick    chan struct{}      // closed and replaced at each tick
	shots   map[sight]*pending
	counts  *counted // of this tick; nil: nobody asked yet
}

// counted are the fleet's numbers at one tick, asked for once, whatever the viewers look at.
type counted struct {
	once   sync.Once
	counts live.Counts
	err    error
}

// pending is a shot that somebody makes, or has made.
type pending struct {
	ready chan struct{} // closed when shot or err is there
	shot  *shot
	err   error
}

func newHub(o Options, m *metrics) *hub {
	return &hub{
		live: o.Frames, metrics: m, interval: o.FrameInterval, timeout: o.QueryTimeout, now: o.Now,
		tick: make(chan struct{}), shots: map[sight]*pending{},
	}
}

// enter counts a viewer and makes the clock run; leave must be called.
func (h *hub) enter() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.viewers++; h.viewers > 1 {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	h.cancel = cancel
	h.clocks.Go(func() { h.run(ctx) })
}

func (h *hub) leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.viewers--; h.viewers == 0 {
		h.cancel()
		h.shots, h.counts = map[sight]*pending{}, nil
	}
}

// stop waits for the clock; all viewers must have left.
func (h *hub) stop() { h.clocks.Wait() }

func (h *hub) run(ctx context.Context) {
	clock := time.NewTicker(h.interval)
	defer clock.Stop()
	for {
		select {
		case <-clock.C:
			h.mu.Lock()
			h.shots, h.counts = map[sight]*pending{}, nil
			close(h.tick)
			h.tick = make(chan struct{})
			h.mu.Unlock()
		case <-ctx.Done():
			return
		}
	}
}

// next is closed at the next tick.
func (h *hub) next() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.tick
}

// take returns the shot of a sight at this tick; the first viewer to ask makes it.
func (h *hub) take(ctx context.Context, s sight) (*shot, error) {
	h.mu.Lock()
	p, made := h.shots[s]
	if !made {
		p = &pending{ready: make(chan struct{})}
		h.shots[s] = p
	}
	h.mu.Unlock()
	if !made {
		h.metrics.frames.WithLabelValues("made").Inc()
		h.make(ctx, s, p)
		return p.shot, p.err
	}
	h.metrics.frames.WithLabelValues("shared").Inc()
	select {
	case <-p.ready:
		return p.shot, p.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// make fills a pending shot. Others wait for it too, so it does not end with the viewer that asked first.
func (h *hub) make(ctx context.Context, s sight, p *pending) {
	defer close(p.ready)
	p.err = ErrUnavailable // stays when shoot panics
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), h.timeout)
	defer cancel()
	p.shot, p.err = h.shoot(bounded, s)
}

// shoot asks for what is in sight and encodes it.
func (h *hub) shoot(ctx context.Context, s sight) (*shot, error) {
	counts, err := h.count(ctx)
	if err != nil {
		return nil, err
	}
	made := &shot{}
	var coverage live.Coverage
	now := h.now().UnixMilli()
	if s.look == lookCells {
		coverage, err = h.shootCells(ctx, s, now, made)
	} else {
		coverage, err = h.shootPoints(ctx, s, now, made)
	}
	if err != nil {
		return nil, err
	}
	if coverage.Missing == nil {
		coverage.Missing = []int32{}
	}
	made.status, err = json.Marshal(statusMessage{
		Type: "status", Time: now, InView: made.inView, Total: counts.Total, Moving: counts.Moving, Stopped: counts.Stopped,
		Silent: counts.Silent, Partitions: coverage, Look: s.look.String(),
	})
	return made, err
}

// count asks for the fleet's numbers, once a tick.
func (h *hub) count(ctx context.Context) (live.Counts, error) {
	h.mu.Lock()
	if h.counts == nil {
		h.counts = &counted{}
	}
	c := h.counts
	h.mu.Unlock()
	c.once.Do(func() { c.counts, _, c.err = h.live.Counts(ctx) })
	return c.counts, c.err
}

func (h *hub) shootCells(ctx context.Context, s sight, now int64, into *shot) (live.Coverage, error) {
	precision := s.precision
	if precision == 0 {
		precision = autoPrecision(s.box)
	}
	cells, coverage, err := h.live.Cells(ctx, precision, s.box)
	if err != nil {
		return coverage, err
	}
	for i := range cells {
		into.inView += int(cells[i].Count)
	}
	flags := partialFlag(coverage)
	if len(cells) > maxPoints {
		cells, flags = cells[:maxPoints], flags|flagCut
	}
	into.frame = cellsFrame(cells, precision, flags, now, into.inView)
	return coverage, nil
}

func (h *hub) shootPoints(ctx context.Context, s sight, now int64, into *shot) (live.Coverage, error) {
	seen, coverage, err := h.live.Visible(ctx, s.box, s.limit)
	if err != nil {
		return coverage, err
	}
	flags := partialFlag(coverage)
	if seen.InView > len(seen.Items) {
		flags |= flagCut
	}
	into.items, into.inView = seen.Items, seen.InView
	into.frame = pointsFrame(seen.Items, flags, now, seen.InView)
	return coverage, nil
}

func partialFlag(c live.Coverage) uint8 {
	if c.Whole() {
		return 0
	}
	return flagPartial
}
