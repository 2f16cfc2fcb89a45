package api

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strconv"
)

// cursor is the next offset of each partition of the events: what a reader of the stream has not seen yet.
type cursor []int64

// cursorVersion is the first byte of an encoded cursor.
const cursorVersion = 1

var errCursor = errors.New("is no cursor of this stream")

// encode writes a cursor as base64url: version, four bytes of the state topic's id (as varint), partitions, offsets; all varints.
func (c cursor) encode(log uint32) string {
	b := make([]byte, 0, 16+5*len(c))
	b = append(b, cursorVersion)
	b = binary.AppendUvarint(b, uint64(log))
	b = binary.AppendUvarint(b, uint64(len(c)))
	for _, offset := range c {
		b = binary.AppendUvarint(b, uint64(offset)) //nolint:gosec // offsets are not negative
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// decodeCursor reads what encode wrote, for a log with so many partitions.
func decodeCursor(text string, log uint32, partitions int) (cursor, error) {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) == 0 || b[0] != cursorVersion {
		return nil, errCursor
	}
	b = b[1:]
	next := func() (uint64, bool) {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			return 0, false
		}
		b = b[n:]
		return v, true
	}
	id, ok := next()
	if !ok || id != uint64(log) {
		return nil, errCursor
	}
	if n, ok := next(); !ok || n != uint64(partitions) { //nolint:gosec // not negative
		return nil, errCursor
	}
	c := make(cursor, partitions)
	for i := range c {
		v, ok := next()
		if !ok || v > 1<<62 {
			return nil, errCursor
		}
		c[i] = int64(v)
	}
	if len(b) > 0 {
		return nil, errCursor
	}
	return c, nil
}

// logNumber is the first four bytes of the state topic's id: a cursor of a log that was made anew fits no more.
func logNumber(stateID string) uint32 {
	n, err := strconv.ParseUint(stateID[:min(8, len(stateID))], 16, 32)
	if err != nil {
		return 0
	}
	return uint32(n)
}
