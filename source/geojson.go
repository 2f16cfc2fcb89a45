package source

import (
	"math"

	"github.com/go-faster/jx"
)

// readGeoJSON reads one Feature with a Point: its place from the geometry, everything else from the properties as in JSON,
// the vehicle from the Feature's id where the properties have none.
func (d *Decoder) readGeoJSON(value []byte, o *observation) *Refusal {
	dec := jx.GetDecoder()
	defer jx.PutDecoder(dec)
	dec.ResetBytes(value)
	if dec.Next() != jx.Object {
		return refuse(Unparsable, "not a GeoJSON Feature")
	}
	var geometry, properties jx.Raw
	var id []byte
	err := dec.Obj(func(dec *jx.Decoder, key string) (err error) {
		switch key {
		case "geometry":
			geometry, err = dec.Raw()
		case "properties":
			properties, err = dec.Raw()
		case "id":
			id, err = text(dec)
		default:
			err = dec.Skip()
		}
		return err
	})
	if err != nil {
		return refuse(Unparsable, "not JSON: %v", err)
	}
	if len(properties) > 0 && properties.Type() == jx.Object {
		if r := d.readObject(properties, d.json, o); r != nil {
			return r
		}
	}
	if len(o.vehicle) == 0 {
		o.vehicle = append(o.vehicle, id...)
	}
	readPoint(geometry, o)
	return nil
}

func text(dec *jx.Decoder) ([]byte, error) {
	switch dec.Next() {
	case jx.String:
		s, err := dec.Str()
		return []byte(s), err
	case jx.Number:
		n, err := dec.Num()
		return append([]byte(nil), n...), err
	default:
		return nil, dec.Skip()
	}
}

// readPoint takes the coordinates of a Point; with any other geometry the place stays absent.
func readPoint(geometry jx.Raw, o *observation) {
	if len(geometry) == 0 || geometry.Type() != jx.Object {
		return
	}
	kind := ""
	var at []float64
	err := jx.DecodeBytes(geometry).Obj(func(dec *jx.Decoder, key string) (err error) {
		switch {
		case key == "type" && dec.Next() == jx.String:
			kind, err = dec.Str()
		case key == "coordinates" && dec.Next() == jx.Array:
			err = dec.Arr(func(dec *jx.Decoder) error {
				if dec.Next() != jx.Number {
					at = append(at, math.NaN())
					return dec.Skip()
				}
				n, err := dec.Float64()
				at = append(at, n)
				return err
			})
		default:
			err = dec.Skip()
		}
		return err
	})
	if err != nil || kind != "Point" || len(at) < 2 {
		o.numbers[longitudeField], o.numbers[latitudeField] = math.NaN(), math.NaN()
		return
	}
	o.numbers[longitudeField], o.numbers[latitudeField] = at[0], at[1]
	if len(at) > 2 && math.IsNaN(o.numbers[altitudeField]) {
		o.numbers[altitudeField] = at[2]
	}
}
