package fence

import (
	"strconv"
	"sync"
	"time"

	"github.com/go-faster/jx"
)

// maxSpans bounds the weekly and the dated parts of a schedule.
const maxSpans = 400

// zones remembers the zones that exist, at most the few hundred of the zone database: reading one takes longer than all else
// of a fence, and a million fences share a handful.
var zones sync.Map // name → *time.Location

func loadZone(name string) (*time.Location, error) {
	if z, ok := zones.Load(name); ok {
		return z.(*time.Location), nil
	}
	z, err := time.LoadLocation(name)
	if err != nil {
		return nil, err
	}
	zones.Store(name, z)
	return z, nil
}

func parseSchedule(d *jx.Decoder) (*Schedule, error) {
	const at = "/properties/schedule"
	if d.Next() != jx.Object {
		return nil, refuse(at, "must be an object")
	}
	s := new(Schedule)
	err := d.ObjBytes(func(d *jx.Decoder, key []byte) error {
		switch string(key) {
		case "zone":
			return s.parseZone(d, at+"/zone")
		case "weekly":
			return list(d, at+"/weekly", func(d *jx.Decoder, at string) error { return s.parseHours(d, at) })
		case "dates":
			return list(d, at+"/dates", func(d *jx.Decoder, at string) error { return s.parseDates(d, at) })
		}
		return refuse(at+"/"+string(key), "is not known: zone, weekly and dates are")
	})
	switch {
	case err != nil:
		return nil, err
	case s.zone == nil:
		return nil, refuse(at+"/zone", "is missing")
	case len(s.weekly)+len(s.dates) == 0:
		return nil, refuse(at, "needs weekly or dates, else the fence would never open")
	}
	return s, nil
}

func (s *Schedule) parseZone(d *jx.Decoder, at string) error {
	name, err := text(d, at)
	if err != nil {
		return err
	}
	if name == "" || name == "Local" { // LoadLocation would take both
		return refuse(at, "must name a zone such as America/New_York")
	}
	if s.zone, err = loadZone(name); err != nil {
		return refuse(at, "%q is not a zone that is known here", name)
	}
	return nil
}

func (s *Schedule) parseHours(d *jx.Decoder, at string) error {
	h := hours{from: -1, to: -1}
	named := false
	err := object(d, at, func(d *jx.Decoder, key, at string) error {
		var err error
		switch key {
		case "days":
			return list(d, at, func(d *jx.Decoder, at string) error {
				named = true
				return h.parseDay(d, at)
			})
		case "from":
			h.from, err = clock(d, at, 24*60-1)
		case "to":
			h.to, err = clock(d, at, 24*60)
		default:
			return refuse(at, "is not known: days, from and to are")
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case !named:
		return refuse(at+"/days", "needs at least one day")
	case h.from < 0:
		return refuse(at+"/from", "is missing")
	case h.to < 0:
		return refuse(at+"/to", "is missing")
	}
	s.weekly = append(s.weekly, h)
	return nil
}

func (h *hours) parseDay(d *jx.Decoder, at string) error {
	s, err := text(d, at)
	if err != nil {
		return err
	}
	for i, name := range [...]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"} {
		if s == name {
			h.days[i] = true
			return nil
		}
	}
	return refuse(at, "must be mon, tue, wed, thu, fri, sat or sun, not %q", s)
}

func (s *Schedule) parseDates(d *jx.Decoder, at string) error {
	const missing = int64(-1 << 60)
	v := dates{first: missing, last: missing}
	err := object(d, at, func(d *jx.Decoder, key, at string) error {
		var err error
		switch key {
		case "from":
			v.first, err = date(d, at)
		case "to":
			v.last, err = date(d, at)
		default:
			return refuse(at, "is not known: from and to are")
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case v.first == missing:
		return refuse(at+"/from", "is missing")
	case v.last == missing:
		return refuse(at+"/to", "is missing")
	case v.last < v.first:
		return refuse(at+"/to", "is before from")
	}
	s.dates = append(s.dates, v)
	return nil
}

// clock reads "HH:MM" as minutes since midnight, up to a most.
func clock(d *jx.Decoder, at string, most int) (int, error) {
	s, err := text(d, at)
	if err != nil {
		return 0, err
	}
	if len(s) == 5 && s[2] == ':' && digits(s[:2]) && digits(s[3:]) {
		h, m := int(s[0]-'0')*10+int(s[1]-'0'), int(s[3]-'0')*10+int(s[4]-'0')
		if m < 60 && h*60+m <= most {
			return h*60 + m, nil
		}
	}
	return 0, refuse(at, "must be a time of day such as 22:00, not %q", s)
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// date reads "YYYY-MM-DD" as days since 1970.
func date(d *jx.Decoder, at string) (int64, error) {
	s, err := text(d, at)
	if err != nil {
		return 0, err
	}
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return 0, refuse(at, "must be a date such as 2026-12-24, not %q", s)
	}
	return t.Unix() / (day / 1000), nil
}

func list(d *jx.Decoder, at string, fn func(d *jx.Decoder, at string) error) error {
	if d.Next() != jx.Array {
		return refuse(at, "must be an array")
	}
	i := 0
	return d.Arr(func(d *jx.Decoder) error {
		if i == maxSpans {
			return refuse(at, "has more than %d entries", maxSpans)
		}
		i++
		return fn(d, at+"/"+strconv.Itoa(i-1))
	})
}

func object(d *jx.Decoder, at string, fn func(d *jx.Decoder, key, at string) error) error {
	if d.Next() != jx.Object {
		return refuse(at, "must be an object")
	}
	return d.Obj(func(d *jx.Decoder, key string) error { return fn(d, key, at+"/"+key) })
}
