package actors

import (
	"context"
	"errors"

	"github.com/trackmesh/trackmesh/broker"
	trackmeshv1 "github.com/trackmesh/trackmesh/messages/trackmesh/v1"
	"github.com/trackmesh/trackmesh/track"
)

// ErrNotHere: the vehicle's partition does not run on this node.
var ErrNotHere = errors.New("the vehicle's partition does not run on this node")

// Path is a vehicle's fixes in memory with from ≤ time < to (UTC ms), the newest limit of them, oldest first. The path is
// whole from since on. known is false for a vehicle that the partition has never seen.
func (h *Host) Path(ctx context.Context, vehicle string, from, to int64, limit int) (points []track.PathPoint, since int64, known bool, err error) {
	return h.PathIn(ctx, h.home(vehicle), vehicle, from, to, limit)
}

// PathIn is Path of a vehicle whose records stand in another partition than its key computes to.
func (h *Host) PathIn(ctx context.Context, p int32, vehicle string, from, to int64, limit int) (points []track.PathPoint, since int64, known bool, err error) {
	reply := make(chan pathAnswer, 1)
	a, err := ask(ctx, h, p, &pathQuery{vehicle: vehicle, from: from, to: to, limit: limit, reply: reply}, reply)
	if err != nil {
		return nil, 0, false, err
	}
	return a.points, a.since, a.known, a.err
}

// Send makes a message to a track durable and returns its place in the commands' topic.
func (h *Host) Send(ctx context.Context, cmd *trackmeshv1.Command) (partition int32, offset int64, err error) {
	value, err := cmd.MarshalVT()
	if err != nil {
		return 0, 0, err
	}
	p := h.home(cmd.GetVehicle())
	offsets, err := h.opts.Log.Produce(ctx, []broker.Record{{Stream: broker.Commands, Partition: p, Key: []byte(cmd.GetVehicle()), Value: value}})
	if err != nil {
		return 0, 0, err
	}
	return p, offsets[0], nil
}

// AwaitApplied returns when the command at an offset is applied and committed.
func (h *Host) AwaitApplied(ctx context.Context, p int32, offset int64) error {
	done := make(chan error, 1)
	applied, err := ask(ctx, h, p, &applyWaiter{offset: offset, done: done}, done)
	if err != nil {
		return err
	}
	return applied
}

// ask sends a question to a partition's actor and returns its answer. An actor that stops in this moment may never have seen the
// question: then, and when the partition does not run here, it is ErrNotHere at once.
func ask[T any](ctx context.Context, h *Host, p int32, question any, answers <-chan T) (answer T, err error) {
	at := h.addressOf(p)
	if at == nil {
		return answer, ErrNotHere
	}
	h.opts.System.Root.Send(at.pid, question)
	select {
	case answer = <-answers:
		return answer, nil
	case <-ctx.Done():
		return answer, context.Cause(ctx)
	case <-at.gone:
	}
	select {
	case answer = <-answers: // it was the last thing that the actor did
		return answer, nil
	default:
		return answer, ErrNotHere
	}
}

// AwaitFences returns when every partition of this node works with the fences of a version, or a newer one.
func (h *Host) AwaitFences(ctx context.Context, version int64) error {
	return h.fencesMoved.until(ctx, func() bool {
		for _, s := range h.Status() {
			if s.State == "running" && s.FenceVersion < version {
				return false
			}
		}
		return true
	})
}
