package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"github.com/trackmesh/trackmesh/broker"
)

// Log is an open log.
type Log struct {
	opts    Options
	logger  *slog.Logger
	path    string
	db      *bbolt.DB
	file    *os.File // bbolt's
	layout  broker.Layout
	parts   map[place]*part
	order   []*part // all parts, in the order of their places
	metrics *metrics

	queue   queue
	done    chan struct{}     // closed when the writer has ended
	alarmed [alarms]time.Time // the writer's: when it last logged what

	mu      sync.Mutex // guards what follows, and the published bounds of every part
	closed  bool
	changed chan struct{} // closed and replaced whenever something was published
	failure error         // why the last write failed; nil after one that succeeded
	cursors map[string]map[place]int64
}

var _ broker.Log = (*Log)(nil)

// part is a partition of a stream.
type part struct {
	place
	off bool // a stream that the options switch off: it has no readers and writers, and retention still rules it

	// Published, under Log.mu. The writer alone changes them.
	earliest, end int64

	// The writer's own.
	next  int64  // the end that the transaction in progress will publish
	tombs int    // tombstones that a compacted partition keeps
	front *span  // the first stored block, when it is known
	owner *claim // who may commit, of State only
}

// Open opens the log under opts.Dir or makes one, migrates an older format, and starts the writer. It takes no ctx beyond
// its return.
func Open(ctx context.Context, opts Options) (*Log, error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	opts = opts.withDefaults()
	b, err := openFile(ctx, opts)
	if err != nil {
		return nil, err
	}
	l := &Log{
		opts: opts, logger: opts.Logger, path: b.path, db: b.db, file: b.file, done: make(chan struct{}),
		changed: make(chan struct{}), cursors: map[string]map[place]int64{}, parts: map[place]*part{},
	}
	if err := l.start(); err != nil {
		_ = b.db.Close()
		return nil, err
	}
	l.metrics = newMetrics(opts.Registerer, l)
	l.queue.init()
	go l.write()
	return l, nil
}

func (l *Log) start() error {
	if err := guard(l.path, func() error { return checkSize(l.db, l.file) }); err != nil {
		return damaged(l.path, err)
	}
	var version int
	err := l.view(func(tx *bbolt.Tx) (err error) { version, err = formatOf(tx); return err })
	if err != nil {
		return fmt.Errorf("opening %s: %w: move it away, or choose another --data-dir", l.path, err)
	}
	if err := guard(l.path, func() error { return migrate(l.db, l.path, version, l.logger) }); err != nil {
		return err
	}
	if err := l.describe(); err != nil {
		return err
	}
	if err := l.load(); err != nil {
		return err
	}
	if err := l.expire(time.Now()); err != nil && !errors.Is(err, broker.ErrFull) { // reading works on a full disk; Health has it
		return err
	}
	return nil
}

// describe reads the layout and refuses options that contradict it.
func (l *Log) describe() error {
	err := l.view(func(tx *bbolt.Tx) (err error) {
		l.layout, err = layoutOf(tx, l.opts.MaxRecordBytes)
		return err
	})
	switch {
	case err != nil && errors.Is(err, errDamaged):
		return err
	case err != nil:
		return damaged(l.path, err)
	case l.layout.Input != l.opts.Topic:
		return fmt.Errorf("the log in %s holds the topic %s, not %s: use --topic %s, or choose another --data-dir",
			l.opts.Dir, l.layout.Input, l.opts.Topic, l.layout.Input)
	case l.opts.Partitions != 0 && l.layout.Partitions != l.opts.Partitions:
		return fmt.Errorf("the log in %s was made with %d partitions, which cannot change: use --partitions %d, or choose another --data-dir",
			l.opts.Dir, l.layout.Partitions, l.layout.Partitions)
	}
	for _, at := range places(l.layout.Partitions) {
		p := &part{place: at, off: at.s == broker.Enriched && !l.opts.Enriched}
		l.parts[at] = p
		l.order = append(l.order, p)
	}
	return nil
}

// load reads from the file what is kept in memory. The writer calls it again after a failed write, when what is stored is
// uncertain.
func (l *Log) load() error {
	return l.view(func(tx *bbolt.Tx) error {
		cursors, err := loadCursors(tx)
		if err != nil {
			return err
		}
		for _, p := range l.order {
			earliest, end, err := p.load(tx)
			if err != nil {
				return err
			}
			l.mu.Lock()
			p.earliest, p.end = earliest, end
			l.mu.Unlock()
		}
		l.mu.Lock()
		l.cursors = cursors
		l.mu.Unlock()
		return nil
	})
}

// load returns the part's bounds and sets what is the writer's.
func (p *part) load(tx *bbolt.Tx) (earliest, end int64, err error) {
	p.front = nil
	if p.s.Compacted() {
		k := openKeyed(tx, p.place)
		p.tombs = 0
		for c, at := k.tombs.Cursor(), []byte(nil); ; p.tombs++ {
			if p.tombs == 0 {
				at, _ = c.First()
			} else {
				at, _ = c.Next()
			}
			if at == nil {
				break
			}
		}
		end, err = k.end()
		p.next = end
		return 0, end, err // what compaction took away is still "read" by reading what replaced it
	}
	r := openRun(tx, p.place)
	first, ok, err := r.spanAt(0)
	if err != nil || !ok {
		return 0, 0, err
	}
	last, _, err := r.last()
	if err != nil {
		return 0, 0, err
	}
	earliest = first.first
	if v := tx.Bucket(bucketEarliest).Get(p.key()); v != nil {
		stored, err := offsetOf(v)
		if err != nil {
			return 0, 0, err
		}
		earliest = max(earliest, stored)
	}
	p.next = last.end
	return earliest, last.end, nil
}

// Layout is fixed after opening.
func (l *Log) Layout() broker.Layout { return l.layout }

// part returns a partition that may be used.
func (l *Log) part(s broker.Stream, p int32) (*part, error) {
	if s >= broker.NumStreams {
		return nil, fmt.Errorf("stream %d is not known", s)
	}
	found := l.parts[place{s, p}]
	if found == nil {
		return nil, fmt.Errorf("%s has no partition %d", l.layout.Topic(s), p)
	}
	if found.off {
		return nil, fmt.Errorf("stream %s is switched off", s)
	}
	return found, nil
}

// Bounds returns the published bounds.
func (l *Log) Bounds(ctx context.Context, s broker.Stream, p int32) (earliest, end int64, err error) {
	if err := ctx.Err(); err != nil {
		return 0, 0, err
	}
	found, err := l.part(s, p)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return 0, 0, broker.ErrClosed
	}
	if err != nil {
		return 0, 0, err
	}
	return found.earliest, found.end, nil
}

// Health returns why the last write failed, if it did.
func (l *Log) Health() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return broker.ErrClosed
	}
	return l.failure
}

func (l *Log) isClosed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed
}

// Close ends the writer, which first writes what it has, and closes the file. Readers that are still open are closed with it.
func (l *Log) Close() error {
	l.mu.Lock()
	first, broken := !l.closed, errors.Is(l.failure, errBroken)
	l.closed = true
	if first {
		close(l.changed) // wakes the readers, which see that it is closed
	}
	l.mu.Unlock()
	if !first {
		<-l.done
		return nil
	}
	l.queue.close()
	<-l.done
	l.metrics.unregister()
	if broken { // bbolt may have died with its locks held, and would wait for them
		return l.file.Close()
	}
	if err := l.db.Close(); err != nil {
		return fmt.Errorf("closing %s: %w", l.path, err)
	}
	return nil
}
