package track

import (
	"math"
	"strconv"
	"time"

	"github.com/go-faster/jx"

	"github.com/trackmesh/trackmesh/geo"
)

// AppendEvent appends the event as the JSON object of .events, the store and the streams. topic and partition are those of
// the input.
func AppendEvent(dst []byte, e *Event, id []byte, topic string, partition int32) []byte {
	dst = append(dst, `{"id":"`...)
	dst = append(dst, id...)
	dst = append(dst, `","type":"`...)
	dst = append(dst, e.Type.String()...)
	dst = append(dst, `","cause":"`...)
	dst = append(dst, e.Cause.String()...)
	dst = append(dst, `","@timestamp":`...)
	dst = appendTime(dst, e.Time)
	dst = append(dst, `,"vehicle":`...)
	dst = appendString(dst, e.Vehicle)
	dst = append(dst, `,"sequence":`...)
	dst = strconv.AppendUint(dst, e.Sequence, 10)
	dst = append(dst, `,"location":`...)
	dst = appendPoint(dst, e.Location)
	if f := e.Fence; f != nil {
		dst = append(dst, `,"fence":{"id":`...)
		dst = appendString(dst, f.ID)
		dst = append(dst, `,"name":`...)
		dst = appendString(dst, f.Name)
		dst = append(dst, `,"version":`...)
		dst = strconv.AppendInt(dst, f.Version, 10)
		dst = append(dst, '}')
	}
	dst = appendEvidence(dst, e)
	if e.SourceOffset >= 0 {
		dst = appendSource(append(dst, ','), topic, partition, e.SourceOffset)
	}
	dst = appendPayload(dst, e)
	return append(dst, '}')
}

func appendEvidence(dst []byte, e *Event) []byte {
	dst = append(dst, `,"evidence":{`...)
	for _, part := range [...]struct {
		name string
		fix  *Evidence
	}{{`"before":`, e.Before}, {`"after":`, e.After}} {
		if part.fix == nil {
			continue
		}
		if dst[len(dst)-1] != '{' {
			dst = append(dst, ',')
		}
		dst = append(dst, part.name...)
		dst = append(dst, `{"time":`...)
		dst = appendTime(dst, part.fix.Time)
		dst = append(dst, `,"location":`...)
		dst = appendPoint(dst, part.fix.Location)
		dst = append(dst, `,"offset":`...)
		dst = strconv.AppendInt(dst, part.fix.Offset, 10)
		dst = append(dst, '}')
	}
	return append(dst, '}')
}

func appendSource(dst []byte, topic string, partition int32, offset int64) []byte {
	dst = append(dst, `"source":{"topic":`...)
	dst = appendString(dst, topic)
	dst = append(dst, `,"partition":`...)
	dst = strconv.AppendInt(dst, int64(partition), 10)
	dst = append(dst, `,"offset":`...)
	dst = strconv.AppendInt(dst, offset, 10)
	return append(dst, '}')
}

func appendPayload(dst []byte, e *Event) []byte {
	switch {
	case e.Stop != nil:
		dst = append(dst, `,"stop":{"started":`...)
		dst = appendTime(dst, e.Stop.Started)
		if e.Stop.Ended != 0 {
			dst = append(dst, `,"ended":`...)
			dst = appendTime(dst, e.Stop.Ended)
			dst = appendNumber(dst, `,"duration_seconds":`, seconds(e.Stop.Started, e.Stop.Ended), 3)
		}
		dst = append(dst, `,"location":`...)
		dst = append(appendPoint(dst, e.Stop.Location), '}')
	case e.Trip != nil:
		dst = append(dst, `,"trip":{"start":`...)
		dst = appendTripPoint(dst, e.Trip.Start)
		if e.Trip.End.Time != 0 {
			dst = append(dst, `,"end":`...)
			dst = appendTripPoint(dst, e.Trip.End)
			duration := seconds(e.Trip.Start.Time, e.Trip.End.Time)
			dst = appendNumber(dst, `,"distance_metres":`, e.Trip.DistanceMetres, 3)
			dst = appendNumber(dst, `,"duration_seconds":`, duration, 3)
			dst = appendNumber(dst, `,"max_speed_mps":`, e.Trip.MaxSpeedMPS, 3)
			if duration > 0 {
				dst = appendNumber(dst, `,"mean_speed_mps":`, e.Trip.DistanceMetres/duration, 3)
			}
		}
		dst = append(dst, '}')
	case e.Gap != nil:
		dst = append(dst, `,"gap":{"since":`...)
		dst = appendTime(dst, e.Gap.Since)
		if e.Type == GapEnded {
			dst = append(dst, `,"until":`...)
			dst = appendTime(dst, e.Gap.Until)
			dst = appendNumber(dst, `,"duration_seconds":`, seconds(e.Gap.Since, e.Gap.Until), 3)
			dst = append(dst, `,"delayed":`...)
			dst = strconv.AppendBool(dst, e.Gap.Delayed)
		}
		dst = append(dst, '}')
	}
	return dst
}

