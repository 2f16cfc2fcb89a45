package embedded

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"maps"

	"go.etcd.io/bbolt"

	"github.com/trackmesh/trackmesh/broker"
)

// cursorPrefix is what the keys of one name's cursors begin with, before the place.
func (l *Log) cursorPrefix(name string) string { return l.opts.Group + "\x00" + name + "\x00" }

// LoadCursors returns what StoreCursors stored.
func (l *Log) LoadCursors(ctx context.Context, name string, s broker.Stream) (map[int32]int64, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if _, err := l.part(s, 0); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, broker.ErrClosed
	}
	out := map[int32]int64{}
	for at, offset := range l.cursors[l.cursorPrefix(name)] {
		if at.s == s {
			out[at.p] = offset
		}
	}
	return out, nil
}

// StoreCursors sets cursors in one transaction.
func (l *Log) StoreCursors(ctx context.Context, name string, s broker.Stream, cursors map[int32]int64) error {
	if l.isClosed() {
		return broker.ErrClosed
	}
	for p, offset := range cursors {
		if _, err := l.part(s, p); err != nil {
			return err
		}
		if offset < 0 {
			return fmt.Errorf("cursor %d of %s[%d] is negative", offset, s, p)
		}
	}
	if len(cursors) == 0 {
		return nil
	}
	prefix, kept := l.cursorPrefix(name), maps.Clone(cursors) // the caller's map is not ours once ctx has ended
	err := l.await(ctx, &op{size: 64 * len(kept), check: noCheck, apply: func(t *txn) error {
		b := t.Bucket(bucketCursors)
		for p, offset := range kept {
			if err := b.Put(append([]byte(prefix), place{s, p}.key()...), offsetKey(offset)); err != nil {
				return err
			}
		}
		t.publish = append(t.publish, func() { l.publishCursors(prefix, s, kept) })
		return nil
	}})
	if err != nil {
		return fmt.Errorf("storing cursors %s: %w", name, err)
	}
	return nil
}

// publishCursors is called under Log.mu.
func (l *Log) publishCursors(prefix string, s broker.Stream, cursors map[int32]int64) {
	of := l.cursors[prefix]
	if of == nil {
		of = map[place]int64{}
		l.cursors[prefix] = of
	}
	for p, offset := range cursors {
		of[place{s, p}] = offset
	}
}

func loadCursors(tx *bbolt.Tx) (map[string]map[place]int64, error) {
	out := map[string]map[place]int64{}
	err := tx.Bucket(bucketCursors).ForEach(func(k, v []byte) error {
		n := len(k) - 5
		offset, err := offsetOf(v)
		if err != nil || n < 2 || bytes.Count(k[:n], []byte{0}) < 2 {
			return errBadBlock
		}
		at := place{broker.Stream(k[n]), int32(binary.BigEndian.Uint32(k[n+1:]))}
		if out[string(k[:n])] == nil {
			out[string(k[:n])] = map[place]int64{}
		}
		out[string(k[:n])][at] = offset
		return nil
	})
	return out, err
}

// awaited reports whether a cursor says that somebody has yet to read a partition from before an offset.
func (l *Log) awaited(at place, end int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, of := range l.cursors {
		if offset, ok := of[at]; ok && offset < end {
			return true
		}
	}
	return false
}
