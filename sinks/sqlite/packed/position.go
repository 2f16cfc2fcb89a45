package packed

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
	Speed = iota
	Heading
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
	HasSpeed    = 1 << iota // … and the other numbers, in order
	HasMoving   = 1 << (numNumbers + iota - 1)
	HasStopped  // neither: no status
	HasFlags    // the member is there, maybe empty
	IsJump      //
	IsLate      //
	HasFences   //
	HasSource   //
	HasIngested //
	HasLag      //
	HasGeohash  //
	HasAttributes
	HasExtra
	sameFences     // as the fix before in the chunk; packed form only
	sameAttributes // likewise
)

// Position is an enriched document taken apart. Its slices belong to the document.
type Position struct {
	ID            string
	Standard      bool // read back: the id is that prefix, partition and offset
	Has           uint64
	Time          int64 // UTC ms
	Vehicle       string
	At            geo.Point
	Numbers       [numNumbers]float64
	Fences        []byte // JSON
	Attributes    []byte // JSON
	Topic         string
	Partition     int32
	Offset        int64
	Ingested, Lag int64  // UTC ms, ms
	Extra         []byte // members that are not known here, `"a":1,"b":2`
}

var errIncomplete = errors.New("it has no @timestamp, vehicle or location")

// Parse takes a document apart. Nothing of an earlier one remains.
func (p *Position) Parse(d *sinks.Document) error {
	*p = Position{ID: d.ID, Ingested: d.Timestamp, Partition: -1, Offset: -1, Extra: p.Extra[:0]}
	dec := jx.GetDecoder()
	defer jx.PutDecoder(dec)
	dec.ResetBytes(d.Body)
	var have [3]bool
	if err := dec.ObjBytes(func(dec *jx.Decoder, key []byte) (err error) {
		switch string(key) {
		case "@timestamp":
			have[0] = true
			p.Time, err = ReadTime(dec)
		case "vehicle":
			have[1] = true
			p.Vehicle, err = dec.Str()
		case "location":
			have[2] = true
			p.At, err = readPoint(dec)
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

func (p *Position) member(dec *jx.Decoder, key []byte) (err error) {
	for i := range numberNames {
		if string(key) == numberNames[i] {
			p.Has |= HasSpeed << i
			p.Numbers[i], err = dec.Float64()
			return err
		}
	}
	switch string(key) {
	case "geohash":
		p.Has |= HasGeohash // worked out again from the location
		return dec.Skip()
	case "status":
		return p.status(dec)
	case "flags":
		return p.flags(dec)
	case "fences":
		p.Has |= HasFences
		p.Fences, err = dec.Raw()
	case "attributes":
		p.Has |= HasAttributes
		p.Attributes, err = dec.Raw()
	case "source":
		return p.source(dec)
	case "ingested_at":
		p.Has |= HasIngested
		p.Ingested, err = ReadTime(dec)
	case "lag_ms":
		p.Has |= HasLag
		p.Lag, err = dec.Int64()
	default:
		return p.keep(dec, key)
	}
	return err
}

func (p *Position) status(dec *jx.Decoder) error {
	status, err := dec.StrBytes()
	switch {
	case err != nil:
		return err
	case string(status) == "moving":
		p.Has |= HasMoving
	case string(status) == "stopped":
		p.Has |= HasStopped
	default:
		return fmt.Errorf("its status %q is not known", status)
	}
	return nil
}

func (p *Position) flags(dec *jx.Decoder) error {
	p.Has |= HasFlags
	return dec.Arr(func(dec *jx.Decoder) error {
		flag, err := dec.StrBytes()
		switch {
		case err != nil:
			return err
		case string(flag) == "jump":
			p.Has |= IsJump
		case string(flag) == "late":
			p.Has |= IsLate
		default:
			return fmt.Errorf("its flag %q is not known", flag)
		}
		return nil
	})
}

func (p *Position) source(dec *jx.Decoder) error {
	p.Has |= HasSource
	return dec.ObjBytes(func(dec *jx.Decoder, key []byte) (err error) {
		switch string(key) {
		case "topic":
			p.Topic, err = dec.Str()
		case "partition":
			p.Partition, err = dec.Int32()
		case "offset":
			p.Offset, err = dec.Int64()
		default:
			err = dec.Skip()
		}
		return err
	})
}

// keep stores a member of a newer version as it came.
func (p *Position) keep(dec *jx.Decoder, key []byte) error {
	name := string(key)
	raw, err := dec.Raw()
	if err != nil {
		return err
	}
	if p.Has&HasExtra != 0 {
		p.Extra = append(p.Extra, ',')
	}
	p.Has |= HasExtra
	w := jx.Writer{Buf: p.Extra}
	w.Str(name)
	w.RawStr(":")
	p.Extra = append(w.Buf, raw...)
	return nil
}

// ReadTime reads RFC 3339, in UTC milliseconds.
func ReadTime(dec *jx.Decoder) (int64, error) {
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

// AppendJSON makes the document again: the same members with the same values, in the order of the public contract.
func (p *Position) AppendJSON(dst []byte) []byte {
	w := jx.Writer{Buf: append(dst, `{"@timestamp":`...)}
	w.Buf = AppendTime(w.Buf, p.Time)
	w.RawStr(`,"vehicle":`)
	w.Str(p.Vehicle)
	w.RawStr(`,"location":[`)
	w.Buf = strconv.AppendFloat(w.Buf, p.At.Lon, 'f', -1, 64)
	w.RawStr(",")
	w.Buf = append(strconv.AppendFloat(w.Buf, p.At.Lat, 'f', -1, 64), ']')
	if p.Has&HasGeohash != 0 {
		w.RawStr(`,"geohash":`)
		w.Str(geo.Geohash(p.At, 12))
	}
	for i, name := range numberNames {
		if p.Has&(HasSpeed<<i) != 0 {
			w.RawStr(`,"` + name + `":`)
			w.Buf = strconv.AppendFloat(w.Buf, p.Numbers[i], 'f', -1, 64)
		}
	}
	w.Buf = p.appendJudgement(w.Buf)
	if p.Has&HasAttributes != 0 {
		w.RawStr(`,"attributes":`)
		w.Buf = append(w.Buf, p.Attributes...)
	}
	if p.Has&HasSource != 0 {
		w.RawStr(`,"source":{"topic":`)
		w.Str(p.Topic)
		w.Buf = strconv.AppendInt(append(w.Buf, `,"partition":`...), int64(p.Partition), 10)
		w.Buf = append(strconv.AppendInt(append(w.Buf, `,"offset":`...), p.Offset, 10), '}')
	}
	if p.Has&HasIngested != 0 {
		w.RawStr(`,"ingested_at":`)
		w.Buf = AppendTime(w.Buf, p.Ingested)
	}
	if p.Has&HasLag != 0 {
		w.Buf = strconv.AppendInt(append(w.Buf, `,"lag_ms":`...), p.Lag, 10)
	}
	if p.Has&HasExtra != 0 {
		w.Buf = append(append(w.Buf, ','), p.Extra...)
	}
	return append(w.Buf, '}')
}

func (p *Position) appendJudgement(dst []byte) []byte {
	switch {
	case p.Has&HasMoving != 0:
		dst = append(dst, `,"status":"moving"`...)
	case p.Has&HasStopped != 0:
		dst = append(dst, `,"status":"stopped"`...)
	}
	if p.Has&HasFlags != 0 {
		flags := [][]byte{}
		if p.Has&IsJump != 0 {
			flags = append(flags, []byte(`"jump"`))
		}
		if p.Has&IsLate != 0 {
			flags = append(flags, []byte(`"late"`))
		}
		dst = append(append(append(dst, `,"flags":[`...), bytes.Join(flags, []byte{','})...), ']')
	}
	if p.Has&HasFences != 0 {
		dst = append(append(dst, `,"fences":`...), p.Fences...)
	}
	return dst
}

// AppendTime appends RFC 3339 in UTC with milliseconds, quoted.
func AppendTime(dst []byte, ms int64) []byte {
	return time.UnixMilli(ms).UTC().AppendFormat(dst, `"2006-01-02T15:04:05.000Z"`)
}
