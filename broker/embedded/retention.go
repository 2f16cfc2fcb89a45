package embedded

import (
	"time"

	"go.etcd.io/bbolt"
)

const (
	// reserveBytes is how much room for the next transactions retention keeps in the file: copies on write of some of the
	// largest ones. Much more would cost: bbolt writes the list of free pages with each transaction.
	reserveBytes = 32 << 20
	// fileSlack is what the file may be larger than the pages in use: a step of growth.
	fileSlack = growBytes + 1<<20
	// roomStep is how much one transaction frees at least once room is short.
	roomStep = 256 << 10
)

// room is how the file's pages are used, in bytes.
type room struct {
	size int64 // up to the highest page in use
	free int64 // of that, free now or when the last readers are gone
}

func (l *Log) room(size int64) room {
	s := l.db.Stats()
	return room{size, int64(s.FreePageN+s.PendingPageN) * int64(l.db.Info().PageSize)}
}

// reserve is how much must be free, or may still be added, before a transaction.
func (l *Log) reserve() int64 { return min(l.bound()/8, reserveBytes) }

// bound is what the pages in use may reach, so that the file stays within --retention-bytes.
func (l *Log) bound() int64 { return l.opts.RetentionBytes - fileSlack }

// makeRoom frees, within a transaction that writes, what the next ones need: first what is too old anyway, and where the
// bound leaves no more room, the oldest records that no cursor waits for, then the oldest. So the file stays within its bound
// as long as what compacted streams hold leaves room. It frees somewhat more than was written, and no more than that: the
// cost follows the load.
func (l *Log) makeRoom(t *txn) error {
	r, worst := l.room(t.Size()), rankHidden
	if r.free >= l.reserve() {
		return nil
	}
	if max(l.bound()-r.size, 0)+r.free < l.reserve() {
		worst = rankAwaited
	}
	want := max(2*t.bytes, roomStep)
	for freed := 0; freed < want; {
		n, err := l.freeOldest(t, worst)
		if err != nil {
			return err
		}
		if n == 0 {
			if worst == rankAwaited {
				l.alarm(alarmNothingLeft, "the log is at its bound and only records that are never deleted are left: raise --retention-bytes")
			}
			break
		}
		freed += n
	}
	return nil
}

// freeOldest deletes the first block that matters least, of that rank at worst, and returns its bytes; 0 when there is none.
func (l *Log) freeOldest(t *txn, worst int) (int, error) {
	var victim *part
	var best int
	for _, p := range l.order {
		ok, err := p.hasFront(t)
		if err != nil {
			return 0, err
		}
		if !ok {
			continue
		}
		rank := l.rank(p, worst)
		if rank <= worst && (victim == nil || rank < best || rank == best && p.front.written < victim.front.written) {
			victim, best = p, rank
		}
	}
	if victim == nil {
		return 0, nil
	}
	if best == rankAwaited {
		l.alarm(alarmAwaited, "the log is at its bound and deletes records that a reader has not read yet: raise --retention-bytes", "stream", victim.s, "partition", victim.p)
		l.metrics.awaitedBlocks.Inc()
	}
	return l.dropFront(t, victim)
}

// alarms are logged at most once in alarmEvery each.
const (
	alarmNothingLeft = iota
	alarmAwaited
	alarms
	alarmEvery = time.Minute
)

// alarm is for the writer.
func (l *Log) alarm(which int, message string, args ...any) {
	if now := time.Now(); now.Sub(l.alarmed[which]) >= alarmEvery {
		l.alarmed[which] = now
		l.logger.Warn(message, append(args, "path", l.path, "retention_bytes", l.opts.RetentionBytes)...) //nolint:sloglint // both callers give constants
	}
}

// hasFront looks for a first block that may go: the last one of all stays, it says where the partition ends.
func (p *part) hasFront(t *txn) (bool, error) {
	if p.s.Compacted() || p.next == 0 {
		return false, nil
	}
	if p.front == nil {
		s, ok, err := openRun(t.Tx, p.place).spanAt(0)
		if err != nil || !ok {
			return false, err
		}
		p.front = &s
	}
	return p.front.end < p.next, nil
}

// How much first blocks are missed.
const (
	rankHidden  = iota // too old
	rankRead           // read by all who said so
	rankAwaited        // a cursor waits for it
)

// rank is how much a part's first block is missed; what is worse than asked for is not told apart.
func (l *Log) rank(p *part, worst int) int {
	l.mu.Lock()
	hidden := p.front.end <= p.earliest
	l.mu.Unlock()
	switch {
	case hidden:
		return rankHidden
	case worst == rankHidden || !l.awaited(p.place, p.front.end):
		return rankRead
	}
	return rankAwaited
}

func (l *Log) dropFront(t *txn, p *part) (int, error) {
	size, next, ok, err := openRun(t.Tx, p.place).dropFirst()
	if err != nil || !ok {
		return 0, err
	}
	// Readers must not look for it from now on, even though the transaction may still fail: load would set it back.
	l.raise(p, next.first)
	p.front = &next
	l.metrics.freed(size)
	return size, nil
}

// raise hides what is before an offset.
func (l *Log) raise(p *part, earliest int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p.earliest = max(p.earliest, earliest)
}

// expire hides what is older than --retention-age. Its pages are freed when they are needed: the file does not shrink, and
// a long list of free pages makes every transaction slower.
func (l *Log) expire(now time.Time) error {
	if l.opts.RetentionAge == 0 {
		return nil
	}
	limit := now.Add(-l.opts.RetentionAge).UnixMilli()
	raised := map[*part]int64{}
	err := l.view(func(tx *bbolt.Tx) error {
		for _, p := range l.order {
			if p.s.Compacted() || p.next == 0 {
				continue
			}
			at, err := firstSince(openRun(tx, p.place), p, limit)
			if err != nil {
				return err
			}
			if at > p.earliest {
				raised[p] = at
			}
		}
		return nil
	})
	if err != nil || len(raised) == 0 {
		return err
	}
	return l.hide(raised)
}

// hide durably raises earliest offsets.
func (l *Log) hide(raised map[*part]int64) error {
	_, err := l.transact(func(t *txn) error {
		for p, at := range raised {
			if err := t.hide(p, at); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}

func (t *txn) hide(p *part, below int64) error {
	t.publish = append(t.publish, func() { p.earliest = max(p.earliest, below) })
	return t.Bucket(bucketEarliest).Put(p.key(), offsetKey(below))
}

// firstSince finds the first offset that was written at a time or later. Blocks are in order of time, but for a clock that
// was set back; then what is behind such a jump may stay longer.
func firstSince(r run, p *part, limit int64) (int64, error) {
	lo, hi := p.earliest, p.next
	for mid := lo; lo < hi; mid = lo + (hi-lo)/2 { // mostly the first block is young enough
		s, ok, err := r.spanAt(mid)
		if err != nil || !ok {
			return lo, err
		}
		if s.written < limit {
			lo = s.end
		} else {
			hi = max(s.first, lo)
		}
	}
	return lo, nil
}
