package webhook

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/trackmesh/trackmesh/broker"
	"github.com/trackmesh/trackmesh/sinks"
)

var (
	// ErrNotFound: there is no such webhook.
	ErrNotFound = errors.New("there is no such webhook")
	// ErrVersion: the webhook is not at the version that the change is for.
	ErrVersion = errors.New("the webhook has another version by now: read it again and repeat the change")
)

// maxWebhooks bounds how many there are: each has a reader of its own.
const maxWebhooks = 50

// Webhook is a definition with how it fares. Its Secret is empty.
type Webhook struct {
	Definition
	Lag      int64 // events of all partitions that are not acknowledged yet, as of the cursors stored last
	Delivery Delivery
	Err      string // why it does not go on; "": it does
}

// List returns all webhooks by id.
func (s *Service) List(ctx context.Context) ([]Webhook, error) {
	known := s.board.current()
	ends, err := s.ends(ctx)
	if err != nil {
		return nil, err
	}
	all := make([]Webhook, 0, len(known))
	for _, id := range slices.SortedFunc(maps.Keys(known), cmp.Compare[string]) {
		w, err := s.show(ctx, known[id], ends)
		if err != nil {
			return nil, err
		}
		all = append(all, w)
	}
	return all, nil
}

// Get returns one webhook, or ErrNotFound.
func (s *Service) Get(ctx context.Context, id string) (Webhook, error) {
	known := s.board.current()
	d := known[id]
	if d == nil {
		return Webhook{}, ErrNotFound
	}
	ends, err := s.ends(ctx)
	if err != nil {
		return Webhook{}, err
	}
	return s.show(ctx, d, ends)
}

// show is a webhook as a client sees it.
func (s *Service) show(ctx context.Context, d *Definition, ends []span) (Webhook, error) {
	w := Webhook{Definition: *d}
	w.Secret = ""
	at, err := (&cursors{s.opts.Log, d}).LoadCursors(ctx, "", broker.Events)
	if err != nil {
		return Webhook{}, fmt.Errorf("reading the cursors of webhook %s: %w", d.ID, err)
	}
	for p, span := range ends {
		w.Lag += max(0, span.end-max(span.earliest, at[int32(p)]))
	}
	w.Delivery, w.Err = s.fares(d.ID)
	return w, nil
}

// fares is how a webhook does on this node.
func (s *Service) fares(id string) (Delivery, string) {
	s.mu.Lock()
	r, broken := s.running[id], s.broken[id]
	s.mu.Unlock()
	if broken != nil {
		return Delivery{}, broken.Error()
	}
	if r == nil {
		return Delivery{}, ""
	}
	d, err := r.poster.delivery(), r.pump.Health()
	if err == nil {
		return d, ""
	}
	if d.Failing {
		return d, d.LastError
	}
	return d, err.Error()
}

// State is what the cluster's state and the readiness say of a webhook on this node.
type State struct {
	ID  string
	Lag int64 // of this node's partitions
	Err string
}

// States returns the webhooks that run here, by id.
func (s *Service) States() []State {
	var all []State
	for id, r := range s.runs() {
		state := State{ID: id}
		for _, l := range r.pump.Lags() {
			state.Lag += l.Records()
		}
		_, state.Err = s.fares(id)
		all = append(all, state)
	}
	slices.SortFunc(all, func(a, b State) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// span is what a partition of the events holds.
type span struct{ earliest, end int64 }

func (s *Service) ends(ctx context.Context) ([]span, error) {
	spans := make([]span, s.opts.Log.Layout().Partitions)
	for p := range spans {
		earliest, end, err := s.opts.Log.Bounds(ctx, broker.Events, int32(p)) //nolint:gosec // a partition's number
		if err != nil {
			return nil, fmt.Errorf("asking for the bounds of the events: %w", err)
		}
		spans[p] = span{earliest, end}
	}
	return spans, nil
}

// Put makes or changes a webhook. ifMatch, when not nil, is the version that it must have now (-1: it must not be there), else
// ErrVersion. secret is the one that was made for it because the change has none, once: it is not shown again.
func (s *Service) Put(ctx context.Context, id string, c Change, ifMatch *int64) (w Webhook, secret string, err error) {
	if err := errors.Join(checkID(id), c.check()); err != nil {
		return Webhook{}, "", err
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	d, there, err := s.look(ctx, id, ifMatch)
	if err != nil {
		return Webhook{}, "", err
	}
	next := Definition{ID: id, URL: c.URL, Filter: c.Filter}
	if there {
		next.Secret, next.Created, next.Cursor, next.Start = d.Secret, d.Created, d.Cursor, d.Start
	} else if err := s.fill(ctx, &next); err != nil {
		return Webhook{}, "", err
	}
	switch {
	case c.Secret != nil:
		next.Secret = *c.Secret
	case !there:
		secret = newSecret()
		next.Secret = secret
	}
	value, err := json.Marshal(&next)
	if err != nil {
		return Webhook{}, "", fmt.Errorf("encoding webhook %s: %w", id, err)
	}
	if err := s.write(ctx, id, value); err != nil {
		return Webhook{}, "", err
	}
	w, err = s.Get(ctx, id)
	return w, secret, err
}

// fill gives a new webhook what it keeps for its life.
func (s *Service) fill(ctx context.Context, d *Definition) error {
	if len(s.board.current()) >= maxWebhooks {
		return invalid("", "there are %d webhooks, which is all that there may be: delete one first", maxWebhooks)
	}
	ends, err := s.ends(ctx)
	if err != nil {
		return err
	}
	d.Created, d.Cursor, d.Start = time.Now().UTC().Truncate(time.Millisecond), "webhook."+d.ID+"."+randomHex(4), map[int32]int64{}
	for p, span := range ends {
		d.Start[int32(p)] = span.end //nolint:gosec // a partition's number
	}
	return nil
}

// Delete removes a webhook: what it has not sent by then it never will.
func (s *Service) Delete(ctx context.Context, id string, ifMatch *int64) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	_, there, err := s.look(ctx, id, ifMatch)
	if err != nil {
		return err
	}
	if !there {
		return ErrNotFound
	}
	return s.write(ctx, id, nil)
}

// look reads the log to its end and judges a change against what is there.
func (s *Service) look(ctx context.Context, id string, ifMatch *int64) (d *Definition, there bool, err error) {
	if err := s.board.CatchUp(ctx); err != nil {
		return nil, false, err
	}
	known := s.board.current()
	d, there = known[id]
	version := int64(-1)
	if there {
		version = d.Version
	}
	if ifMatch != nil && *ifMatch != version {
		return nil, false, ErrVersion
	}
	return d, there, nil
}

func (s *Service) write(ctx context.Context, id string, value []byte) error {
	offsets, err := s.opts.Log.Produce(ctx, []broker.Record{{Stream: broker.Webhooks, Key: []byte(id), Value: value}})
	if err != nil {
		return fmt.Errorf("writing webhook %s: %w", id, err)
	}
	return s.board.Await(ctx, offsets[0])
}

func (f *Filter) same(o *Filter) bool {
	return slices.Equal(f.Types, o.Types) && slices.Equal(f.Fences, o.Fences) && slices.Equal(f.Vehicles, o.Vehicles) && slices.Equal(f.BBox, o.BBox)
}

var _ sinks.Cursors = (*cursors)(nil)
