//go:build real && linux

package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"
)

// disturb carries a schedule out and heals everything at its end. Faults may overlap: each heals what it did itself.
func (r *run) disturb(ctx context.Context, faults []Fault) error {
	began := time.Now()
	errs := make([]error, len(faults))
	var all sync.WaitGroup
	for i, f := range faults {
		all.Go(func() {
			if !sleep(ctx, time.Until(began.Add(f.At))) {
				return
			}
			heal, err := r.apply(f)
			sleep(ctx, time.Until(began.Add(f.At+f.For)))
			errs[i] = errors.Join(err, heal())
			if errs[i] != nil {
				errs[i] = fmt.Errorf("%s: %w", f, errs[i])
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// apply does it and returns how to heal it.
func (r *run) apply(f Fault) (heal func() error, err error) {
	var nodes []*node
	for _, i := range f.Nodes {
		if r.nodes[i].running() != (f.Kind == Join) {
			nodes = append(nodes, r.nodes[i])
		}
	}
	start := func() error { return r.each(nodes, (*node).start) }
	doors := func(s doorState) func() error {
		return func() error {
			return r.each(nodes, func(n *node) error { n.setKafka(s); return nil })
		}
	}
	switch f.Kind {
	case Kill:
		return start, r.each(nodes, func(n *node) error { n.kill(); return nil })
	case Term:
		return start, r.each(nodes, (*node).term)
	case Pause:
		return func() error {
			return r.each(nodes, func(n *node) error { n.signal(syscall.SIGCONT); return nil })
		}, r.each(nodes, func(n *node) error { n.signal(syscall.SIGSTOP); return nil })
	case CutGossip:
		cut := func(out bool) error {
			return r.each(nodes, func(n *node) error { return n.space.cut(out) })
		}
		return func() error { return cut(false) }, cut(true)
	case CutKafka:
		return doors(doorOpen), doors(doorShut)()
	case ResetKafka:
		return doors(doorOpen), doors(doorRefusing)()
	case Join:
		return func() error { return r.each(nodes, (*node).term) }, start()
	case Rolling:
		return func() error { return nil }, r.rolling()
	case KillBroker, PauseBroker:
		return r.applyToBroker(f.Kind)
	}
	return nil, fmt.Errorf("unknown fault %q", f.Kind)
}

// rolling restarts the running nodes one after the other.
func (r *run) rolling() error {
	for _, n := range r.running() {
		if err := errors.Join(n.term(), n.start()); err != nil {
			return err
		}
	}
	return nil
}

// applyToBroker leaves a broker alone that is disturbed already.
func (r *run) applyToBroker(k Kind) (heal func() error, err error) {
	if !r.brokers.TryLock() {
		return func() error { return nil }, nil
	}
	b := r.kafka.Nodes[0]
	if k == PauseBroker {
		return func() error { defer r.brokers.Unlock(); return b.Continue() }, b.Pause()
	}
	b.Kill()
	return func() error {
		defer r.brokers.Unlock()
		return errors.Join(b.Start(), r.kafka.Ready(context.Background()))
	}, nil
}
