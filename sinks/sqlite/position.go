package sqlite

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/go-faster/jx"

	"github.com/trackmesh/trackmesh/geo"
	"github.com/trackmesh/trackmesh/sinks"
)

// Numbers of a position that may be absent, in the order of the document.
const (
	speed = iota
	heading
	accuracy
	altitude
	distance
	odometer
	numNumbers
)

var numberNames = [numNumbers]string{
	"speed_mps", "heading_degrees", "accuracy_metres", "altitude_metres", "distance_metres", "odometer_metres",
}

// What a position has, as bits.
const (
	hasSpeed    = 1 << iota // … and the other numbers, in order
	hasMoving   = 1 << (numNumbers + iota - 1)
	hasStopped  // neither: no status
	hasFlags    // the member is there, maybe empty
	isJump      //
	isLate      //
	hasFences   //
	hasSource   //
	hasIngested //
	hasLag      //
	hasGeohash  //
	hasAttributes
	hasExtra
	sameFences     // as the fix before in the chunk; packed form only
	sameAttributes // likewise
)

// position is an enriched document taken apart. Its slices belong to the document.
type position struct {
	id            string
	standard      bool // read back: the id is that prefix, partition and offset
	has           uint64
	time          int64 // UTC ms
	vehicle       string
	at            geo.Point
	numbers       [numNumbers]float64
	fences        []byte // JSON
	attributes    []byte // JSON
	topic         string
	partition     int32
	offset        int64
	ingested, lag int64  // UTC ms, ms
	extra         []byte // members that are not known here, `"a":1,"b":2`
}

var errIncomplete = errors.New("it has no @timestamp, vehicle or location")

// parse takes a document apart. Nothing of an earlier one remains.
func (p *position) parse(d *sinks.Document) error {
	*p = position{id: d.ID, ingested: d.Timestamp, partition: -1, offset: -1, extra: p.extra[:0]}
	dec := jx.GetDecoder()
	defer jx.PutDecoder(dec)
	dec.ResetBytes(d.Body)
	var have [3]bool
	if err := dec.ObjBytes(func(dec *jx.Decoder, key []byte) (err error) {
		switch string(key) {
		case "@timestamp":
			have[0] = true
			p.time, err = readTime(dec)
		case "vehicle":
			have[1] = true
			p.vehicle, err = dec.Str()
		case "location":
			have[2] = true
			p.at, err = readPoint(dec)
		default:
			err = p.member(dec, key)
		}
		return err
	}); err != nil {
		return err
	}
	if have != [3]bool{true, true, true} {
		return errIncomplete
	}
	return nil
}

func (p *position) member(dec *jx.Decoder, key []byte) (err error) {
	for i := range numberNames {
		if string(key) == numberNames[i] {
			p.has |= hasSpeed << i
			p.numbers[i], err = dec.Float64()
			return err
		}
	}
	switch string(key) {
	case "geohash":
		p.has |= hasGeohash // worked out again from the location
		return dec.Skip()
	case "status":
		return p.status(dec)
	case "flags":
		return p.flags(dec)
	case "fences":
		p.has |= hasFences
		p.fences, err = dec.Raw()
	case "attributes":
		p.has |= hasAttributes
		p.attributes, err = dec.Raw()
	case "source":
		return p.source(dec)
	case "ingested_at":
		p.has |= hasIngested
		p.ingested, err = readTime(dec)
	case "lag_ms":
		p.has |= hasLag
		p.lag, err = dec.Int64()
	default:
		return p.keep(dec, key)
	}
	return err
}

func (p *position) status(dec *jx.Decoder) error {
	status, err := dec.StrBytes()
	switch {
	case err != nil:
		return err
	case string(status) == "moving":
		p.has |= hasMoving
	case string(status) == "stopped":
		p.has |= hasStopped
	default:
		return fmt.Errorf("its status %q is not known", status)
	}
	return nil
}

func (p *position) flags(dec *jx.Decoder) error {
	p.has |= hasFlags
	return dec.Arr(func(dec *jx.Decoder) error {
		flag, err := dec.StrBytes()
		switch {
		case err != nil:
			return err
		case string(flag) == "jump":
			p.has |= isJump
		case string(flag) == "late":
			p.has |= isLate
		default:
			return fmt.Errorf("its flag %q is not known", flag)
		}
		return nil
	})
}

func (p *position) source(dec *jx.Decoder) error {
	p.has |= hasSource
	return dec.ObjBytes(func(dec *jx.Decoder, key []byte) (err error) {
		switch string(key) {
		case "topic":
			p.topic, err = dec.Str()
		case "partition":
			p.partition, err = dec.Int32()
		case "offset":
			p.offset, err = dec.Int64()
		default:
			err = dec.Skip()
		}
		return err
	})
}

