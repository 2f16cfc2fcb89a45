package packed

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
)

// Packer turns positions into bytes and back, each as its difference to the one before. It holds that one.
//
// A packed position: has (uvarint), then zigzag varints of the differences of time (ms), offset, ingested (ms) and lag
// (to what ingested and time say), then numbers (below): longitude, latitude, those that has names; then fences, attributes
// and extra with their lengths, where they are there and other than before; last the id's length and bytes, 0 when it is
// the one that source and offset make.
type Packer struct {
	time, offset, ingested int64
	lon, lat               int64
	numbers                [numNumbers]int64
	fences, attributes     []byte
}

// Decimals that numbers mostly have, so that they fit integers exactly: a millimetre in degrees, and three.
const (
	degreeScale = 1e8
	numberScale = 1e3
	maxExact    = 1 << 52
)

// Pack appends a position. standardID: its id is the one that source and offset make.
func (k *Packer) Pack(dst []byte, p *Position, standardID bool) []byte {
	has := p.Has
	if has&HasFences != 0 && bytes.Equal(p.Fences, k.fences) {
		has |= sameFences
	}
	if has&HasAttributes != 0 && bytes.Equal(p.Attributes, k.attributes) {
		has |= sameAttributes
	}
	dst = binary.AppendUvarint(dst, has)
	dst = binary.AppendVarint(dst, p.Time-k.time)
	dst = binary.AppendVarint(dst, p.Offset-k.offset)
	dst = binary.AppendVarint(dst, p.Ingested-k.ingested)
	dst = binary.AppendVarint(dst, p.Lag-(p.Ingested-p.Time))
	k.time, k.offset, k.ingested = p.Time, p.Offset, p.Ingested
	dst = packNumber(dst, p.At.Lon, degreeScale, &k.lon)
	dst = packNumber(dst, p.At.Lat, degreeScale, &k.lat)
	for i := range p.Numbers {
		if has&(HasSpeed<<i) != 0 {
			dst = packNumber(dst, p.Numbers[i], numberScale, &k.numbers[i])
		}
	}
	if has&(HasFences|sameFences) == HasFences {
		dst = packBytes(dst, p.Fences)
		k.fences = append(k.fences[:0], p.Fences...)
	}
	if has&(HasAttributes|sameAttributes) == HasAttributes {
		dst = packBytes(dst, p.Attributes)
		k.attributes = append(k.attributes[:0], p.Attributes...)
	}
	if has&HasExtra != 0 {
		dst = packBytes(dst, p.Extra)
	}
	if standardID {
		return append(dst, 0)
	}
	return packBytes(dst, []byte(p.ID))
}

// packNumber appends the difference to the number before in units of 1/scale, shifted left by one; or 1 and the bits of a
// number that has no exact such form.
func packNumber(dst []byte, v, scale float64, before *int64) []byte {
	n := math.Round(v * scale)
	if n/scale != v || math.Abs(n) > maxExact {
		return binary.LittleEndian.AppendUint64(append(dst, 1), math.Float64bits(v))
	}
	d := int64(n) - *before
	*before = int64(n)
	return binary.AppendUvarint(dst, (uint64(d)<<1^uint64(d>>63))<<1) //nolint:gosec // zigzag
}

func packBytes(dst, b []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}

// ErrDamaged: bytes that Pack did not make.
var ErrDamaged = errors.New("a chunk of positions is damaged")

// unpacker reads packed bytes; after the first thing that cannot be, everything is zero and bad.
type unpacker struct {
	rest []byte
	bad  bool
}

func (u *unpacker) uvarint() uint64 {
	v, n := binary.Uvarint(u.rest)
	return v * uint64(u.took(n)) //nolint:gosec // 0 or 1
}

func (u *unpacker) varint() int64 {
	v, n := binary.Varint(u.rest)
	return v * u.took(n)
}

// took moves on by n bytes and returns 1, or 0 when there was nothing to take.
func (u *unpacker) took(n int) int64 {
	if n <= 0 {
		u.bad, u.rest = true, nil
		return 0
	}
	u.rest = u.rest[n:]
	return 1
}

func (u *unpacker) number(scale float64, before *int64) float64 {
	n := u.uvarint()
	if n == 1 {
		if len(u.rest) < 8 {
			u.took(0)
			return 0
		}
		v := math.Float64frombits(binary.LittleEndian.Uint64(u.rest))
		u.rest = u.rest[8:]
		return v
	}
	n >>= 1
	*before += int64(n>>1) ^ -int64(n&1) //nolint:gosec // zigzag
	return float64(*before) / scale
}

func (u *unpacker) bytes() []byte {
	n := u.uvarint()
	if n > uint64(len(u.rest)) {
		u.took(0)
		return nil
	}
	b := u.rest[:n:n]
	u.rest = u.rest[n:]
	return b
}

// Unpack reads the next position of data and returns what follows it. Slices of p are data's. The id stays "" when it is
// the one that source and offset make.
func (k *Packer) Unpack(data []byte, p *Position) ([]byte, error) {
	u := unpacker{rest: data}
	has := u.uvarint()
	k.time += u.varint()
	k.offset += u.varint()
	k.ingested += u.varint()
	p.Time, p.Offset, p.Ingested = k.time, k.offset, k.ingested
	p.Lag = u.varint() + p.Ingested - p.Time
	p.At.Lon, p.At.Lat = u.number(degreeScale, &k.lon), u.number(degreeScale, &k.lat)
	for i := range p.Numbers {
		if has&(HasSpeed<<i) != 0 {
			p.Numbers[i] = u.number(numberScale, &k.numbers[i])
		}
	}
	if has&(HasFences|sameFences) == HasFences {
		k.fences = u.bytes()
	}
	if has&(HasAttributes|sameAttributes) == HasAttributes {
		k.attributes = u.bytes()
	}
	p.Fences, p.Attributes, p.Extra = k.fences, k.attributes, nil
	if has&HasExtra != 0 {
		p.Extra = u.bytes()
	}
	p.ID = string(u.bytes())
	p.Has = has &^ (sameFences | sameAttributes)
	if u.bad {
		return nil, ErrDamaged
	}
	return u.rest, nil
}
