package embedded

import (
	"bytes"
	"encoding/binary"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/trackmesh/trackmesh/broker"
)

const (
	// keyPrefix makes every key of a compacted stream one that bbolt takes: it refuses empty ones.
	keyPrefix = 'k'
	// entryTombstone marks the newest record of a key as a tombstone.
	entryTombstone = 1
	// tombstonesKept is how many tombstones a compacted partition keeps for readers that are behind.
	tombstonesKept = 100_000
	// stateTombstonesKept is the same for State, whose readers are those who restore: they need none.
	stateTombstonesKept = 1_000
)

// keyedRecord is a record of a compacted stream, encoded, without its offset.
type keyedRecord struct {
	key       []byte // with keyPrefix
	entry     []byte // room for the offset (8) · flags (1) · block
	tombstone bool
}

// entry is the value under a key.
type entry struct {
	offset    int64
	tombstone bool
	payload   []byte
}

func encodeKeyed(r *broker.Record, written int64) keyedRecord {
	raw := appendRecord(make([]byte, 0, recordSize(r)), r, written)
	payload := encodeBlock(raw, 1, written)
	k := keyedRecord{tombstone: r.Value == nil}
	k.key = append(append(make([]byte, 0, 1+len(r.Key)), keyPrefix), r.Key...)
	k.entry = append(make([]byte, 9, 9+len(payload)), payload...)
	if k.tombstone {
		k.entry[8] = entryTombstone
	}
	return k
}

func parseEntry(v []byte) (entry, error) {
	offset, err := offsetOf(v)
	if err != nil || len(v) < 9 {
		return entry{}, errBadBlock
	}
	return entry{offset, v[8]&entryTombstone != 0, v[9:]}, nil
}

// keyed are the buckets of a compacted partition within a transaction.
type keyed struct {
	keys, order, tombs *bbolt.Bucket
}

func openKeyed(tx *bbolt.Tx, at place) keyed {
	k := keyed{tx.Bucket(at.bucket('k')), tx.Bucket(at.bucket('o')), tx.Bucket(at.bucket('t'))}
	k.order.FillPercent, k.tombs.FillPercent = 1, 1 // offsets only grow
	return k
}

// put writes records, the first with that offset, in place of what their keys had. It returns how many tombstones there
// are more (or fewer).
func (k keyed) put(records []keyedRecord, first int64) (tombstones int, err error) {
	byKey := make([]int, len(records))
	for i := range records {
		byKey[i] = i
		binary.BigEndian.PutUint64(records[i].entry, uint64(first)+uint64(i))
	}
	// Leaves are visited one after the other, and of one key's records only the last is written.
	slices.SortFunc(byKey, func(a, b int) int {
		if c := bytes.Compare(records[a].key, records[b].key); c != 0 {
			return c
		}
		return a - b
	})
	newest := byKey[:0]
	for n, i := range byKey {
		if n+1 < len(byKey) && bytes.Equal(records[i].key, records[byKey[n+1]].key) {
			continue
		}
		gone, err := k.forget(records[i].key)
		if err != nil {
			return 0, err
		}
		tombstones -= gone
		if err := k.keys.Put(records[i].key, records[i].entry); err != nil {
			return 0, err
		}
		newest = append(newest, i)
	}
	slices.Sort(newest)
	for _, i := range newest {
		at := records[i].entry[:8:8]
		if err := k.order.Put(at, records[i].key); err != nil {
			return 0, err
		}
		if records[i].tombstone {
			tombstones++
			if err := k.tombs.Put(at, nil); err != nil {
				return 0, err
			}
		}
	}
	return tombstones, nil
}

// forget takes what a key has out of the indices. It returns how many tombstones that were.
func (k keyed) forget(key []byte) (tombstones int, err error) {
	old := k.keys.Get(key)
	if old == nil {
		return 0, nil
	}
	e, err := parseEntry(old)
	if err != nil {
		return 0, err
	}
	at := offsetKey(e.offset)
	if err := k.order.Delete(at); err != nil {
		return 0, err
	}
	if !e.tombstone {
		return 0, nil
	}
	return 1, k.tombs.Delete(at)
}

// prune deletes the n oldest tombstones for good.
func (k keyed) prune(n int) error {
	var offsets, keys [][]byte
	c := k.tombs.Cursor()
	for at, _ := c.First(); at != nil && len(offsets) < n; at, _ = c.Next() {
		offsets = append(offsets, bytes.Clone(at))
		keys = append(keys, bytes.Clone(k.order.Get(at)))
	}
	for i, at := range offsets {
		if err := k.tombs.Delete(at); err != nil {
			return err
		}
		if err := k.order.Delete(at); err != nil {
			return err
		}
		if err := k.keys.Delete(keys[i]); err != nil {
			return err
		}
	}
	return nil
}

// end is the offset after the last record: the newest record of all is always there.
func (k keyed) end() (int64, error) {
	at, _ := k.order.Cursor().Last()
	if at == nil {
		return 0, nil
	}
	last, err := offsetOf(at)
	return last + 1, err
}

// stored is an encoded block that was copied out of the file, and where it belongs.
type stored struct {
	first   int64
	payload []byte
}

// read copies the records with offsets from ≤ o < to, up to about maxBytes. next is where to go on.
func (k keyed) read(from, to int64, maxBytes int) (out []stored, next int64, err error) {
	c, size := k.order.Cursor(), 0
	for at, key := c.Seek(offsetKey(from)); at != nil; at, key = c.Next() {
		offset, err := offsetOf(at)
		if err != nil {
			return nil, 0, err
		}
		if offset >= to {
			break
		}
		if size >= maxBytes {
			return out, offset, nil
		}
		e, err := parseEntry(k.keys.Get(key))
		if err != nil || e.offset != offset {
			return nil, 0, errBadBlock
		}
		h, _, err := parseHeader(e.payload)
		if err != nil {
			return nil, 0, err
		}
		size += h.raw
		out = append(out, stored{offset, bytes.Clone(e.payload)})
	}
	return out, to, nil
}
