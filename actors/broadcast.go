package actors

import (
	"context"
	"sync"
)

// broadcast wakes everybody who waits for a condition that is kept elsewhere.
type broadcast struct {
	mu sync.Mutex
	ch chan struct{} // guarded by mu; closed by the next announce
}

func (b *broadcast) announce() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch != nil {
		close(b.ch)
		b.ch = nil
	}
}

func (b *broadcast) next() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch == nil {
		b.ch = make(chan struct{})
	}
	return b.ch
}

// until waits until condition holds; it is asked anew at each announcement.
func (b *broadcast) until(ctx context.Context, condition func() bool) error {
	for {
		news := b.next()
		if condition() {
			return nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
