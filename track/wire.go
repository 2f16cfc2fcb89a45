package track

import (
	"encoding/binary"
	"math"
)

// Wire types of protobuf, the low three bits of a tag.
const (
	varintType  = 0
	fixed64Type = 1
	bytesType   = 2
	fixed32Type = 5
)

// wire appends protobuf fields. As proto3 does, it leaves out zeros, but where said.
type wire struct{ buf []byte }

func (w *wire) tag(tag uint64) {
	if tag < 0x80 {
		w.buf = append(w.buf, byte(tag))
		return
	}
	w.buf = append(w.buf, byte(tag)|0x80, byte(tag>>7))
}

func (w *wire) number(tag, v uint64) {
	if v != 0 {
		w.tag(tag)
		w.buf = binary.AppendUvarint(w.buf, v)
	}
}

// signed is sint64: zigzag.
func (w *wire) signed(tag uint64, v int64) { w.number(tag, uint64(v)<<1^uint64(v>>63)) }

func (w *wire) flag(tag uint64, v bool) {
	if v {
		w.number(tag, 1)
	}
}

// fixed64 writes zeros too.
func (w *wire) fixed64(tag, v uint64) {
	w.tag(tag)
	w.buf = binary.LittleEndian.AppendUint64(w.buf, v)
}

// double writes zeros too.
func (w *wire) double(tag uint64, v float64) { w.fixed64(tag, math.Float64bits(v)) }

func (w *wire) some(tag uint64, v float64) {
	if v != 0 {
		w.double(tag, v)
	}
}

// known writes zeros, and leaves out what is absent (NaN).
func (w *wire) known(tag uint64, v float32) {
	if v == v {
		w.tag(tag)
		w.buf = binary.LittleEndian.AppendUint32(w.buf, math.Float32bits(v))
	}
}

func (w *wire) bytes(tag uint64, v []byte) {
	if len(v) > 0 {
		w.tag(tag)
		w.buf = binary.AppendUvarint(w.buf, uint64(len(v)))
		w.buf = append(w.buf, v...)
	}
}

func (w *wire) text(tag uint64, v string) {
	if v != "" {
		w.tag(tag)
		w.buf = binary.AppendUvarint(w.buf, uint64(len(v)))
		w.buf = append(w.buf, v...)
	}
}

// begin starts a message within; end gives it its length, for which a byte is kept free: most need no more.
func (w *wire) begin(tag uint64) (start int) {
	w.tag(tag)
	w.buf = append(w.buf, 0)
	return len(w.buf)
}

func (w *wire) end(start int) {
	n := len(w.buf) - start
	if n < 0x80 {
		w.buf[start-1] = byte(n)
		return
	}
	var length [binary.MaxVarintLen64]byte
	more := binary.PutUvarint(length[:], uint64(n)) - 1
	w.buf = append(w.buf, length[:more]...)
	copy(w.buf[start+more:], w.buf[start:start+n])
	copy(w.buf[start-1:], length[:more+1])
}

// fields reads protobuf fields one after another. Unknown ones are for the caller to leave alone. It moves by an index: to
// move a slice would cost a write barrier each time.
type fields struct {
	buf      []byte
	at, end  int
	tag      uint64
	number   uint64 // of varint, fixed64, fixed32
	from, to int    // of bytes: where they are
	bad      bool
}

func readFields(buf []byte) fields { return fields{buf: buf, end: len(buf)} }

// within reads the message that the present field is. It has the same bytes under the same indices.
func (r *fields) within() fields { return fields{buf: r.buf, at: r.from, end: r.to} }

// next reads a field; false at the end, and when the bytes are damaged.
func (r *fields) next() bool {
	if r.at == r.end || r.bad {
		return false
	}
	r.tag = r.varint()
	switch r.tag & 7 {
	case varintType:
		r.number = r.varint()
	case fixed64Type:
		if r.skip(8) {
			r.number = binary.LittleEndian.Uint64(r.buf[r.from:])
		}
	case fixed32Type:
		if r.skip(4) {
			r.number = uint64(binary.LittleEndian.Uint32(r.buf[r.from:]))
		}
	case bytesType:
		r.skip(r.varint())
	default:
		r.bad = true
	}
	return !r.bad
}

// skip goes past so many bytes.
func (r *fields) skip(n uint64) bool {
	if n > uint64(r.end-r.at) {
		r.bad = true
		return false
	}
	r.from, r.to = r.at, r.at+int(n)
	r.at = r.to
	return true
}

func (r *fields) varint() uint64 {
	if at := r.at; at < r.end {
		if b := r.buf[at]; b < 0x80 {
			r.at++
			return uint64(b)
		}
	}
	v, n := binary.Uvarint(r.buf[r.at:r.end])
	if n <= 0 {
		r.bad = true
		return 0
	}
	r.at += n
	return v
}

func (r *fields) data() []byte    { return r.buf[r.from:r.to] }
func (r *fields) signed() int64   { return int64(r.number>>1) ^ -int64(r.number&1) }
func (r *fields) double() float64 { return math.Float64frombits(r.number) }
func (r *fields) float() float32  { return math.Float32frombits(uint32(r.number)) }
