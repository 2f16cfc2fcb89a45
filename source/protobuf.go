package source

import (
	"maps"
	"slices"

	"github.com/go-faster/jx"

	trackmeshv1 "github.com/trackmesh/trackmesh/messages/trackmesh/v1"
)

// readProtobuf reads a trackmesh.v1.Position.
func readProtobuf(value []byte, o *observation) *Refusal {
	var p trackmeshv1.Position
	if err := p.UnmarshalVT(value); err != nil {
		return refuse(Unparsable, "not a trackmesh.v1.Position: %v", err)
	}
	o.vehicle, o.timeMS = append(o.vehicle, p.Vehicle...), p.TimeMs
	for f, v := range map[field]*float64{
		longitudeField: p.Longitude, latitudeField: p.Latitude, speedField: p.SpeedMps, headingField: p.HeadingDegrees,
		accuracyField: p.AccuracyMetres, altitudeField: p.AltitudeMetres,
	} {
		if v != nil {
			o.numbers[f] = *v
		}
	}
	if len(p.Attributes) == 0 {
		return nil
	}
	w := jx.Writer{}
	for i, key := range slices.Sorted(maps.Keys(p.Attributes)) {
		if i == 0 {
			w.ObjStart()
		} else {
			w.Comma()
		}
		w.FieldStart(key)
		w.Str(p.Attributes[key])
	}
	w.ObjEnd()
	o.attributes = w.Buf
	return nil
}
