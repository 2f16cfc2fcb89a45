package embedded

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"github.com/trackmesh/trackmesh/broker"
)

const (
	// joinBytes is how much one transaction joins at most, unless a single write is larger.
	joinBytes = 8 << 20
	// houseEvery is how often age is looked at, and after a failure whether writing works again.
	houseEvery = time.Second
)

// op is one write. check and apply are called by the writer; apply may be called for several ops in one transaction.
//
//	queued ──the writer takes it──> running ──> done
//	   └── whoever waits gives up ──> abandoned
type op struct {
	size  int
	check func() error     // whether it may go ahead, seen from those before it
	apply func(*txn) error // an error fails the whole transaction
	lost  func()           // called by the writer when its transaction failed; may be nil
	state atomic.Int32     // opQueued, opRunning, opAbandoned
	err   chan error       // of capacity 1: the outcome
}

const (
	opQueued = iota
	opRunning
	opAbandoned
)

// queue is what waits for the writer.
type queue struct {
	mu     sync.Mutex
	ops    []*op
	closed bool
	ready  chan struct{} // of capacity 1: something was put in, or it was closed
}

func (q *queue) init() { q.ready = make(chan struct{}, 1) }

func (q *queue) signal() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

func (q *queue) put(o *op) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return broker.ErrClosed
	}
	q.ops = append(q.ops, o)
	q.signal()
	return nil
}

// take returns what one transaction joins.
func (q *queue) take() (ops []*op, closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n, size := 0, 0
	for n < len(q.ops) && (n == 0 || size+q.ops[n].size <= joinBytes) {
		size += q.ops[n].size
		n++
	}
	ops = append(ops, q.ops[:n]...)
	rest := copy(q.ops, q.ops[n:])
	clear(q.ops[rest:])
	if q.ops = q.ops[:rest]; rest > 0 {
		q.signal()
	}
	return ops, q.closed && rest == 0
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.signal()
}

// write is the writer.
func (l *Log) write() {
	defer close(l.done)
	house := time.NewTicker(houseEvery)
	defer house.Stop()
	for {
		select {
		case <-l.queue.ready:
		case now := <-house.C:
			l.keepHouse(now)
			continue
		}
		ops, closed := l.queue.take()
		if len(ops) > 0 {
			l.run(ops)
		}
		if closed {
			return
		}
	}
}

// run makes one transaction of ops.
func (l *Log) run(ops []*op) {
	began, joined := time.Now(), ops[:0]
	for _, o := range ops {
		if o.state.CompareAndSwap(opQueued, opRunning) {
			joined = append(joined, o)
		}
	}
	if len(joined) == 0 {
		return
	}
	var refused []error
	t, err := l.transact(func(t *txn) error {
		refused = make([]error, len(joined))
		for i, o := range joined {
			if refused[i] = o.check(); refused[i] != nil {
				continue
			}
			if err := o.apply(t); err != nil {
				return err
			}
		}
		return l.makeRoom(t)
	})
	l.metrics.transaction(began, len(joined), t, err)
	for i, o := range joined {
		outcome := err
		if refused != nil && refused[i] != nil {
			outcome = refused[i]
		} else if err != nil && o.lost != nil {
			o.lost()
		}
		o.err <- outcome
	}
}

// txn is a transaction of the writer.
type txn struct {
	*bbolt.Tx
	log     *Log
	touched map[*part]struct{}
	bytes   int      // encoded bytes written
	records int      // records written
	publish []func() // what becomes true with the commit; called under Log.mu
}

func (t *txn) touch(p *part) { t.touched[p] = struct{}{} }

// transact runs one transaction: on success it is durable and published, otherwise the memory is as the file is.
func (l *Log) transact(f func(*txn) error) (*txn, error) {
	if err := l.recovered(); err != nil {
		return nil, err
	}
	t := &txn{log: l, touched: map[*part]struct{}{}}
	err := guard(l.path, func() error {
		return l.db.Update(func(tx *bbolt.Tx) error {
			t.Tx = tx
			return f(t)
		})
	})
	if err != nil {
		return nil, l.failed(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failure != nil {
		l.logger.Info("the log can be written again", "path", l.path)
		l.failure = nil
	}
	for p := range t.touched {
		p.end = p.next
	}
	for _, publish := range t.publish {
		publish()
	}
	if !l.closed {
		close(l.changed)
		l.changed = make(chan struct{})
	}
	return t, nil
}

// errBroken: what happened leaves no way to go on in this process.
var errBroken = errors.New("the log cannot be written any more")

// recovered makes the file sound after a failed write, before the next one.
func (l *Log) recovered() error {
	l.mu.Lock()
	failure := l.failure
	l.mu.Unlock()
	if failure == nil {
		return nil
	}
	if errors.Is(failure, errBroken) {
		return failure
	}
	if err := l.settle(); err != nil {
		return l.writeError(err)
	}
	return nil
}

// failed is the end of a transaction that did not succeed.
func (l *Log) failed(cause error) error {
	err := l.writeError(cause)
	if errors.Is(cause, errDamaged) {
		err = fmt.Errorf("%w: %w", errBroken, cause)
	} else if errors.Is(cause, errBadBlock) {
		err = fmt.Errorf("%w: %w", errBroken, damaged(l.path, cause))
	} else if cannot := l.load(); cannot != nil {
		err = fmt.Errorf("%w: %w (after %w)", errBroken, cannot, cause)
	}
	l.mu.Lock()
	known := l.failure != nil
	l.failure = err
	l.mu.Unlock()
	if !known {
		l.logger.Error("writing the log failed", "path", l.path, "err", err)
	}
	return err
}

// keepHouse runs every houseEvery: it hides what is too old, and after a failure tries whether there is space again, so that
// Health is true also when nobody writes.
func (l *Log) keepHouse(now time.Time) {
	l.mu.Lock()
	failed := l.failure != nil && !errors.Is(l.failure, errBroken)
	l.mu.Unlock()
	if failed {
		l.probe()
		return
	}
	_ = l.expire(now) // Health has the error
}

// probe writes as much as an ordinary transaction, and takes it away again.
func (l *Log) probe() {
	_, err := l.transact(func(t *txn) error {
		return t.Bucket(bucketLog).Put(keyProbe, make([]byte, 256<<10))
	})
	if err == nil {
		_, _ = l.transact(func(t *txn) error { return t.Bucket(bucketLog).Delete(keyProbe) })
	}
}
