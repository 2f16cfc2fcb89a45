package track

import (
	"maps"
	"math"
	"slices"

	"github.com/go-faster/jx"
)

// View fills in what may be seen from outside. What it points to is never changed afterwards.
func (t *Track) View(v *View) {
	status := t.motion()
	if t.silent {
		status = Silent
	}
	*v = View{
		Vehicle: t.vehicle, Time: t.time, Position: t.pos, SpeedMPS: rounded(t.speed), HeadingDegrees: rounded(t.heading),
		Status: status, OdometerMetres: t.odometer, Fences: t.openFences(), Attributes: t.allAttributes(), Offset: t.offset,
	}
}

// rounded is a float32 as the decimal number that it was made of.
func rounded(v float32) float64 { return math.Round(float64(v)*1000) / 1000 }

func (t *Track) openFences() []string {
	var ids []string
	for i := range t.visits {
		if t.visits[i].open {
			ids = append(ids, t.visits[i].id)
		}
	}
	return ids
}

// FenceIDs are the fences that the track is in or at which it waits for the opening.
func (t *Track) FenceIDs() []string {
	if len(t.visits) == 0 {
		return nil
	}
	ids := make([]string, len(t.visits))
	for i := range t.visits {
		ids[i] = t.visits[i].id
	}
	return ids
}

// allAttributes are the newest fix's with the annotations, which win.
func (t *Track) allAttributes() []byte {
	annotations := t.annotations()
	if len(annotations) == 0 {
		return t.attributes
	}
	w := &jx.Writer{}
	w.ObjStart()
	first := true
	field := func(name string) {
		if !first {
			w.Comma()
		}
		first = false
		w.FieldStart(name)
	}
	if len(t.attributes) > 0 {
		d := jx.DecodeBytes(t.attributes)
		// The decoder that made the attributes wrote an object; if somebody else did not, the annotations stand alone.
		_ = d.Obj(func(d *jx.Decoder, key string) error {
			raw, err := d.Raw()
			if _, annotated := annotations[key]; err == nil && !annotated {
				field(key)
				w.Raw(raw)
			}
			return err
		})
	}
	for _, key := range slices.Sorted(maps.Keys(annotations)) {
		field(key)
		w.Str(annotations[key])
	}
	w.ObjEnd()
	return w.Buf
}
