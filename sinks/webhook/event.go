package webhook

import (
	"fmt"

	"github.com/go-faster/jx"

	"github.com/trackmesh/trackmesh/geo"
)

// event is what a webhook looks at in an event's JSON.
type event struct {
	kind, vehicle, fence string
	location             geo.Point
	located              bool
}

func readEvent(body []byte) (e event, err error) {
	d := jx.GetDecoder()
	defer jx.PutDecoder(d)
	d.ResetBytes(body)
	err = d.ObjBytes(func(d *jx.Decoder, key []byte) error {
		switch string(key) {
		case "type":
			return text(d, &e.kind)
		case "vehicle":
			return text(d, &e.vehicle)
		case "location":
			return e.place(d)
		case "fence":
			return d.ObjBytes(func(d *jx.Decoder, key []byte) error {
				if string(key) == "id" {
					return text(d, &e.fence)
				}
				return d.Skip()
			})
		}
		return d.Skip()
	})
	if err != nil {
		return event{}, fmt.Errorf("reading an event: %w", err)
	}
	return e, nil
}

func text(d *jx.Decoder, into *string) (err error) {
	*into, err = d.Str()
	return err
}

func (e *event) place(d *jx.Decoder) error {
	n := 0
	err := d.Arr(func(d *jx.Decoder) error {
		v, err := d.Float64()
		switch n {
		case 0:
			e.location.Lon = v
		case 1:
			e.location.Lat = v
		}
		n++
		return err
	})
	e.located = n >= 2
	return err
}
