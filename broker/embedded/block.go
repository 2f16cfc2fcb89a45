package embedded

import (
	"encoding/binary"
	"errors"
	"hash/crc32"

	"github.com/klauspost/compress/s2"

	"github.com/trackmesh/trackmesh/broker"
)

// A block is some records of one partition that one commit wrote:
//
//	codec (1) · CRC-32C of what follows (4, little-endian) · count · written (Unix ms) · length of the records · records
//
// and a record in it, where nil and empty are told apart by length+1:
//
//	timestamp - written (zigzag) · len(key)+1 · key · len(value)+1 · value · headers · { len(name) · name · len(value)+1 · value }
//
// Numbers without a size are varints. Offsets are not in it: they are known only when the block is written.
const (
	codecRaw = 0
	codecS2  = 1

	// blockBytes is where a block ends unless its first record alone is larger. Larger ones compress little better, and
	// reading a single record decodes a whole block.
	blockBytes = 64 << 10
	// compressFrom is the size below which s2 finds nothing.
	compressFrom = 96
	// maxRawBytes bounds what a block of one record may say it holds; others hold blockBytes at most.
	maxRawBytes = 16 << 20
	// minRecordBytes is what a record without anything takes.
	minRecordBytes = 4
	// maxHeaderBytes bounds a block's own header.
	maxHeaderBytes = 1 + 4 + 3*binary.MaxVarintLen64
)

var (
	castagnoli  = crc32.MakeTable(crc32.Castagnoli)
	errBadBlock = errors.New("a block of records is damaged")
)

// block is encoded and waits for its offsets.
type block struct {
	payload []byte
	count   int
}

// blockHeader is what a block says of itself.
type blockHeader struct {
	codec   byte
	count   int
	written int64 // Unix milliseconds
	raw     int   // length of the records, uncompressed
}

// encodeBlocks makes blocks of records, in order.
func encodeBlocks(records []*broker.Record, written int64) []block {
	var out []block
	raw, count := make([]byte, 0, rawSize(records)), 0
	for _, r := range records {
		if count > 0 && len(raw)+recordSize(r) > blockBytes { // parseHeader relies on it
			out = append(out, block{encodeBlock(raw, count, written), count})
			raw, count = raw[:0], 0
		}
		raw = appendRecord(raw, r, written)
		count++
	}
	if count > 0 {
		out = append(out, block{encodeBlock(raw, count, written), count})
	}
	return out
}

// rawSize is the room that the largest block of these records may need.
func rawSize(records []*broker.Record) int {
	size := 0
	for _, r := range records {
		if size += recordSize(r); size > blockBytes {
			return max(blockBytes, recordSize(r))
		}
	}
	return size
}

// recordSize is what a record takes at most.
func recordSize(r *broker.Record) int {
	size := 4*binary.MaxVarintLen64 + len(r.Key) + len(r.Value)
	for i := range r.Headers {
		size += 2*binary.MaxVarintLen32 + len(r.Headers[i].Key) + len(r.Headers[i].Value)
	}
	return size
}

func encodeBlock(raw []byte, count int, written int64) []byte {
	bound := len(raw)
	if len(raw) >= compressFrom {
		bound = max(bound, s2.MaxEncodedLen(len(raw)))
	}
	out := make([]byte, 5, maxHeaderBytes+bound)
	out = binary.AppendUvarint(out, uint64(count))
	out = binary.AppendUvarint(out, uint64(written))
	out = binary.AppendUvarint(out, uint64(len(raw)))
	n := len(out)
	if len(raw) >= compressFrom {
		if packed := s2.Encode(out[n:cap(out)], raw); len(packed) < len(raw)-len(raw)/16 {
			out[0] = codecS2
			out = out[:n+len(packed)]
		}
	}
	if out[0] == codecRaw {
		out = append(out, raw...)
	}
	binary.LittleEndian.PutUint32(out[1:], crc32.Checksum(out[5:], castagnoli))
	return out
}

