package sqlite

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
)

// packer turns positions into bytes and back, each as its difference to the one before. It holds that one.
//
// A packed position: has (uvarint), then zigzag varints of the differences of time (ms), offset, ingested (ms) and lag
// (to what ingested and time say), then numbers (below): longitude, latitude, those that has names; then fences, attributes
// and extra with their lengths, where they are there and other than before; last the id's length and bytes, 0 when it is
// the one that source and offset make.
type packer struct {
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

func (k *packer) pack(dst []byte, p *position, standardID bool) []byte {
	has := p.has
	if has&hasFences != 0 && bytes.Equal(p.fences, k.fences) {
		has |= sameFences
	}
	if has&hasAttributes != 0 && bytes.Equal(p.attributes, k.attributes) {
		has |= sameAttributes
	}
	dst = binary.AppendUvarint(dst, has)
	dst = binary.AppendVarint(dst, p.time-k.time)
	dst = binary.AppendVarint(dst, p.offset-k.offset)
	dst = binary.AppendVarint(dst, p.ingested-k.ingested)
	dst = binary.AppendVarint(dst, p.lag-(p.ingested-p.time))
	k.time, k.offset, k.ingested = p.time, p.offset, p.ingested
	dst = packNumber(dst, p.at.Lon, degreeScale, &k.lon)
	dst = packNumber(dst, p.at.Lat, degreeScale, &k.lat)
	for i := range p.numbers {
		if has&(hasSpeed<<i) != 0 {
			dst = packNumber(dst, p.numbers[i], numberScale, &k.numbers[i])
		}
	}
	if has&(hasFences|sameFences) == hasFences {
		dst = packBytes(dst, p.fences)
		k.fences = append(k.fences[:0], p.fences...)
	}
	if has&(hasAttributes|sameAttributes) == hasAttributes {
		dst = packBytes(dst, p.attributes)
		k.attributes = append(k.attributes[:0], p.attributes...)
	}
	if has&hasExtra != 0 {
		dst = packBytes(dst, p.extra)
	}
	if standardID {
		return append(dst, 0)
	}
	return packBytes(dst, []byte(p.id))
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

var errDamaged = errors.New("a chunk of positions is damaged")

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

// unpack reads the next position of data and returns what follows it. Slices of p are data's. The id stays "" when it is
// the one that source and offset make.
func (k *packer) unpack(data []byte, p *position) ([]byte, error) {
	u := unpacker{rest: data}
	has := u.uvarint()
	k.time += u.varint()
	k.offset += u.varint()
	k.ingested += u.varint()
	p.time, p.offset, p.ingested = k.time, k.offset, k.ingested
	p.lag = u.varint() + p.ingested - p.time
	p.at.Lon, p.at.Lat = u.number(degreeScale, &k.lon), u.number(degreeScale, &k.lat)
	for i := range p.numbers {
		if has&(hasSpeed<<i) != 0 {
			p.numbers[i] = u.number(numberScale, &k.numbers[i])
		}
	}
	if has&(hasFences|sameFences) == hasFences {
		k.fences = u.bytes()
	}
	if has&(hasAttributes|sameAttributes) == hasAttributes {
		k.attributes = u.bytes()
	}
	p.fences, p.attributes, p.extra = k.fences, k.attributes, nil
	if has&hasExtra != 0 {
		p.extra = u.bytes()
	}
	p.id = string(u.bytes())
	p.has = has &^ (sameFences | sameAttributes)
	if u.bad {
		return nil, errDamaged
	}
	return u.rest, nil
}
