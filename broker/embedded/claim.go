package embedded

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"github.com/trackmesh/trackmesh/broker"
)

// restoreBytes is how much state one read transaction copies.
const restoreBytes = 1 << 20

// claim is a partition taken within this process.
//
//	claimed ──Restore──> restored ──Commit──> restored
//	   │                    │ any error, or a later claim
//	   └────────────────────┴──> lost (nothing can be committed any more)
type claim struct {
	log  *Log
	p    int32
	node string
	term uint64
	end  int64 // of State when it was claimed

	busy     sync.Mutex // held by Restore and Commit
	restored bool

	mu  sync.Mutex // guards err
	err error      // why the claim is lost
}

var _ broker.Claim = (*claim)(nil)

// Claim takes partition p. The writer serialises claims and commits: whoever it saw last is the owner.
func (l *Log) Claim(ctx context.Context, p int32, node string) (broker.Claim, error) {
	if l.isClosed() {
		return nil, broker.ErrClosed
	}
	state, err := l.part(broker.State, p)
	if err != nil {
		return nil, err
	}
	c := &claim{log: l, p: p, node: node}
	err = l.await(ctx, &op{
		size: len(node), check: noCheck,
		apply: func(t *txn) error { return c.take(t, state) },
		lost:  func() { c.fail(broker.ErrFenced) },
	})
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("claiming partition %d: %w", p, err)
	}
	return c, nil
}

// take writes the claim record and makes c the owner. The earlier owner has lost even when the transaction fails.
func (c *claim) take(t *txn, state *part) error {
	if before := state.owner; before != nil {
		before.fail(broker.ErrFenced)
	}
	state.owner = c
	claims, key := t.Bucket(bucketClaims), binary.BigEndian.AppendUint32(nil, uint32(c.p))
	if v := claims.Get(key); len(v) >= 8 {
		c.term = binary.BigEndian.Uint64(v)
	}
	c.term++
	c.end = state.next
	v := binary.BigEndian.AppendUint64(nil, c.term)
	v = binary.BigEndian.AppendUint64(v, uint64(time.Now().UnixMilli()))
	return claims.Put(key, append(v, c.node...))
}

// Partition is the claimed partition.
func (c *claim) Partition() int32 { return c.p }

// Term is known from the claim on.
func (c *claim) Term() uint64 { return c.term }

// Restore reads State in pieces: between them no transaction is open, and nobody can change what it reads but a later owner.
func (c *claim) Restore(ctx context.Context, fn func(*broker.Record) error) error {
	c.busy.Lock()
	defer c.busy.Unlock()
	if err := c.lost(); err != nil {
		return err
	}
	if c.restored {
		return errors.New("the claim was restored before")
	}
	if err := ctx.Err(); err != nil {
		return c.failing(fmt.Errorf("restoring partition %d: %w", c.p, err))
	}
	at := place{broker.State, c.p}
	for next := int64(0); next < c.end; {
		if err := ctx.Err(); err != nil {
			return c.failing(fmt.Errorf("restoring partition %d: %w", c.p, err))
		}
		var read []stored
		err := c.log.view(func(tx *bbolt.Tx) (err error) {
			read, next, err = openKeyed(tx, at).read(next, c.end, restoreBytes)
			return err
		})
		if err != nil {
			return c.failing(fmt.Errorf("restoring partition %d: %w", c.p, err))
		}
		if err := c.lost(); err != nil { // before what a later owner wrote over is shown
			return fmt.Errorf("restoring partition %d: %w", c.p, err)
		}
		if err := c.show(read, at, fn); err != nil {
			return c.failing(err)
		}
	}
	c.restored = true
	return nil
}

func (c *claim) show(read []stored, at place, fn func(*broker.Record) error) error {
	for i := range read {
		records, err := decodeBlock(read[i].payload, at.s, at.p, read[i].first)
		if err != nil {
			return damaged(c.log.path, err)
		}
		if err := fn(&records[0]); err != nil {
			return err
		}
	}
	return nil
}

// Commit appends the records in one transaction, or loses the claim.
func (c *claim) Commit(ctx context.Context, records []broker.Record) error {
	c.busy.Lock()
	defer c.busy.Unlock()
	if err := c.lost(); err != nil {
		return err
	}
	if !c.restored {
		return c.failing(errNotRestored)
	}
	for i := range records {
		if err := c.committable(&records[i]); err != nil {
			return c.failing(err)
		}
	}
	if len(records) == 0 {
		return nil
	}
	batches, _, size := c.log.encode(records)
	err := c.log.await(ctx, &op{
		size:  size,
		check: c.lost, // a claim before it in the queue has failed it
		apply: func(t *txn) error { return applyAll(t, batches, size) },
	})
	if err != nil {
		return c.failing(fmt.Errorf("committing %d records of partition %d: %w", len(records), c.p, err))
	}
	return nil
}

func (c *claim) committable(r *broker.Record) error {
	switch r.Stream {
	case broker.Enriched, broker.Events, broker.State, broker.Dead:
	default:
		return fmt.Errorf("%s is not written by commits", r.Stream)
	}
	if r.Partition != c.p {
		return fmt.Errorf("record for %s[%d] in a commit of partition %d", r.Stream, r.Partition, c.p)
	}
	return c.log.writable(r)
}

func (c *claim) lost() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// fail loses the claim; the first reason stays.
func (c *claim) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
	}
}

func (c *claim) failing(err error) error {
	c.fail(err)
	return err
}

// Close lets go.
func (c *claim) Close() { c.fail(broker.ErrClosed) }
