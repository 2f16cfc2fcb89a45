package backtest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/trackmesh/trackmesh/fence"
	"github.com/trackmesh/trackmesh/history"
	"github.com/trackmesh/trackmesh/track"
)

// ErrQuestion: the question makes no sense; the text says why.
var ErrQuestion = errors.New("cannot be tested")

// MaxSpan bounds how much time a test covers.
const MaxSpan = 366 * 24 * time.Hour

// Question is a fence and the part of history that it is to be run over.
type Question struct {
	Fence    *fence.Fence
	From, To time.Time
	Vehicles []string       // none: all
	Settings track.Settings // the node's; the reorder window does not count, history is in order
	PageSize int            // fixes asked of the store at a time; 0: 200,000
}

// Summary is how much was looked at.
type Summary struct {
	Fixes    int  // in the span
	Vehicles int  // that had a fix in the span
	Stopped  bool // emit said ErrEnough: there may be more
}

// ErrEnough is what emit returns when it wants no more events.
var ErrEnough = errors.New("enough")

// Run calls emit for each event of the fence between From and To, a vehicle's in order. The event is valid until emit returns.
//
// A track begins with the newest fix of the half hour before From, so that a vehicle which is inside then does not enter at From.
func Run(ctx context.Context, store history.Store, q Question, emit func(*track.Event) error) (Summary, error) {
	r, err := newRun(store, q, emit)
	if err != nil {
		return Summary{}, err
	}
	if len(q.Vehicles) == 0 {
		err = r.fleet(ctx)
	}
	for _, v := range q.Vehicles {
		if err == nil {
			err = r.vehicle(ctx, v)
		}
	}
	if errors.Is(err, ErrEnough) {
		r.summary.Stopped, err = true, nil
	}
	return r.summary, err
}

// run is one test under way.
type run struct {
	store    history.Store
	q        Question
	emit     func(*track.Event) error
	from, to int64 // UTC ms
	env      track.Env
	out      track.Output
	tracks   map[string]*tested
	fix      track.Fix
	summary  Summary
}

// tested is a vehicle's track.
type tested struct {
	*track.Track
	counted bool
}

const defaultPage = 200_000

func newRun(store history.Store, q Question, emit func(*track.Event) error) (*run, error) {
	switch {
	case q.Fence.Follows != "":
		return nil, fmt.Errorf("%w: where a fence that follows a vehicle was is not in history", ErrQuestion)
	case q.From.IsZero() || q.To.IsZero() || !q.From.Before(q.To):
		return nil, fmt.Errorf("%w: from and to are needed, from before to", ErrQuestion)
	case q.To.Sub(q.From) > MaxSpan:
		return nil, fmt.Errorf("%w: more than %.0f days", ErrQuestion, MaxSpan.Hours()/24)
	}
	if q.PageSize <= 0 {
		q.PageSize = defaultPage
	}
	q.Settings.ReorderWindow, q.Settings.PathFixes = 0, 0
	r := &run{store: store, q: q, emit: emit, from: q.From.UnixMilli(), to: q.To.UnixMilli(), tracks: map[string]*tested{}}
	r.env = track.Env{
		Settings: &r.q.Settings, EventClock: math.MinInt64,
		Fences: fence.NewSet().Apply([]fence.Change{{ID: q.Fence.ID, Fence: q.Fence, Version: q.Fence.Version}}),
	}
	nan := math.NaN()
	r.fix = track.Fix{AccuracyMetres: nan, AltitudeMetres: nan}
	return r, nil
}

// fleet tests all vehicles, page after page of time.
func (r *run) fleet(ctx context.Context) error {
	seed, err := r.store.At(ctx, history.AtQuery{At: r.q.From.Add(-time.Millisecond), Limit: math.MaxInt32})
	if err != nil {
		return fmt.Errorf("reading where the fleet was: %w", err)
	}
	if err := r.take(seed); err != nil {
		return err
	}
	from, limit := r.q.From, r.q.PageSize
	for {
		page, err := r.store.Replay(ctx, history.ReplayQuery{From: from, To: r.q.To, Limit: limit + 1})
		if err != nil {
			return fmt.Errorf("reading the fixes: %w", err)
		}
		more := len(page) > limit
		if more { // the last moment may not be whole
			whole := len(page)
			for whole > 0 && page[whole-1].Time == page[len(page)-1].Time {
				whole--
			}
			if whole == 0 { // all of one moment
				limit *= 2
				continue
			}
			from = time.UnixMilli(page[len(page)-1].Time)
			page = page[:whole]
		}
		if err := r.take(page); err != nil {
			return err
		}
		if err := r.tick(); err != nil || !more {
			return err
		}
	}
}

// vehicle tests one vehicle, day after day. Its clock is its own: what others send cannot be known of a few.
func (r *run) vehicle(ctx context.Context, vehicle string) error {
	r.env.EventClock = math.MinInt64
	clear(r.tracks)
	path := func(from, to time.Time, limit int) error {
		fixes, err := r.store.Path(ctx, history.PathQuery{Vehicle: vehicle, From: from, To: to, Limit: limit})
		if err != nil {
			return fmt.Errorf("reading the fixes of a vehicle: %w", err)
		}
		return r.take(fixes)
	}
	if err := path(r.q.From.Add(-history.DefaultMaxAge), r.q.From, 1); err != nil {
		return err
	}
	for from := r.q.From; from.Before(r.q.To); from = from.Add(24 * time.Hour) {
		to := from.Add(24 * time.Hour)
		if to.After(r.q.To) {
			to = r.q.To
		}
		if err := path(from, to, math.MaxInt32); err != nil {
			return err
		}
	}
	return r.tick()
}

// take runs fixes, in order of time, through their tracks.
func (r *run) take(fixes []history.Position) error {
	for i := range fixes {
		p := &fixes[i]
		if p.Late {
			continue
		}
		t := r.tracks[p.Vehicle]
		if t == nil {
			t = &tested{Track: track.New(p.Vehicle)}
			r.tracks[p.Vehicle] = t
		}
		if p.Time >= r.from {
			r.summary.Fixes++
			if !t.counted {
				t.counted = true
				r.summary.Vehicles++
			}
		}
		r.fix.Vehicle, r.fix.Time, r.fix.Position = p.Vehicle, p.Time, p.Location
		r.fix.SpeedMPS, r.fix.HeadingDegrees = p.SpeedMPS, p.HeadingDegrees
		r.fix.Offset = -1
		r.env.EventClock = max(r.env.EventClock, p.Time)
		t.Observe(&r.env, &r.fix, &r.out)
		if len(r.out.Documents) >= 256 {
			if err := r.flush(); err != nil {
				return err
			}
		}
	}
	return r.flush()
}

// tick fires what the last fix shows to be due for the others.
func (r *run) tick() error {
	for _, t := range r.tracks {
		if due, ok := t.Due(&r.env); ok && due <= r.env.EventClock {
			t.Tick(&r.env, &r.out)
		}
	}
	return r.flush()
}

func (r *run) flush() error {
	defer r.out.Reset()
	for i := range r.out.Events {
		e := &r.out.Events[i]
		if e.Fence == nil || e.Time < r.from || e.Time >= r.to {
			continue
		}
		if err := r.emit(e); err != nil {
			return err
		}
	}
	return nil
}
