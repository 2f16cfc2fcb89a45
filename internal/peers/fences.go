package peers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/trackmesh/trackmesh/api"
	"github.com/trackmesh/trackmesh/cluster"
	"github.com/trackmesh/trackmesh/fence"
	"github.com/trackmesh/trackmesh/geo"
	trackmeshv1 "github.com/trackmesh/trackmesh/messages/trackmesh/v1"
)

// Fences is api.Fences over the cluster: every node knows all fences, the owner of partition 0 alone writes them, so that If-Match is
// judged in one place.
type Fences struct{ peers *Peers }

var _ api.Fences = Fences{}

// Fences reads here and writes where partition 0 runs.
func (p *Peers) Fences() Fences { return Fences{p} }

// Get implements api.Fences.
func (f Fences) Get(ctx context.Context, id string) (api.Fence, error) {
	return f.peers.opts.Fences.Get(ctx, id)
}

// List implements api.Fences.
func (f Fences) List(ctx context.Context, box *geo.Box, after string, limit int) ([]api.Fence, error) {
	return f.peers.opts.Fences.List(ctx, box, after, limit)
}

// Put implements api.Fences.
func (f Fences) Put(ctx context.Context, id string, feature []byte, ifMatch *int64) (version int64, err error) {
	if _, err := fence.Parse(id, feature, 0); err != nil {
		return 0, err // told from the caller's own words
	}
	err = f.write(ctx, &trackmeshv1.PeerFenceWriteQuestion{Fences: []*trackmeshv1.PeerFence{{Id: id, Feature: feature}}, IfMatch: ifMatch},
		func(local api.Fences) error {
			version, err = local.Put(ctx, id, feature, ifMatch)
			return err
		},
		func(w *trackmeshv1.PeerFenceWritten) { version = w.GetVersion() })
	return version, f.read(ctx, version, err)
}

// Delete implements api.Fences.
func (f Fences) Delete(ctx context.Context, id string, ifMatch *int64) (version int64, err error) {
	err = f.write(ctx, &trackmeshv1.PeerFenceWriteQuestion{Fences: []*trackmeshv1.PeerFence{{Id: id}}, IfMatch: ifMatch, Delete: true},
		func(local api.Fences) error {
			version, err = local.Delete(ctx, id, ifMatch)
			return err
		},
		func(w *trackmeshv1.PeerFenceWritten) { version = w.GetVersion() })
	return version, f.read(ctx, version, err)
}

// PutAll implements api.Fences.
func (f Fences) PutAll(ctx context.Context, batch []api.Fence) (version int64, refused []error, err error) {
	q := &trackmeshv1.PeerFenceWriteQuestion{Many: true}
	for _, one := range batch {
		q.Fences = append(q.Fences, &trackmeshv1.PeerFence{Id: one.ID, Feature: one.Feature})
	}
	err = f.write(ctx, q, func(local api.Fences) error {
		version, refused, err = local.PutAll(ctx, batch)
		return err
	}, func(w *trackmeshv1.PeerFenceWritten) {
		version, refused = w.GetVersion(), make([]error, len(batch))
		for _, r := range w.GetRefused() {
			if int(r.GetIndex()) < len(refused) {
				refused[r.GetIndex()] = &api.InvalidError{Pointer: r.GetPointer(), Reason: r.GetReason()}
			}
		}
	})
	return version, refused, err
}

// read waits until this node knows what was written, so that who wrote a fence here finds it here.
func (f Fences) read(ctx context.Context, version int64, err error) error {
	if err != nil {
		return err
	}
	return f.peers.opts.Fences.WaitLive(ctx, version)
}

// write has the owner of partition 0 write. While nobody has it, or the question did not leave this node, it is tried again; once it
// may have arrived it is not: the client is told that nobody knows.
func (f Fences) write(ctx context.Context, q *trackmeshv1.PeerFenceWriteQuestion, local func(api.Fences) error, done func(*trackmeshv1.PeerFenceWritten)) error {
	p := f.peers
	for {
		news := p.routes.next()
		table := p.routes.get()
		owner, ok := table.member(0)
		switch {
		case ok && owner == table.self:
			return local(p.opts.Fences)
		case ok:
			answer, err := p.opts.Asker.Ask(ctx, table.members[owner], &trackmeshv1.PeerQuestion{
				Partitions: []int32{0}, Body: &trackmeshv1.PeerQuestion_FenceWrite{FenceWrite: q},
			})
			if err != nil && !p.opts.NeverSent(err) {
				return fmt.Errorf("writing fences at %s: %w: %w", table.members[owner].Name, api.ErrUnavailable, err)
			}
			if err == nil && answer.GetCode() != trackmeshv1.PeerCode_PEER_CODE_NOT_HERE && answer.GetCode() != trackmeshv1.PeerCode_PEER_CODE_BUSY {
				return written(answer, done)
			}
		}
		if pause(ctx, news) != nil {
			return api.ErrUnavailable
		}
	}
}

