package sinks

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/trackmesh/trackmesh/broker"
)

// deliver writes a batch until the store has it, and its rejections are safe. False: the pump was stopped before.
func (p *Pump) deliver(b *batch) bool {
	if b.reset {
		return p.insist(b, func(ctx context.Context) error { return p.storeNow(ctx, b.next) })
	}
	rejections := b.refused
	if len(b.documents) > 0 {
		began := time.Now()
		if !p.insist(b, func(ctx context.Context) error {
			refused, err := p.opts.Writer.Write(ctx, b.documents)
			if err == nil {
				rejections = append(rejections, refused...)
			}
			return err
		}) {
			return false
		}
		p.metrics.batchSeconds.Observe(time.Since(began).Seconds())
	}
	if len(rejections) > 0 {
		p.opts.Logger.Warn("the store refused documents; they become dead letters",
			"documents", len(rejections), "first", rejections[0].Document.ID, "reason", rejections[0].Detail)
		if !p.insist(b, func(ctx context.Context) error { return p.opts.Reject(ctx, rejections) }) {
			return false
		}
		p.metrics.rejected.Add(float64(len(rejections)))
	}
	p.metrics.written.Add(float64(len(b.documents) + len(b.refused) - len(rejections)))
	p.metrics.writtenBytes.Add(float64(b.bytes))
	return true
}

// insist tries until it succeeds or the pump is stopped.
func (p *Pump) insist(of any, attempt func(ctx context.Context) error) bool {
	retry := p.newBackOff()
	for {
		ctx, cancel := context.WithTimeout(p.ctx, p.opts.AttemptTimeout)
		err := attempt(ctx)
		cancel()
		if err == nil {
			p.state.fail(of, nil)
			return true
		}
		if p.ctx.Err() != nil {
			p.state.fail(of, nil)
			return false
		}
		wait := retry.NextBackOff()
		class := "unknown"
		if e, ok := errors.AsType[*RetryError](err); ok {
			class, wait = e.Class, max(wait, e.After)
		}
		if p.state.fail(of, fmt.Errorf("the store takes nothing: %w", err)) {
			p.opts.Logger.Warn("writing to the store failed; trying until it succeeds", "class", class, "err", err)
		} else {
			p.opts.Logger.Debug("writing to the store failed again", "class", class, "after", wait, "err", err)
		}
		p.metrics.retries.WithLabelValues(class).Inc()
		if !p.sleep(wait) {
			p.state.fail(of, nil)
			return false
		}
	}
}

func (p *Pump) newBackOff() *backoff.ExponentialBackOff {
	return &backoff.ExponentialBackOff{
		InitialInterval: p.opts.MinBackOff, MaxInterval: p.opts.MaxBackOff, Multiplier: 2, RandomizationFactor: 0.5,
	}
}

// storeNow stores cursors, stream by stream.
func (p *Pump) storeNow(ctx context.Context, cursors map[lane]int64) error {
	byStream := map[broker.Stream]map[int32]int64{}
	for l, at := range cursors {
		if byStream[l.stream] == nil {
			byStream[l.stream] = map[int32]int64{}
		}
		byStream[l.stream][l.partition] = at
	}
	for s, at := range byStream {
		if err := p.opts.Cursors.StoreCursors(ctx, CursorPrefix+p.opts.Name, s, at); err != nil {
			return fmt.Errorf("storing cursors of %s: %w", s, err)
		}
	}
	return nil
}

// storeCursors stores what moved, off the pump's goroutine and one call at a time.
func (p *Pump) storeCursors() {
	if p.storing || time.Since(p.lastStored) < p.opts.CursorInterval {
		return
	}
	due := p.dueCursors()
	if len(due) == 0 {
		return
	}
	p.storing, p.lastStored = true, time.Now()
	p.work.Go(func() {
		ctx, cancel := context.WithTimeout(p.ctx, p.opts.AttemptTimeout)
		defer cancel()
		err := p.storeNow(ctx, due)
		if err != nil && p.ctx.Err() == nil {
			p.opts.Logger.Warn("storing a sink's cursors failed; trying again", "err", err)
		}
		p.post(func() { p.storedCursors(due, err) })
	})
}

// dueCursors are the cursors that moved since they were stored, or were stored long ago.
func (p *Pump) dueCursors() map[lane]int64 {
	due := map[lane]int64{}
	for l, state := range p.lanes {
		if state.open && (state.acked != state.stored || time.Since(state.touched) >= p.opts.RefreshInterval) {
			due[l] = state.acked
		}
	}
	return due
}

func (p *Pump) storedCursors(due map[lane]int64, err error) {
	p.storing, p.refused = false, err != nil
	if err != nil {
		return
	}
	for l, at := range due {
		if state := p.lanes[l]; state != nil && state.open {
			state.stored, state.touched = at, time.Now()
			p.finishLeaving(l, state)
		}
	}
}
