package source

import (
	"bytes"
	"math"
	"strconv"
	"time"
)

// epochSecondsBelow tells epoch seconds from milliseconds.
const epochSecondsBelow = 1e11

// naive are layouts of times without a zone that are tried when no layout was given.
var naive = []string{"2006-01-02 15:04:05", "2006-01-02T15:04:05"}

// timeOf reads the observation's time, UTC ms.
func (d *Decoder) timeOf(o *observation) (int64, *Refusal) {
	if o.timeMS != 0 {
		return o.timeMS, nil
	}
	text := bytes.TrimSpace(o.when)
	if len(text) == 0 {
		return 0, refuse(Time, "it is missing")
	}
	if n, err := strconv.ParseFloat(string(text), 64); err == nil {
		if math.IsNaN(n) || math.IsInf(n, 0) || math.Abs(n) >= 1e15 {
			return 0, refuse(Time, "%.40q is no time", text)
		}
		if n < epochSecondsBelow {
			n *= 1000
		}
		return int64(math.Round(n)), nil
	}
	if d.opts.TimeLayout != "" {
		if at, err := time.ParseInLocation(d.opts.TimeLayout, string(text), o.zone); err == nil {
			return at.UnixMilli(), nil
		}
	}
	if at, err := time.Parse(time.RFC3339, string(text)); err == nil {
		return at.UnixMilli(), nil
	}
	for _, l := range naive {
		if at, err := time.ParseInLocation(l, string(text), o.zone); err == nil && (d.opts.TimeZone != "" || o.zone != d.zone) {
			return at.UnixMilli(), nil
		}
	}
	return 0, refuse(Time, "%.40q is neither an epoch number nor RFC 3339 nor of --time-layout", text)
}
