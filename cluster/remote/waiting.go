package remote

import (
	"fmt"
	"sync"
	"sync/atomic"

	trackmeshv1 "github.com/trackmesh/trackmesh/messages/trackmesh/v1"
)

// waiter is a question without an answer yet.
type waiter struct {
	member string // name and boot
	addr   string
	result chan result // has room for one

	parts gathering // the actor's alone
}

type result struct {
	body []byte // of a PeerAnswer
	err  error
}

// answer decodes: in the asker's goroutine, for a large one takes its time.
func (r result) answer() (*trackmeshv1.PeerAnswer, error) {
	if r.err != nil {
		return nil, r.err
	}
	a := &trackmeshv1.PeerAnswer{}
	if err := a.UnmarshalVT(r.body); err != nil {
		return nil, fmt.Errorf("decoding an answer: %w", err)
	}
	return a, nil
}

// waiting are the questions that this node has asked.
type waiting struct {
	last atomic.Uint64

	mu   sync.Mutex
	byID map[uint64]*waiter // guarded by mu
}

func (w *waiting) add(member, addr string) (id uint64, q *waiter) {
	id, q = w.last.Add(1), &waiter{member: member, addr: addr, result: make(chan result, 1)}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.byID[id] = q
	return id, q
}

func (w *waiting) get(id uint64) *waiter {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.byID[id]
}

// end takes a waiter out; whoever does so is the one to tell it its result.
func (w *waiting) end(id uint64) *waiter {
	w.mu.Lock()
	defer w.mu.Unlock()
	q := w.byID[id]
	delete(w.byID, id)
	return q
}

// fail ends those that a peer will not answer any more.
func (w *waiting) fail(err error, lost func(*waiter) bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, q := range w.byID {
		if lost(q) {
			delete(w.byID, id)
			q.result <- result{err: err}
		}
	}
}
