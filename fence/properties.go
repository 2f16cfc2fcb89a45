package fence

import (
	"math"
	"strconv"
	"time"

	"github.com/go-faster/jx"
)

func (p *parser) readProperties() error {
	if p.properties == nil {
		return nil
	}
	if err := jx.DecodeBytes(p.properties).ObjBytes(p.property); err != nil {
		return asParseError(err)
	}
	p.f.properties = compact(p.properties)
	return nil
}

func (p *parser) property(d *jx.Decoder, key []byte) error {
	if d.Next() == jx.Null {
		return d.Null()
	}
	var err error
	f := p.f
	switch string(key) {
	case "name":
		if f.Name, err = text(d, "/properties/name"); err == nil && len(f.Name) > MaxNameBytes {
			err = refuse("/properties/name", "is longer than %d bytes", MaxNameBytes)
		}
	case "follows":
		f.Follows, err = text(d, "/properties/follows")
	case "exit_margin_metres":
		f.ExitMarginMetres, err = number(d, "/properties/exit_margin_metres", maxReachMetres)
	case "radius_metres":
		p.radius, err = number(d, "/properties/radius_metres", maxReachMetres)
	case "width_metres":
		p.width, err = number(d, "/properties/width_metres", maxReachMetres)
	case "dwell_seconds":
		var seconds float64
		seconds, err = number(d, "/properties/dwell_seconds", maxDwellSeconds)
		f.Dwell = int64(math.Round(seconds * float64(time.Second/time.Millisecond)))
	case "events":
		f.Emits, err = mask(d)
	case "schedule":
		f.Schedule, err = parseSchedule(d)
	default:
		err = d.Skip()
	}
	return err
}

func mask(d *jx.Decoder) (Mask, error) {
	if d.Next() != jx.Array {
		return 0, refuse("/properties/events", "must be an array")
	}
	var m Mask
	i := 0
	err := d.Arr(func(d *jx.Decoder) error {
		at := "/properties/events/" + strconv.Itoa(i)
		i++
		s, err := text(d, at)
		if err != nil {
			return err
		}
		switch s {
		case "enter":
			m |= MaskEnter
		case "exit":
			m |= MaskExit
		case "cross":
			m |= MaskCross
		case "dwell":
			m |= MaskDwell
		default:
			return refuse(at, "must be enter, exit, cross or dwell, not %q", s)
		}
		return nil
	})
	return m, err
}

func text(d *jx.Decoder, pointer string) (string, error) {
	if d.Next() != jx.String {
		return "", refuse(pointer, "must be a string")
	}
	return d.Str()
}

// number reads 0..most.
func number(d *jx.Decoder, pointer string, most float64) (float64, error) {
	if d.Next() != jx.Number {
		return 0, refuse(pointer, "must be a number")
	}
	v, err := float(d)
	if err != nil {
		return 0, err
	}
	if !(v >= 0 && v <= most) {
		return 0, refuse(pointer, "must be between 0 and %.0f", most)
	}
	return v, nil
}

// float reads a number to the nearest double; jx's own way is off by a last bit now and then.
func float(d *jx.Decoder) (float64, error) {
	n, err := d.Num()
	if err != nil {
		return 0, err
	}
	v, err := strconv.ParseFloat(string(n), 64)
	if err != nil {
		return math.NaN(), nil // out of a double's range: the caller refuses NaN with its place
	}
	return v, nil
}
