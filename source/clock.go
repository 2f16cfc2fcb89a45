package source

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"time"
)

const (
	// secondsBelow is where numbers stop to be seconds and are milliseconds.
	secondsBelow = 1e11
	// The first and the last millisecond of the years that RFC 3339 can write.
	minTime = -62167219200000
	maxTime = 253402300799999
)

// taxiZone is that of the taxi layout's times.
const taxiZone = "America/New_York"

// Clock reads times as records write them, and writes others in the same way. It is immutable.
type Clock struct {
	layout string         // tried first; empty: none
	zone   *time.Location // of times without one; nil: none
}

// NewClock makes the clock of the options' TimeLayout, TimeZone and Format.
func NewClock(o Options) (*Clock, error) {
	c := &Clock{layout: o.TimeLayout}
	name := o.TimeZone
	if name == "" && o.Format == "taxi" {
		name = taxiZone
	}
	if name == "" {
		return c, nil
	}
	var err error
	if c.zone, err = time.LoadLocation(name); err != nil {
		return nil, fmt.Errorf("loading the zone %s: %w", name, err)
	}
	return c, nil
}

// Read returns UTC milliseconds: a number is seconds below 1e11, else milliseconds. A time after the year 9999 counts as its end.
func (c *Clock) Read(b []byte) (int64, bool) {
	if c.layout != "" {
		if at, ok := c.byLayout(string(b)); ok {
			return at, true
		}
	}
	if at, ok := epoch(b); ok {
		return at, at >= minTime
	}
	at, ok := c.calendar(bytes.TrimSpace(b))
	return at, ok && at >= minTime
}

func (c *Clock) byLayout(s string) (int64, bool) {
	zone := c.zone
	if zone == nil {
		zone = time.UTC
	}
	t, err := time.ParseInLocation(c.layout, strings.TrimSpace(s), zone)
	if err != nil {
		return 0, false
	}
	// For an abbreviation that it does not know, package time invents a zone at offset 0.
	if name, offset := t.Zone(); offset == 0 && strings.Contains(c.layout, "MST") && name != "UTC" && name != "GMT" && t.Location() != zone {
		return 0, false
	}
	return t.UnixMilli(), true
}

// epoch reads seconds below 1e11, else milliseconds, since 1970.
func epoch(b []byte) (int64, bool) {
	var n int64
	whole := len(b) > 0 && len(b) <= 18
	for i := 0; whole && i < len(b); i++ {
		c := b[i] - '0'
		whole = c <= 9
		n = n*10 + int64(c)
	}
	if whole {
		if n < secondsBelow {
			n *= 1000
		}
		return min(n, maxTime), true
	}
	x, ok := parseFloat(b)
	if !ok || math.Abs(x) >= 1<<63 { // no count of milliseconds
		return 0, false
	}
	if x < secondsBelow {
		x *= 1000
	}
	// A thousandth of a millisecond is what the multiplication may have lost.
	return int64(math.Floor(max(minTime-1, min(x+0.001, maxTime)))), true
}

// calendar reads RFC 3339 with its liberties: a space for the T, no zone where the clock has one, +hhmm and +hh.
func (c *Clock) calendar(b []byte) (int64, bool) {
	if len(b) < len("2006-01-02T15:04:05") || b[4] != '-' || b[7] != '-' || b[13] != ':' || b[16] != ':' || (b[10]|0x20 != 't' && b[10] != ' ') {
		return 0, false
	}
	year, ok := digits(b[0:4])
	month, ok1 := digits(b[5:7])
	day, ok2 := digits(b[8:10])
	hour, ok3 := digits(b[11:13])
	minute, ok4 := digits(b[14:16])
	second, ok5 := digits(b[17:19])
	if !ok || !ok1 || !ok2 || !ok3 || !ok4 || !ok5 || hour > 23 || minute > 59 || second > 60 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) {
		return 0, false
	}
	millis, rest, ok := fraction(b[19:])
	if !ok {
		return 0, false
	}
	if len(rest) == 0 {
		if c.zone == nil {
			return 0, false
		}
		return time.Date(year, time.Month(month), day, hour, minute, second, 0, c.zone).UnixMilli() + millis, true
	}
	offset, ok := zoneOffset(rest)
	seconds := daysSinceEpoch(year, month, day)*86400 + int64(hour*3600+minute*60+second) - offset
	return seconds*1000 + millis, ok
}

func digits(b []byte) (int, bool) {
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}

// fraction reads what follows the seconds; digits past the milliseconds are cut off.
func fraction(b []byte) (millis int64, rest []byte, ok bool) {
	if len(b) == 0 || (b[0] != '.' && b[0] != ',') {
		return 0, b, true
	}
	i, scale := 1, int64(100)
	for ; i < len(b) && b[i] >= '0' && b[i] <= '9'; i++ {
		millis += int64(b[i]-'0') * scale
		scale /= 10
	}
	return millis, b[i:], i > 1
}

// zoneOffset reads Z, ±hh:mm, ±hhmm or ±hh, also after a space; in seconds east of UTC.
func zoneOffset(b []byte) (int64, bool) {
	if b[0] == ' ' {
		b = b[1:]
	}
	switch {
	case len(b) == 1 && b[0]|0x20 == 'z', string(b) == "UTC", string(b) == "GMT":
		return 0, true
	case len(b) < 3 || (b[0] != '+' && b[0] != '-'):
		return 0, false
	}
	hours, ok := digits(b[1:3])
	minutes, rest := 0, b[3:]
	if len(rest) > 0 {
		if rest[0] == ':' {
			rest = rest[1:]
		}
		var ok2 bool
		minutes, ok2 = digits(rest)
		ok = ok && ok2 && len(rest) == 2
	}
	if !ok || hours > 23 || minutes > 59 {
		return 0, false
	}
	offset := int64(hours*3600 + minutes*60)
	if b[0] == '-' {
		offset = -offset
	}
	return offset, true
}

func daysIn(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// daysSinceEpoch counts in the proleptic Gregorian calendar (H. Hinnant, chrono-compatible low-level date algorithms).
func daysSinceEpoch(year, month, day int) int64 {
	if month <= 2 {
		year--
	}
	era := year / 400
	if year < 0 {
		era = (year - 399) / 400
	}
	ofEra := year - era*400
	ofYear := (153*((month+9)%12)+2)/5 + day - 1
	return int64(era*146097 + ofEra*365 + ofEra/4 - ofEra/100 + ofYear - 719468)
}