// keep stores a member of a newer version as it came.
func (p *position) keep(dec *jx.Decoder, key []byte) error {
	name := string(key)
	raw, err := dec.Raw()
	if err != nil {
		return err
	}
	if p.has&hasExtra != 0 {
		p.extra = append(p.extra, ',')
	}
	p.has |= hasExtra
	w := jx.Writer{Buf: p.extra}
	w.Str(name)
	w.RawStr(":")
	p.extra = append(w.Buf, raw...)
	return nil
}

func readTime(dec *jx.Decoder) (int64, error) {
	text, err := dec.StrBytes()
	if err != nil {
		return 0, err
	}
	t, err := time.Parse(time.RFC3339Nano, string(text))
	return t.UnixMilli(), err
}

func readPoint(dec *jx.Decoder) (p geo.Point, err error) {
	n := 0
	err = dec.Arr(func(dec *jx.Decoder) error {
		v, err := dec.Float64()
		switch n {
		case 0:
			p.Lon = v
		case 1:
			p.Lat = v
		}
		n++
		return err
	})
	if err == nil && (n != 2 || !(p.Lon >= -180 && p.Lon <= 180 && p.Lat >= -90 && p.Lat <= 90)) {
		err = errors.New("its location is no [longitude, latitude]")
	}
	return p, err
}

// appendJSON makes the document again: the same members with the same values, in the order of the public contract.
func (p *position) appendJSON(dst []byte) []byte {
	w := jx.Writer{Buf: append(dst, `{"@timestamp":`...)}
	w.Buf = appendTime(w.Buf, p.time)
	w.RawStr(`,"vehicle":`)
	w.Str(p.vehicle)
	w.RawStr(`,"location":[`)
	w.Buf = strconv.AppendFloat(w.Buf, p.at.Lon, 'f', -1, 64)
	w.RawStr(",")
	w.Buf = append(strconv.AppendFloat(w.Buf, p.at.Lat, 'f', -1, 64), ']')
	if p.has&hasGeohash != 0 {
		w.RawStr(`,"geohash":`)
		w.Str(geo.Geohash(p.at, 12))
	}
	for i, name := range numberNames {
		if p.has&(hasSpeed<<i) != 0 {
			w.RawStr(`,"` + name + `":`)
			w.Buf = strconv.AppendFloat(w.Buf, p.numbers[i], 'f', -1, 64)
		}
	}
	w.Buf = p.appendJudgement(w.Buf)
	if p.has&hasAttributes != 0 {
		w.RawStr(`,"attributes":`)
		w.Buf = append(w.Buf, p.attributes...)
	}
	if p.has&hasSource != 0 {
		w.RawStr(`,"source":{"topic":`)
		w.Str(p.topic)
		w.Buf = strconv.AppendInt(append(w.Buf, `,"partition":`...), int64(p.partition), 10)
		w.Buf = append(strconv.AppendInt(append(w.Buf, `,"offset":`...), p.offset, 10), '}')
	}
	if p.has&hasIngested != 0 {
		w.RawStr(`,"ingested_at":`)
		w.Buf = appendTime(w.Buf, p.ingested)
	}
	if p.has&hasLag != 0 {
		w.Buf = strconv.AppendInt(append(w.Buf, `,"lag_ms":`...), p.lag, 10)
	}
	if p.has&hasExtra != 0 {
		w.Buf = append(append(w.Buf, ','), p.extra...)
	}
	return append(w.Buf, '}')
}

func (p *position) appendJudgement(dst []byte) []byte {
	switch {
	case p.has&hasMoving != 0:
		dst = append(dst, `,"status":"moving"`...)
	case p.has&hasStopped != 0:
		dst = append(dst, `,"status":"stopped"`...)
	}
	if p.has&hasFlags != 0 {
		flags := [][]byte{}
		if p.has&isJump != 0 {
			flags = append(flags, []byte(`"jump"`))
		}
		if p.has&isLate != 0 {
			flags = append(flags, []byte(`"late"`))
		}
		dst = append(append(append(dst, `,"flags":[`...), bytes.Join(flags, []byte{','})...), ']')
	}
	if p.has&hasFences != 0 {
		dst = append(append(dst, `,"fences":`...), p.fences...)
	}
	return dst
}

func appendTime(dst []byte, ms int64) []byte {
	return time.UnixMilli(ms).UTC().AppendFormat(dst, `"2006-01-02T15:04:05.000Z"`)
}
