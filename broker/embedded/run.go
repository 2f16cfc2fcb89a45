package embedded

import (
	"bytes"
	"encoding/binary"

	"go.etcd.io/bbolt"
)

// pieceBytes is the most of a block that one bbolt value holds: six fill a page of 4 KiB (16 bytes of header, 16 and a key of
// 10 for each). bbolt splits a leaf only above four values, and rewrites the whole leaf for each one that is appended, so
// whole blocks as values would be written several times over, in runs of pages that fragment the file.
const pieceBytes = (4096-16)/6 - 26

// run is the bucket of an append-only partition within a transaction.
type run struct{ *bbolt.Bucket }

func openRun(tx *bbolt.Tx, at place) run {
	b := tx.Bucket(at.bucket('a'))
	b.FillPercent = 1 // offsets only grow
	return run{b}
}

func pieceKey(first int64, piece int) []byte {
	return binary.BigEndian.AppendUint16(offsetKey(first), uint16(piece))
}

func parsePieceKey(k []byte) (first int64, piece int, err error) {
	if len(k) != 10 {
		return 0, 0, errBadBlock
	}
	first, err = offsetOf(k)
	return first, int(binary.BigEndian.Uint16(k[8:])), err
}

// append writes a block whose first record has that offset.
func (r run) append(b block, first int64) error {
	rest := b.payload
	for piece := 0; len(rest) > 0; piece++ {
		n := min(len(rest), pieceBytes)
		if err := r.Put(pieceKey(first, piece), rest[:n:n]); err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
}

// seek moves the cursor to the first piece of the block that has the offset, or of the first block when that is later.
func (r run) seek(c *bbolt.Cursor, offset int64) (k, v []byte, err error) {
	k, _ = c.Seek(pieceKey(offset, 1<<16-1))
	if k == nil {
		k, _ = c.Last()
	} else if before, _ := c.Prev(); before != nil {
		k = before
	}
	if k == nil {
		return nil, nil, nil
	}
	first, _, err := parsePieceKey(k)
	if err != nil {
		return nil, nil, err
	}
	k, v = c.Seek(pieceKey(first, 0))
	return k, v, nil
}

// span is a block's place and time.
type span struct {
	first, end int64
	written    int64 // Unix milliseconds
}

func spanOf(k, v []byte) (span, error) {
	first, piece, err := parsePieceKey(k)
	if err != nil || piece != 0 {
		return span{}, errBadBlock
	}
	h, _, err := parseHeader(v)
	return span{first, first + int64(h.count), h.written}, err
}

// spanAt is the block that has the offset, or the first block when that is later; false when there is none.
func (r run) spanAt(offset int64) (span, bool, error) {
	k, v, err := r.seek(r.Cursor(), offset)
	if err != nil || k == nil {
		return span{}, false, err
	}
	s, err := spanOf(k, v)
	return s, err == nil, err
}

// last is the newest block; false when there is none.
func (r run) last() (span, bool, error) { return r.spanAt(1<<63 - 1) }

// read copies blocks from the one that has the offset from, up to about maxBytes of records.
func (r run) read(from, to int64, maxBytes int) ([]stored, error) {
	c := r.Cursor()
	k, v, err := r.seek(c, from)
	if err != nil {
		return nil, err
	}
	var out []stored
	for size := 0; k != nil; k, v = c.Next() {
		first, piece, err := parsePieceKey(k)
		if err != nil {
			return nil, err
		}
		if piece > 0 {
			if len(out) == 0 {
				return nil, errBadBlock
			}
			last := &out[len(out)-1]
			last.payload = append(last.payload, v...)
			continue
		}
		if first >= to || size >= maxBytes {
			break
		}
		h, _, err := parseHeader(v)
		if err != nil {
			return nil, err
		}
		size += h.raw
		out = append(out, stored{first, append(make([]byte, 0, max(len(v), h.raw/3)), v...)})
	}
	return out, nil
}

// dropFirst deletes the first block, unless it is the only one: the last block says where the partition ends. It returns
// the bytes that went, and the block that is the first now.
func (r run) dropFirst() (size int, next span, ok bool, err error) {
	var gone [][]byte
	c := r.Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		_, piece, err := parsePieceKey(k)
		if err != nil {
			return 0, span{}, false, err
		}
		if piece == 0 && len(gone) > 0 {
			if next, err = spanOf(k, v); err != nil {
				return 0, span{}, false, err
			}
			ok = true
			break
		}
		size += len(k) + len(v)
		gone = append(gone, bytes.Clone(k))
	}
	if !ok {
		return 0, span{}, false, nil
	}
	for _, k := range gone {
		if err := r.Delete(k); err != nil {
			return 0, span{}, false, err
		}
	}
	return size, next, true, nil
}
