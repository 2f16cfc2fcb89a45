package peers

import (
	"context"
	"errors"
	"time"

	"github.com/trackmesh/trackmesh/api"
	trackmeshv1 "github.com/trackmesh/trackmesh/messages/trackmesh/v1"
	"github.com/trackmesh/trackmesh/track"
)

// Paths is api.Paths over the cluster.
type Paths struct{ peers *Peers }

var _ api.Paths = Paths{}

// Paths reads the memory of whoever owns the track.
func (p *Peers) Paths() Paths { return Paths{p} }

// Path implements api.Paths.
func (p Paths) Path(ctx context.Context, vehicle string, from, to int64, limit int) ([]track.PathPoint, int64, error) {
	home := p.peers.opts.Home(vehicle)
	points, since, err := p.in(ctx, home, vehicle, from, to, limit)
	if !errors.Is(err, api.ErrNotFound) {
		return points, since, err
	}
	// A producer with another partitioner than ours may have put it elsewhere.
	v, coverage, err := p.peers.Live().Track(ctx, vehicle)
	switch {
	case err == nil && v.Partition != home:
		return p.in(ctx, v.Partition, vehicle, from, to, limit)
	case err != nil && !coverage.Whole():
		return nil, 0, api.ErrUnavailable
	}
	return nil, 0, api.ErrNotFound
}

func (p Paths) in(ctx context.Context, partition int32, vehicle string, from, to int64, limit int) (points []track.PathPoint, since int64, err error) {
	err = api.ErrNotFound
	c := p.peers.gather(ctx, []int32{partition}, inquiry{
		body: &trackmeshv1.PeerQuestion{Body: &trackmeshv1.PeerQuestion_Path{Path: &trackmeshv1.PeerPathQuestion{
			Vehicle: vehicle, FromMs: from, ToMs: to, Limit: int32(limit), //nolint:gosec // the API bounds it
		}}},
		local: func(ctx context.Context, partitions []int32) []int32 {
			found, whole, failed := p.peers.opts.Here.Path(ctx, partition, vehicle, from, to, limit)
			switch {
			case failed == nil:
				points, since, err = found, whole, nil
			case !errors.Is(failed, api.ErrNotFound):
				return nil
			}
			return partitions
		},
		merge: func(a *trackmeshv1.PeerAnswer) {
			if a.GetPath() != nil {
				points, since, err = pathFromWire(a.GetPath()), a.GetPath().GetSinceMs(), nil
			}
		},
		attempt: p.peers.opts.Attempt,
	})
	if !c.Whole() {
		return nil, 0, api.ErrUnavailable
	}
	return points, since, err
}

// Messages is api.Messages over the cluster.
type Messages struct{ peers *Peers }

var _ api.Messages = Messages{}

// Messages sends to tracks wherever they run: the log carries the command, only waiting for it asks the owner.
func (p *Peers) Messages() Messages { return Messages{p} }

// Send implements api.Messages.
func (m Messages) Send(ctx context.Context, cmd *trackmeshv1.Command, wait time.Duration) (api.Sent, error) {
	partition, offset, err := m.peers.opts.Here.Send(ctx, cmd)
	if err != nil {
		return api.Sent{}, err
	}
	sent := api.Sent{Partition: partition, Offset: offset}
	if wait > 0 {
		sent.Applied = m.applied(ctx, partition, offset, wait)
	}
	return sent, nil
}

func (m Messages) applied(ctx context.Context, partition int32, offset int64, wait time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	return m.peers.gather(ctx, []int32{partition}, inquiry{
		body: &trackmeshv1.PeerQuestion{Body: &trackmeshv1.PeerQuestion_Applied{Applied: &trackmeshv1.PeerAppliedQuestion{Offset: offset}}},
		local: func(ctx context.Context, partitions []int32) []int32 {
			if m.peers.opts.Here.AwaitApplied(ctx, partition, offset) != nil {
				return nil
			}
			return partitions
		},
		merge:   func(*trackmeshv1.PeerAnswer) {},
		attempt: wait, patient: true,
	}).Whole()
}
