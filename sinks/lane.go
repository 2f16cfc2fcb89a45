package sinks

import (
	"context"
	"fmt"
	"time"

	"github.com/trackmesh/trackmesh/broker"
)

// lane is one partition of one stream.
type lane struct {
	stream    broker.Stream
	partition int32
}

func (l lane) String() string { return fmt.Sprintf("%s[%d]", l.stream, l.partition) }

// laneState is how far a lane is.
//
//	opening ──cursor loaded──> reading ──Remove──> leaving ──acknowledged and stored──> (gone)
type laneState struct {
	open    bool
	read    int64 // the next offset to read
	acked   int64 // everything before is in the store
	stored  int64 // the cursor as last stored; -1: not yet
	end     int64 // after the last committed record, as last seen
	leaving []chan struct{}
	again   bool      // taken in anew while leaving: open it when it is gone
	touched time.Time // when the cursor was last stored
}

// admit takes a lane in. One that is just leaving finishes that first: its cursor must be stored before it is loaded.
func (p *Pump) admit(l lane) {
	if p.draining {
		return
	}
	if state := p.lanes[l]; state != nil {
		state.again = len(state.leaving) > 0
		return
	}
	state := &laneState{}
	p.lanes[l] = state
	p.work.Go(func() { p.open(l, state) })
}

// open loads the lane's cursor, for as long as it takes, and begins reading.
func (p *Pump) open(l lane, state *laneState) {
	retry := p.newBackOff()
	for {
		at, stored, end, err := p.startOf(l)
		if err == nil {
			p.state.fail(l, nil)
			p.post(func() { p.opened(l, state, at, stored, end) })
			return
		}
		p.opts.Logger.Warn("loading a sink's cursor failed; trying again", "stream", l.stream.String(), "partition", l.partition, "err", err)
		p.state.fail(l, fmt.Errorf("loading the cursor of %s: %w", l, err))
		if !p.sleep(retry.NextBackOff()) {
			p.state.fail(l, nil)
			return
		}
	}
}

// startOf is where to read from: the stored cursor, else the earliest record.
func (p *Pump) startOf(l lane) (at, stored, end int64, err error) {
	ctx, cancel := context.WithTimeout(p.ctx, p.opts.AttemptTimeout)
	defer cancel()
	cursors, err := p.opts.Cursors.LoadCursors(ctx, CursorPrefix+p.opts.Name, l.stream)
	if err != nil {
		return 0, 0, 0, err
	}
	earliest, end, err := p.opts.Source.Bounds(ctx, l.stream, l.partition)
	if err != nil {
		return 0, 0, 0, err
	}
	if at, ok := cursors[l.partition]; ok {
		return at, at, end, nil
	}
	if end > earliest {
		p.noCursor(l, earliest, end)
	}
	return earliest, -1, end, nil
}

// noCursor tells of a sink that starts from the earliest record. Nothing is missing when that is the first ever.
func (p *Pump) noCursor(l lane, earliest, end int64) {
	p.metrics.gaps.WithLabelValues("no_cursor").Inc()
	p.opts.Logger.Warn("a sink has no cursor; it starts from the earliest record",
		"stream", l.stream.String(), "partition", l.partition, "earliest", earliest, "end", end)
	if earliest > 0 {
		p.state.gap(fmt.Errorf("%s: no cursor was stored; started from the earliest record, %d: what was before may be missing", l, earliest), p.opts.GapAlarm)
	}
}

func (p *Pump) opened(l lane, state *laneState, at, stored, end int64) {
	if p.lanes[l] != state {
		return
	}
	state.open, state.read, state.acked, state.stored, state.end, state.touched = true, at, at, stored, end, time.Now()
	p.reader.Add(l.stream, l.partition, at)
	p.show(l, state)
	p.finishLeaving(l, state)
}

// leave stops reading a lane and closes gone when its cursor is stored.
func (p *Pump) leave(l lane, gone chan struct{}) {
	state := p.lanes[l]
	switch {
	case state == nil:
		close(gone)
	case !state.open:
		delete(p.lanes, l) // opened finds another state, or none
		p.state.drop(l)
		close(gone)
	default:
		p.reader.Remove(l.stream, l.partition)
		state.again = false
		state.leaving = append(state.leaving, gone)
		p.lastStored = time.Time{}
		p.finishLeaving(l, state)
	}
}

// finishLeaving drops a lane that leaves once nothing of it is under way and its cursor is stored.
func (p *Pump) finishLeaving(l lane, state *laneState) {
	if len(state.leaving) == 0 || state.acked < state.read || state.stored != state.acked {
		return
	}
	p.drop(l, state)
}

func (p *Pump) drop(l lane, state *laneState) {
	delete(p.lanes, l)
	p.state.drop(l)
	p.metrics.dropLag(l)
	for _, gone := range state.leaving {
		close(gone)
	}
	if state.again {
		p.admit(l)
	}
}

// forget drops lanes that were to leave and could not in time.
func (p *Pump) forget(partitions []int32) {
	for _, partition := range partitions {
		for _, s := range p.opts.Streams {
			l := lane{s, partition}
			if state := p.lanes[l]; state != nil && len(state.leaving) > 0 {
				p.drop(l, state)
			}
		}
	}
}

// lost goes on from the earliest record when the log no longer holds the next one. The cursor is stored before anything
// that is read afterwards is written: a store that skips what lies before its cursor must know the new one.
func (p *Pump) lost(l lane, state *laneState, e *broker.OffsetError) {
	p.metrics.gaps.WithLabelValues("out_of_range").Inc()
	p.opts.Logger.Error("a sink's cursor is no longer in the log; it goes on from the earliest record",
		"stream", l.stream.String(), "partition", l.partition, "cursor", e.Asked, "earliest", e.Earliest, "end", e.End)
	p.state.gap(fmt.Errorf("%s: %w; went on from %d: what is between is missing", l, e, e.Earliest), p.opts.GapAlarm)
	p.cut()
	p.queue = append(p.queue, &batch{reset: true, next: map[lane]int64{l: e.Earliest}})
	state.read, state.end = e.Earliest, e.End
	p.reader.Add(l.stream, l.partition, e.Earliest)
}

func (p *Pump) show(l lane, state *laneState) {
	lag := Lag{Stream: l.stream, Partition: l.partition, Cursor: state.acked, End: max(state.end, state.acked)}
	p.state.set(l, lag)
	p.metrics.setLag(l, lag.Records())
}

// sleep waits, and returns false when the pump is stopped before.
func (p *Pump) sleep(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-p.quit:
		return false
	}
}