// pause lasts until there is news of the membership, or for maxPause. Its error is why ctx ended.
func pause(ctx context.Context, news <-chan struct{}) error {
	timer := time.NewTimer(maxPause)
	defer timer.Stop()
	select {
	case <-news:
		return nil
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// written turns the answer of the node that wrote into what it would have said here.
func written(a *trackmeshv1.PeerAnswer, done func(*trackmeshv1.PeerFenceWritten)) error {
	switch a.GetCode() {
	case trackmeshv1.PeerCode_PEER_CODE_UNSPECIFIED:
		done(a.GetFenceWritten())
		return nil
	case trackmeshv1.PeerCode_PEER_CODE_VERSION:
		return api.ErrVersion
	case trackmeshv1.PeerCode_PEER_CODE_UNKNOWN:
		return api.ErrNotFound
	case trackmeshv1.PeerCode_PEER_CODE_INVALID:
		return &api.InvalidError{Pointer: a.GetPointer(), Reason: a.GetDetail()}
	default:
		return fmt.Errorf("writing fences: %w: %s", api.ErrUnavailable, a.GetDetail())
	}
}

// answerFenceWrite writes for another node, if partition 0 runs here.
func (p *Peers) answerFenceWrite(ctx context.Context, q *trackmeshv1.PeerFenceWriteQuestion) *trackmeshv1.PeerAnswer {
	table := p.routes.get()
	if owner, ok := table.member(0); !ok || owner != table.self {
		return refuse(trackmeshv1.PeerCode_PEER_CODE_NOT_HERE, "")
	}
	w := &trackmeshv1.PeerFenceWritten{}
	var err error
	switch {
	case q.GetMany():
		batch := make([]api.Fence, len(q.GetFences()))
		for i, f := range q.GetFences() {
			batch[i] = api.Fence{ID: f.GetId(), Feature: f.GetFeature()}
		}
		var refused []error
		w.Version, refused, err = p.opts.Fences.PutAll(ctx, batch)
		for i, r := range refused {
			if r != nil {
				pointer, reason := explained(r)
				w.Refused = append(w.Refused, &trackmeshv1.PeerFenceRefused{Index: uint32(i), Pointer: pointer, Reason: reason}) //nolint:gosec // a count
			}
		}
	case len(q.GetFences()) != 1:
		return refuse(trackmeshv1.PeerCode_PEER_CODE_UNSUPPORTED, "one fence is wanted")
	case q.GetDelete():
		w.Version, err = p.opts.Fences.Delete(ctx, q.GetFences()[0].GetId(), q.IfMatch)
	default:
		w.Version, err = p.opts.Fences.Put(ctx, q.GetFences()[0].GetId(), q.GetFences()[0].GetFeature(), q.IfMatch)
	}
	if err == nil {
		return &trackmeshv1.PeerAnswer{Partitions: []int32{0}, FenceWritten: w}
	}
	return refusedWrite(err)
}

func refusedWrite(err error) *trackmeshv1.PeerAnswer {
	var invalid *api.InvalidError
	var notAFence *fence.ParseError
	switch {
	case errors.Is(err, api.ErrVersion):
		return refuse(trackmeshv1.PeerCode_PEER_CODE_VERSION, "")
	case errors.Is(err, api.ErrNotFound):
		return refuse(trackmeshv1.PeerCode_PEER_CODE_UNKNOWN, "")
	case errors.As(err, &invalid), errors.As(err, &notAFence):
		pointer, reason := explained(err)
		return &trackmeshv1.PeerAnswer{Code: trackmeshv1.PeerCode_PEER_CODE_INVALID, Pointer: pointer, Detail: reason}
	}
	return refuse(trackmeshv1.PeerCode_PEER_CODE_FAILED, err.Error())
}

// explained are the pointer and the reason of a fence that is none.
func explained(err error) (pointer, reason string) {
	if invalid, ok := errors.AsType[*api.InvalidError](err); ok {
		return invalid.Pointer, invalid.Reason
	}
	if bad, ok := errors.AsType[*fence.ParseError](err); ok {
		return bad.Pointer, bad.Reason
	}
	return "", err.Error()
}

// WaitLive implements api.Fences. Every member has to work with the version: a partition that is moving meanwhile starts with what its
// new node has read, and who joins later reads to the end before it starts any.
func (f Fences) WaitLive(ctx context.Context, version int64) error {
	p := f.peers
	table := p.routes.get()
	waits, ctx := errgroup.WithContext(ctx)
	waits.Go(func() error { return p.opts.Fences.WaitLive(ctx, version) })
	for i, m := range table.members {
		if i != table.self && m.Status != cluster.Sick {
			waits.Go(func() error { return f.liveAt(ctx, m, version) })
		}
	}
	return waits.Wait()
}

// liveAt waits for one member, or until it is no member any more.
func (f Fences) liveAt(ctx context.Context, m cluster.Member, version int64) error {
	p := f.peers
	for {
		news := p.routes.next()
		if !p.isMember(m) {
			return nil
		}
		answer, err := p.opts.Asker.Ask(ctx, m, &trackmeshv1.PeerQuestion{
			Body: &trackmeshv1.PeerQuestion_FencesLive{FencesLive: &trackmeshv1.PeerFencesLiveQuestion{Version: version}},
		})
		if err == nil && answer.GetCode() == trackmeshv1.PeerCode_PEER_CODE_UNSPECIFIED {
			return nil
		}
		if err := pause(ctx, news); err != nil {
			return err
		}
	}
}

func (p *Peers) isMember(m cluster.Member) bool {
	for _, other := range p.routes.get().members {
		if other.Name == m.Name && other.Boot == m.Boot {
			return other.Status != cluster.Sick
		}
	}
	return false
}
