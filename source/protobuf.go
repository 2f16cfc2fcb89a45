package source

import (
	"maps"
	"slices"
	"strconv"

	trackmeshv1 "github.com/trackmesh/trackmesh/messages/trackmesh/v1"
)

// readProtobuf reads a trackmesh.v1.Position. Its numbers go through their text, so that one judgement serves all formats.
func (d *Decoder) readProtobuf(b []byte) *Refusal {
	var m trackmeshv1.Position
	if err := m.UnmarshalVT(b); err != nil {
		return refuse(Unparsable, "not a trackmesh.v1.Position: "+err.Error())
	}
	if m.Vehicle != "" {
		d.values[fieldVehicle] = value{d.write(func(b []byte) []byte { return append(b, m.Vehicle...) }), text}
	}
	d.millis, d.hasMillis = m.TimeMs, m.TimeMs != 0
	d.double(fieldLongitude, m.Longitude)
	d.double(fieldLatitude, m.Latitude)
	d.double(fieldSpeed, m.SpeedMps)
	d.double(fieldHeading, m.HeadingDegrees)
	d.double(fieldAccuracy, m.AccuracyMetres)
	d.double(fieldAltitude, m.AltitudeMetres)
	out := append(d.json.out[:0], '{')
	for i, key := range slices.Sorted(maps.Keys(m.Attributes)) {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(appendString(out, []byte(key)), ':')
		out = appendString(out, []byte(m.Attributes[key]))
	}
	d.json.out, d.json.doubled, d.json.dirty = out, false, false
	return nil
}

func (d *Decoder) double(f field, x *float64) {
	if x != nil {
		d.values[f] = value{d.write(func(b []byte) []byte { return strconv.AppendFloat(b, *x, 'g', -1, 64) }), number}
	}
}

// write keeps a text for as long as the record is at hand.
func (d *Decoder) write(to func([]byte) []byte) []byte {
	start := len(d.text)
	d.text = to(d.text)
	return d.text[start:]
}
