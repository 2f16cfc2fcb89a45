package source

import (
	"bytes"
	"strconv"
	"time"
)

// Rewrite writes another time, UTC milliseconds, in the way of a text that Read understands: with its layout, its zone and as many
// decimals. fine adds milliseconds where the text has whole seconds and the time has not.
func (c *Clock) Rewrite(text []byte, at int64, fine bool) []byte {
	if c.layout != "" {
		if _, ok := c.byLayout(string(text)); ok {
			zone := c.zone
			if zone == nil {
				zone = time.UTC
			}
			return time.UnixMilli(at).In(zone).AppendFormat(nil, c.layout)
		}
	}
	text = bytes.TrimSpace(text)
	if _, ok := epoch(text); ok {
		return rewriteEpoch(text, at, fine)
	}
	return c.rewriteCalendar(text, at, fine)
}

func rewriteEpoch(text []byte, at int64, fine bool) []byte {
	x, _ := parseFloat(text)
	if x >= secondsBelow {
		return strconv.AppendInt(nil, at, 10)
	}
	decimals := 0
	if i := bytes.IndexByte(text, '.'); i >= 0 {
		decimals = len(text) - i - 1
	}
	if fine && at%1000 != 0 {
		decimals = max(decimals, 3)
	}
	if decimals == 0 {
		return strconv.AppendInt(nil, floorSeconds(at), 10)
	}
	return strconv.AppendFloat(nil, float64(at)/1000, 'f', decimals, 64)
}

func floorSeconds(at int64) int64 {
	s := at / 1000
	if at%1000 < 0 {
		s--
	}
	return s
}

// rewriteCalendar expects a text that calendar reads.
func (c *Clock) rewriteCalendar(text []byte, at int64, fine bool) []byte {
	_, rest, _ := fraction(text[19:])
	decimals := max(0, len(text)-len("2006-01-02T15:04:05.")-len(rest))
	t := time.UnixMilli(at).UTC()
	switch offset, ok := int64(0), len(rest) > 0; {
	case ok:
		offset, _ = zoneOffset(rest)
		t = t.Add(time.Duration(offset) * time.Second)
	case c.zone != nil:
		t = t.In(c.zone)
	}
	out := t.AppendFormat(nil, "2006-01-02"+string(text[10:11])+"15:04:05")
	if fine && at%1000 != 0 {
		decimals = max(decimals, 3)
	}
	if decimals > 0 {
		separator := byte('.')
		if len(text) > 19 && text[19] == ',' {
			separator = ','
		}
		out = append(out, separator)
		digits := strconv.AppendInt(nil, 1_000_000_000+int64(t.Nanosecond()), 10)[1:]
		out = append(out, digits[:min(decimals, 9)]...)
	}
	return append(out, rest...)
}