func appendRecord(b []byte, r *broker.Record, written int64) []byte {
	timestamp := r.Timestamp
	if timestamp == 0 {
		timestamp = written
	}
	b = binary.AppendVarint(b, timestamp-written)
	b = appendBytes(b, r.Key)
	b = appendBytes(b, r.Value)
	b = binary.AppendUvarint(b, uint64(len(r.Headers)))
	for i := range r.Headers {
		h := &r.Headers[i]
		b = binary.AppendUvarint(b, uint64(len(h.Key)))
		b = append(b, h.Key...)
		b = appendBytes(b, h.Value)
	}
	return b
}

func appendBytes(b, v []byte) []byte {
	if v == nil {
		return append(b, 0)
	}
	b = binary.AppendUvarint(b, uint64(len(v))+1)
	return append(b, v...)
}

// parseHeader reads a block's header from its beginning and returns what follows.
func parseHeader(b []byte) (h blockHeader, rest []byte, err error) {
	if len(b) < 5 || b[0] > codecS2 {
		return h, nil, errBadBlock
	}
	h.codec = b[0]
	in := input{b: b[5:]}
	count, written, raw := in.uvarint(), in.uvarint(), in.uvarint()
	if in.bad || count == 0 || int64(written) < 0 || raw > maxRawBytes || count > 1 && raw > blockBytes || count > raw/minRecordBytes {
		return h, nil, errBadBlock
	}
	h.count, h.written, h.raw = int(count), int64(written), int(raw)
	return h, in.b, nil
}

// decodeBlock returns the records of a whole block, the first of which has that offset. They keep slices of one buffer.
func decodeBlock(b []byte, s broker.Stream, p int32, first int64) ([]broker.Record, error) {
	h, rest, err := parseHeader(b)
	if err != nil {
		return nil, err
	}
	if crc32.Checksum(b[5:], castagnoli) != binary.LittleEndian.Uint32(b[1:]) {
		return nil, errBadBlock
	}
	raw := rest
	if h.codec == codecS2 {
		if n, err := s2.DecodedLen(rest); err != nil || n != h.raw {
			return nil, errBadBlock
		}
		if raw, err = s2.Decode(nil, rest); err != nil {
			return nil, errBadBlock
		}
	}
	if len(raw) != h.raw {
		return nil, errBadBlock
	}
	in := input{b: raw}
	records := make([]broker.Record, 0, h.count)
	for i := range h.count {
		records = append(records, broker.Record{Stream: s, Partition: p, Offset: first + int64(i)})
		in.record(&records[i], h.written)
		if in.bad {
			return nil, errBadBlock
		}
	}
	if len(in.b) > 0 {
		return nil, errBadBlock
	}
	return records, nil
}

// input is a cursor over encoded bytes; after a fault it is bad and gives nothing more.
type input struct {
	b   []byte
	bad bool
}

func (in *input) record(r *broker.Record, written int64) {
	r.Timestamp = written + in.varint()
	r.Key = in.bytes()
	r.Value = in.bytes()
	n := in.uvarint()
	if n == 0 {
		return
	}
	if n > uint64(len(in.b)/2) { // a header takes two bytes at least
		in.bad = true
		return
	}
	r.Headers = make([]broker.Header, n)
	for i := range r.Headers {
		r.Headers[i].Key = string(in.take(in.uvarint()))
		r.Headers[i].Value = in.bytes()
	}
}

func (in *input) uvarint() uint64 {
	v, n := binary.Uvarint(in.b)
	if n <= 0 {
		in.fail()
		return 0
	}
	in.b = in.b[n:]
	return v
}

func (in *input) varint() int64 {
	v, n := binary.Varint(in.b)
	if n <= 0 {
		in.fail()
		return 0
	}
	in.b = in.b[n:]
	return v
}

func (in *input) bytes() []byte {
	n := in.uvarint()
	if n == 0 {
		return nil
	}
	return in.take(n - 1)
}

func (in *input) take(n uint64) []byte {
	if n > uint64(len(in.b)) {
		in.fail()
		return nil
	}
	out := in.b[:n:n]
	in.b = in.b[n:]
	return out
}

func (in *input) fail() { in.b, in.bad = nil, true }
