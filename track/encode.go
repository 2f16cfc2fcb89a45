package track

import (
	"bytes"
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
		if part.fix.Offset >= 0 { // a backtest knows none
			dst = append(dst, `,"offset":`...)
			dst = strconv.AppendInt(dst, part.fix.Offset, 10)
		}
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
		if e.Type == StopEnded {
			dst = append(dst, `,"ended":`...)
			dst = appendTime(dst, e.Stop.Ended)
			dst = appendNumber(dst, `,"duration_seconds":`, seconds(e.Stop.Started, e.Stop.Ended))
		}
		dst = append(dst, `,"location":`...)
		dst = append(appendPoint(dst, e.Stop.Location), '}')
	case e.Trip != nil:
		dst = append(dst, `,"trip":{"start":`...)
		dst = appendTripPoint(dst, e.Trip.Start)
		if e.Type == TripEnded {
			dst = append(dst, `,"end":`...)
			dst = appendTripPoint(dst, e.Trip.End)
			duration := seconds(e.Trip.Start.Time, e.Trip.End.Time)
			dst = appendNumber(dst, `,"distance_metres":`, e.Trip.DistanceMetres)
			dst = appendNumber(dst, `,"duration_seconds":`, duration)
			dst = appendNumber(dst, `,"max_speed_mps":`, e.Trip.MaxSpeedMPS)
			if duration > 0 {
				dst = appendNumber(dst, `,"mean_speed_mps":`, e.Trip.DistanceMetres/duration)
			}
		}
		dst = append(dst, '}')
	case e.Gap != nil:
		dst = append(dst, `,"gap":{"since":`...)
		dst = appendTime(dst, e.Gap.Since)
		if e.Type == GapEnded {
			dst = append(dst, `,"until":`...)
			dst = appendTime(dst, e.Gap.Until)
			dst = appendNumber(dst, `,"duration_seconds":`, seconds(e.Gap.Since, e.Gap.Until))
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
	dst = appendGeohash(dst, f.Position)
	dst = append(dst, '"')
	dst = appendNumber(dst, `,"speed_mps":`, d.SpeedMPS)
	dst = appendNumber(dst, `,"heading_degrees":`, d.HeadingDegrees)
	dst = appendNumber(dst, `,"accuracy_metres":`, f.AccuracyMetres)
	dst = appendNumber(dst, `,"altitude_metres":`, f.AltitudeMetres)
	dst = appendNumber(dst, `,"distance_metres":`, d.DistanceMetres)
	dst = appendNumber(dst, `,"odometer_metres":`, d.OdometerMetres)
	dst = appendJudgement(dst, d)
	if len(f.Attributes) > 0 {
		dst = append(dst, `,"attributes":`...)
		dst = appendObject(dst, f.Attributes)
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

// appendTime appends RFC 3339 in UTC with milliseconds, quoted. The date is found by Howard Hinnant's civil_from_days.
func appendTime(dst []byte, ms int64) []byte {
	const dayMS = 86_400_000
	days := ms / dayMS
	rest := ms % dayMS
	if rest < 0 {
		days, rest = days-1, rest+dayMS
	}
	z := days + 719_468 // since 1 March of the year 0
	if z < 0 || days > 2_932_896 {
		return time.UnixMilli(ms).UTC().AppendFormat(dst, `"2006-01-02T15:04:05.000Z"`) // years that are not of four digits
	}
	era := z / 146_097
	ofEra := z - era*146_097
	year := (ofEra - ofEra/1460 + ofEra/36_524 - ofEra/146_096) / 365
	ofYear := ofEra - (365*year + year/4 - year/100)
	month := (5*ofYear + 2) / 153 // from March
	day := ofYear - (153*month+2)/5 + 1
	year += era * 400
	if month += 3; month > 12 {
		month, year = month-12, year+1
	}
	dst = append(dst, '"')
	dst = appendDigits(dst, uint64(year), 4)
	dst = appendDigits(append(dst, '-'), uint64(month), 2)
	dst = appendDigits(append(dst, '-'), uint64(day), 2)
	dst = appendDigits(append(dst, 'T'), uint64(rest/3_600_000), 2)
	dst = appendDigits(append(dst, ':'), uint64(rest/60_000%60), 2)
	dst = appendDigits(append(dst, ':'), uint64(rest/1000%60), 2)
	dst = appendDigits(append(dst, '.'), uint64(rest%1000), 3)
	return append(dst, 'Z', '"')
}

// appendDigits appends a number with leading zeros.
func appendDigits(dst []byte, v uint64, width int) []byte {
	var digits [8]byte
	for i := width - 1; i >= 0; i-- {
		digits[i] = byte('0' + v%10)
		v /= 10
	}
	return append(dst, digits[:width]...)
}

// appendPoint appends [longitude, latitude] to 8 decimals, a millimetre.
func appendPoint(dst []byte, p geo.Point) []byte {
	dst = appendFloat(append(dst, '['), p.Lon, 1e8, 8)
	return append(appendFloat(append(dst, ','), p.Lat, 1e8, 8), ']')
}

// appendNumber appends a member with a number to 3 decimals, or nothing when it is absent.
func appendNumber(dst []byte, name string, v float64) []byte {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return dst
	}
	return appendFloat(append(dst, name...), v, 1e3, 3)
}

// exact is up to where a float64 holds every whole number.
const exact = 1 << 53

// appendFloat appends a finite number rounded to so many decimals, of which scale is the power, without needless zeros.
func appendFloat(dst []byte, v, scale float64, decimals int) []byte {
	scaled := math.Round(v * scale)
	if math.Abs(scaled) >= exact {
		return strconv.AppendFloat(dst, v, 'f', -1, 64)
	}
	if scaled < 0 {
		dst, scaled = append(dst, '-'), -scaled
	}
	n, whole := uint64(scaled), uint64(scale)
	dst = strconv.AppendUint(dst, n/whole, 10)
	rest := n % whole
	if rest == 0 {
		return dst
	}
	for rest%10 == 0 {
		rest /= 10
		decimals--
	}
	return appendDigits(append(dst, '.'), rest, decimals)
}

// geohashDigits are base32 as geohash has it.
const geohashDigits = "0123456789bcdefghjkmnpqrstuvwxyz"

// appendGeohash appends the cell of 12 characters.
func appendGeohash(dst []byte, p geo.Point) []byte {
	cell := geo.GeohashInt(p, 12)
	for shift := 55; shift >= 0; shift -= 5 {
		dst = append(dst, geohashDigits[cell>>shift&31])
	}
	return dst
}

// appendObject appends a JSON object that a record brought, on one line: stores and streams take a line for a record. Line
// breaks can only be between its tokens.
func appendObject(dst, object []byte) []byte {
	if bytes.IndexByte(object, '\n') < 0 && bytes.IndexByte(object, '\r') < 0 {
		return append(dst, object...)
	}
	for _, c := range object {
		if c == '\n' || c == '\r' {
			c = ' '
		}
		dst = append(dst, c)
	}
	return dst
}

// appendString appends a JSON string. Most texts need no escapes.
func appendString(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			w := jx.Writer{Buf: dst}
			w.Str(s)
			return w.Buf
		}
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}