func seconds(from, to int64) float64 { return float64(to-from) / 1000 }

func appendTripPoint(dst []byte, p TripPoint) []byte {
	dst = append(dst, `{"time":`...)
	dst = appendTime(dst, p.Time)
	dst = append(dst, `,"location":`...)
	return append(appendPoint(dst, p.Location), '}')
}

// AppendDocument appends the document as the JSON object of .enriched and the store.
func AppendDocument(dst []byte, d *Document, topic string, partition int32) []byte {
	f := d.Fix
	dst = append(dst, `{"@timestamp":`...)
	dst = appendTime(dst, f.Time)
	dst = append(dst, `,"vehicle":`...)
	dst = appendString(dst, f.Vehicle)
	dst = append(dst, `,"location":`...)
	dst = appendPoint(dst, f.Position)
	dst = append(dst, `,"geohash":"`...)
	dst = append(dst, geo.Geohash(f.Position, 12)...)
	dst = append(dst, '"')
	dst = appendNumber(dst, `,"speed_mps":`, d.SpeedMPS, 3)
	dst = appendNumber(dst, `,"heading_degrees":`, d.HeadingDegrees, 3)
	dst = appendNumber(dst, `,"accuracy_metres":`, f.AccuracyMetres, 3)
	dst = appendNumber(dst, `,"altitude_metres":`, f.AltitudeMetres, 3)
	dst = appendNumber(dst, `,"distance_metres":`, d.DistanceMetres, 3)
	dst = appendNumber(dst, `,"odometer_metres":`, d.OdometerMetres, 3)
	dst = appendJudgement(dst, d)
	if len(f.Attributes) > 0 {
		dst = append(dst, `,"attributes":`...)
		dst = append(dst, f.Attributes...)
	} else {
		dst = append(dst, `,"attributes":{}`...)
	}
	dst = appendSource(append(dst, ','), topic, partition, f.Offset)
	dst = append(dst, `,"ingested_at":`...)
	dst = appendTime(dst, f.RecordTime)
	dst = append(dst, `,"lag_ms":`...)
	dst = strconv.AppendInt(dst, f.RecordTime-f.Time, 10)
	return append(dst, '}')
}

// appendJudgement appends what the track made of the fix: nothing but flags for a late one or a jump.
func appendJudgement(dst []byte, d *Document) []byte {
	switch {
	case d.Flags&FlagJump != 0:
		return append(dst, `,"flags":["jump"]`...)
	case d.Flags&FlagLate != 0:
		return append(dst, `,"flags":["late"]`...)
	}
	dst = append(dst, `,"status":"`...)
	dst = append(dst, d.Status.String()...)
	dst = append(dst, `","flags":[],"fences":[`...)
	for i, id := range d.Fences {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, id)
	}
	return append(dst, ']')
}

// appendTime appends RFC 3339 in UTC with milliseconds, quoted.
func appendTime(dst []byte, ms int64) []byte {
	return time.UnixMilli(ms).UTC().AppendFormat(dst, `"2006-01-02T15:04:05.000Z"`)
}

// appendPoint appends [longitude, latitude] to 8 decimals, a millimetre.
func appendPoint(dst []byte, p geo.Point) []byte {
	dst = appendFloat(append(dst, '['), p.Lon, 8)
	return append(appendFloat(append(dst, ','), p.Lat, 8), ']')
}

// appendNumber appends a member with a number, or nothing when it is absent.
func appendNumber(dst []byte, name string, v float64, decimals int) []byte {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return dst
	}
	return appendFloat(append(dst, name...), v, decimals)
}

// appendFloat appends a finite number rounded to so many decimals, without needless zeros.
func appendFloat(dst []byte, v float64, decimals int) []byte {
	dst = strconv.AppendFloat(dst, v, 'f', decimals, 64)
	for dst[len(dst)-1] == '0' {
		dst = dst[:len(dst)-1]
	}
	if dst[len(dst)-1] == '.' {
		dst = dst[:len(dst)-1]
	}
	if n := len(dst); n >= 2 && dst[n-1] == '0' && dst[n-2] == '-' { // no -0
		dst = append(dst[:n-2], '0')
	}
	return dst
}

func appendString(dst []byte, s string) []byte {
	w := jx.Writer{Buf: dst}
	w.Str(s)
	return w.Buf
}
