package sinks

import (
	"context"
	"errors"
	"time"

	"github.com/trackmesh/trackmesh/broker"
)

// boundsInterval is how often the ends of the lanes are asked for while a full queue keeps the pump from reading.
const boundsInterval = 5 * time.Second

// run is the pump's goroutine.
func (p *Pump) run() {
	defer close(p.done)
	defer p.reader.Close()
	for {
		wait, cancel := p.arm()
		if p.ctx.Err() != nil || p.drained() {
			cancel()
			return
		}
		p.dispatch()
		p.storeCursors()
		if p.draining || len(p.queue) >= p.opts.Concurrency && p.full(p.filling) || len(p.queue) > p.opts.Concurrency {
			p.askBounds()
			p.pause(wait)
		} else {
			p.poll(wait)
		}
		cancel()
	}
}

// arm runs what was posted and returns a context that ends with the next posting.
func (p *Pump) arm() (context.Context, context.CancelFunc) {
	for {
		p.mu.Lock()
		posted := p.posted
		p.posted = nil
		if len(posted) == 0 {
			ctx, cancel := context.WithCancel(p.ctx)
			p.interrupt = cancel
			p.mu.Unlock()
			return ctx, cancel
		}
		p.mu.Unlock()
		for _, fn := range posted {
			fn()
		}
	}
}

// drained reports whether a pump that stops has nothing under way and all cursors stored. What waits unwritten is read
// again at the next start.
func (p *Pump) drained() bool {
	if !p.draining || p.storing || p.running() > 0 {
		return false
	}
	p.queue, p.underWay, p.filling = nil, 0, &batch{}
	due := p.dueCursors()
	if len(due) == 0 {
		return true
	}
	if !p.refused { // else at the usual pace: the log may be away for as long as Stop waits
		p.lastStored = time.Time{}
	}
	return false
}

// untilDue is how long nothing needs to be done.
func (p *Pump) untilDue() time.Duration {
	due := p.opts.RefreshInterval
	if !p.filling.empty() && len(p.queue) < p.opts.Concurrency {
		due = min(due, p.opts.MaxBatchAge-time.Since(p.filling.since))
	}
	if !p.storing && len(p.dueCursors()) > 0 {
		due = min(due, p.opts.CursorInterval-time.Since(p.lastStored))
	}
	return max(due, 0)
}

func (p *Pump) pause(wait context.Context) {
	t := time.NewTimer(min(p.untilDue(), boundsInterval))
	defer t.Stop()
	select {
	case <-wait.Done():
	case <-t.C:
	}
}

func (p *Pump) poll(wait context.Context) {
	ctx, cancel := context.WithTimeout(wait, p.untilDue())
	defer cancel()
	fetches, err := p.reader.Poll(ctx)
	for i := range fetches {
		f := &fetches[i]
		l := lane{f.Stream, f.Partition}
		state := p.lanes[l]
		if state == nil || !state.open || len(state.leaving) > 0 {
			continue
		}
		if gone, ok := errors.AsType[*broker.OffsetError](f.Err); ok {
			p.lost(l, state, gone)
			continue
		}
		if f.Err != nil {
			p.opts.Logger.Warn("reading a partition for a sink failed; the reader goes on", "stream", l.stream.String(), "partition", l.partition, "err", f.Err)
		}
		p.take(f, l, state)
	}
	if err == nil || ctx.Err() != nil {
		return
	}
	p.opts.Logger.Warn("reading for a sink failed; trying again", "err", err)
	select {
	case <-wait.Done():
	case <-time.After(p.opts.MinBackOff):
	}
}

// askBounds keeps the lag true while nothing is read.
func (p *Pump) askBounds() {
	if p.draining || time.Since(p.lastBounds) < boundsInterval {
		return
	}
	p.lastBounds = time.Now()
	for l, asked := range p.lanes {
		if !asked.open {
			continue
		}
		p.work.Go(func() {
			ctx, cancel := context.WithTimeout(p.ctx, boundsInterval)
			defer cancel()
			_, end, err := p.opts.Source.Bounds(ctx, l.stream, l.partition)
			if err != nil {
				return // the log's own health tells
			}
			p.post(func() {
				if state := p.lanes[l]; state == asked && end > state.end {
					state.end = end
					p.show(l, state)
				}
			})
		})
	}
}
