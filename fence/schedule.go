package fence

import (
	"slices"
	"sync/atomic"
	"time"
)

// Schedule says when a fence is open: the union of weekly hours and of whole days, in a zone's local time.
//
// A local time that the zone leaves out is the moment of the change; of a doubled one a start is the first and an end the
// second. Whole days run from a day's first moment to the first of the day after, so that days in a row join.
type Schedule struct {
	zone   *time.Location
	weekly []hours
	dates  []dates
	cached atomic.Pointer[changes] // written by whoever asks outside of it; any value is right
}

// hours are open on some days of the week, from a minute of the day to another; not after from: of the next day.
type hours struct {
	days     [7]bool // by time.Weekday
	from, to int     // minutes since midnight
}

// dates are whole local days, as days since 1970, both inclusive.
type dates struct{ first, last int64 }

// changes is a stretch of a schedule's life, worked out: at[i] opens when open and i are alike.
type changes struct {
	from, until int64 // what it covers, from inclusive
	open        bool  // at from
	at          []int64
	end         bool // nothing changes any more after until
}

const (
	day = int64(24 * time.Hour / time.Millisecond)
	// horizon is how far weekly hours are followed; what they keep open so long without a break they keep open for ever.
	horizon = 400 * day
	// stretch is how many changes are worked out at a time: about a week of a fence that opens daily.
	stretch = 16
)

// Zone is the schedule's time zone.
func (s *Schedule) Zone() *time.Location { return s.zone }

// Open reports whether it is open at a time, UTC milliseconds.
func (s *Schedule) Open(at int64) bool {
	c := s.around(at)
	i, exact := slices.BinarySearch(c.at, at)
	if exact {
		i++
	}
	return c.open == (i%2 == 0)
}

// NextChange is the first opening or closing after a time; ok is false when there is none.
func (s *Schedule) NextChange(after int64) (at int64, opens, ok bool) {
	c := s.around(after)
	i, exact := slices.BinarySearch(c.at, after)
	if exact {
		i++
	}
	if i == len(c.at) {
		return 0, false, false // around ends a stretch with a change unless there are no more
	}
	return c.at[i], c.open == (i%2 == 1), true
}

// around is a stretch that holds a time.
func (s *Schedule) around(at int64) *changes {
	c := s.cached.Load()
	if c != nil && at >= c.from && (at < c.until || c.end) {
		return c
	}
	c = s.workOut(at - 2*day) // clocks of several partitions ask, none far behind another
	if !c.end && at >= c.until {
		c = s.workOut(at) // changes less than a few minutes apart fill a stretch before it gets to now
	}
	s.cached.Store(c)
	return c
}

func (s *Schedule) workOut(from int64) *changes {
	c := &changes{from: from}
	t, always := s.reach(from)
	c.open = t > from
	switch {
	case always:
		c.until, c.end = t, true
		return c
	case c.open:
		c.at = append(c.at, t)
	}
	for len(c.at) < stretch {
		start, ok := s.nextStart(t)
		if !ok {
			c.until, c.end = t, true
			return c
		}
		t, always = s.reach(start)
		c.at = append(c.at, start)
		if always {
			c.until, c.end = t, true
			return c
		}
		c.at = append(c.at, t)
	}
	c.until = c.at[len(c.at)-1]
	return c
}

// reach is how far it stays open from t on, t itself when it is closed then; always is true when weekly hours alone keep it
// open for as long as anybody looks.
func (s *Schedule) reach(t int64) (until int64, always bool) {
	since := t // when the last of the dates ended
	for until = t; ; {
		next := until
		s.near(until, func(start, end int64) {
			if start <= until && end > next {
				next = end
			}
		})
		dated := s.datesReach(until)
		switch {
		case next == until && dated <= until:
			return until, false
		case dated >= next:
			next, since = dated, dated
		case next-since >= horizon:
			return next, true
		}
		until = next
	}
}

// datesReach is the end of the dates that hold t, if any.
func (s *Schedule) datesReach(t int64) int64 {
	until := t
	for _, d := range s.dates {
		if t < (d.first-2)*day || t > (d.last+3)*day { // local days are within a day of UTC's
			continue
		}
		if start, end := s.days(d); start <= t && end > until {
			until = end
		}
	}
	return until
}

// nextStart is the first opening after t, at which it is closed.
func (s *Schedule) nextStart(t int64) (at int64, ok bool) {
	consider := func(start, end int64) {
		if start > t && end > start && (!ok || start < at) {
			at, ok = start, true
		}
	}
	for _, d := range s.dates {
		consider(s.days(d))
	}
	for week := int64(0); week < 3 && !s.found(at, ok, t+week*7*day); week++ { // a zone may skip a day of the week once
		for d := -1; d <= 8; d++ {
			s.on(localDay(t+week*7*day, s.zone)+int64(d), consider)
		}
	}
	return at, ok
}

// found reports whether a start was found that no week from t on can come before.
func (s *Schedule) found(at int64, ok bool, t int64) bool { return ok && at < t }

// near gives the weekly intervals that may hold t.
func (s *Schedule) near(t int64, fn func(start, end int64)) {
	today := localDay(t, s.zone)
	for d := today - 2; d <= today+1; d++ {
		s.on(d, fn)
	}
}

// on gives the weekly intervals that start on a local day.
func (s *Schedule) on(localDay int64, fn func(start, end int64)) {
	weekday := (localDay%7 + 7 + 4) % 7 // day 0 was a Thursday
	for _, h := range s.weekly {
		if !h.days[weekday] {
			continue
		}
		endDay := localDay
		if h.to <= h.from {
			endDay++
		}
		start := first(s.zone, localDay*day+int64(h.from)*60_000)
		end := last(s.zone, endDay*day+int64(h.to)*60_000)
		if end > start {
			fn(start, end)
		}
	}
}

func (s *Schedule) days(d dates) (start, end int64) {
	return first(s.zone, d.first*day), first(s.zone, (d.last+1)*day)
}

// localDay is the local date at a time, as days since 1970.
func localDay(at int64, zone *time.Location) int64 {
	_, offset := time.UnixMilli(at).In(zone).Zone()
	local := at + int64(offset)*1000
	if local < 0 {
		return (local - day + 1) / day
	}
	return local / day
}

func first(zone *time.Location, local int64) int64 { a, _ := instants(zone, local); return a }

func last(zone *time.Location, local int64) int64 { _, b := instants(zone, local); return b }

// instants are the first and the last moment at which a zone's clocks show a local time, given as if it were UTC. When they
// never do, both are the moment at which they leap over it.
func instants(zone *time.Location, local int64) (early, late int64) {
	before := offsetAt(zone, local-day-day/8)
	after := offsetAt(zone, local+day+day/8)
	if before == after {
		return local - before, local - before
	}
	a, b := local-before, local-after
	okA, okB := offsetAt(zone, a) == before, offsetAt(zone, b) == after
	switch {
	case okA && okB:
		return min(a, b), max(a, b)
	case okA:
		return a, a
	case okB:
		return b, b
	default: // read by the old clock, it lies after the change
		start, _ := time.UnixMilli(a).In(zone).ZoneBounds()
		return start.UnixMilli(), start.UnixMilli()
	}
}

func offsetAt(zone *time.Location, at int64) int64 {
	_, offset := time.UnixMilli(at).In(zone).Zone()
	return int64(offset) * 1000
}
