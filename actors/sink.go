package actors

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/trackmesh/trackmesh/sinks"
)

// Pump is what a sink's actors drive; sinks.Pump is one.
type Pump interface {
	Start(ctx context.Context) error
	Stop(ctx context.Context) error
	Add(partitions ...int32)
	Remove(ctx context.Context, partitions ...int32) error
	Lags() []sinks.Lag
}

// Sink is a running sink: an actor that starts and stops the pump, with a child for each partition that this node owns, which
// takes its partition in when it starts and lets it go when it stops. So a partition's sink moves with the partition.
type Sink struct {
	host *Host
	pid  *actor.PID
	pump Pump
	name string
}

// SinkScope says which partitions a sink reads.
type SinkScope uint8

const (
	// OwnedPartitions are those of this node: the sink of a store that all nodes share.
	OwnedPartitions SinkScope = iota
	// AllPartitions are read wherever they run: the sink of a store that each node has for itself.
	AllPartitions
)

// StartSink starts a sink.
func (h *Host) StartSink(ctx context.Context, name string, pump Pump, scope SinkScope) (*Sink, error) {
	if err := pump.Start(ctx); err != nil {
		return nil, fmt.Errorf("starting sink %s: %w", name, err)
	}
	s := &Sink{host: h, pump: pump, name: name}
	pid, err := h.opts.System.Root.SpawnNamed(actor.PropsFromProducer(func() actor.Actor { return &sinkActor{sink: s} }), "sink-"+name)
	if err != nil {
		return nil, fmt.Errorf("spawning sink %s: %w", name, err)
	}
	s.pid = pid
	if scope == AllPartitions {
		for p := range h.layout.Partitions {
			h.opts.System.Root.Send(pid, sinkOwns{partition: p})
		}
		return s, nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sinks = append(h.sinks, s)
	for p := range h.runners {
		h.opts.System.Root.Send(pid, sinkOwns{partition: p})
	}
	return s, nil
}

// tellSinks passes what happens to a partition to the sinks that follow it. The caller holds the lock, so that they hear it
// in the order in which it happened.
func (h *Host) tellSinks(message any) {
	for _, s := range h.sinks {
		h.opts.System.Root.Send(s.pid, message)
	}
}

// Lags says how far the sink is in each partition.
func (s *Sink) Lags() []sinks.Lag { return s.pump.Lags() }

// Stop gives what is under way until ctx ends, and then stops the actors.
func (s *Sink) Stop(ctx context.Context) error {
	s.host.mu.Lock()
	s.host.sinks = slices.DeleteFunc(s.host.sinks, func(other *Sink) bool { return other == s })
	s.host.mu.Unlock()
	err := s.pump.Stop(ctx)
	if stopped := s.host.opts.System.Root.StopFuture(s.pid).Wait(); stopped != nil && err == nil {
		err = fmt.Errorf("stopping the actors of sink %s: %w", s.name, stopped)
	}
	return err
}

// Messages to a sink's actor.
type (
	sinkOwns   struct{ partition int32 }
	sinkDisown struct{ partition int32 }
)

// sinkActor has one child per partition.
type sinkActor struct {
	sink     *Sink
	children map[int32]*actor.PID
	stopping bool // what is spawned from now on would never be stopped
}

func (a *sinkActor) Receive(c actor.Context) {
	switch m := c.Message().(type) {
	case *actor.Started:
		a.children = map[int32]*actor.PID{}
	case *actor.Stopping:
		a.stopping = true
	case sinkOwns:
		if !a.stopping && a.children[m.partition] == nil {
			child := &partitionSink{pump: a.sink.pump, partition: m.partition}
			a.children[m.partition] = c.Spawn(actor.PropsFromProducer(func() actor.Actor { return child }))
		}
	case sinkDisown:
		if pid := a.children[m.partition]; pid != nil {
			c.Stop(pid)
			delete(a.children, m.partition)
		}
	}
}

// partitionSink is one partition's part of a sink, for as long as this node owns the partition.
type partitionSink struct {
	pump      Pump
	partition int32
}

// sinkRemoveWait bounds how long a partition's last batch may take when it is let go; the next owner repeats it otherwise.
const sinkRemoveWait = 2 * time.Second

func (s *partitionSink) Receive(c actor.Context) {
	switch c.Message().(type) {
	case *actor.Started:
		s.pump.Add(s.partition)
	case *actor.Stopping:
		ctx, cancel := context.WithTimeout(context.Background(), sinkRemoveWait)
		defer cancel()
		// What could not be finished in time is repeated by the next owner, under the same ids.
		_ = s.pump.Remove(ctx, s.partition)
	}
}
