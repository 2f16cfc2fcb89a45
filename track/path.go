package track

import (
	"math"

	"github.com/trackmesh/trackmesh/geo"
)

// path is a ring of a track's newest fixes, in memory only: 16 B each. It grows as it is needed, by little: a million of
// them are alive.
type path struct {
	base   int64 // UTC ms; times are relative to it
	whole  int64 // the path is whole from this time on
	points []point
	first  int32 // the oldest, once the ring is full
	limit  int32
}

type point struct {
	at        uint32 // ms since base: 49 days
	lon, lat  int32  // 1e-7 degrees
	speed     uint16 // cm/s; none: absent
	direction uint16 // hundredths of a degree; none: absent
}

const none = math.MaxUint16

// remember adds the step's fix to the path, before it becomes the newest one.
func (t *Track) remember(env *Env, s *step) {
	limit := int32(t.pathFixes(env))
	if limit <= 0 {
		t.path = nil
		return
	}
	p := t.path
	if p == nil {
		p = &path{base: s.fix.Time, whole: s.fix.Time, limit: limit}
		if t.has { // restored: what is before is in history alone
			p.whole = t.time + 1
		}
		t.path = p
	}
	p.makeRoom(s.fix.Time, limit)
	p.add(point{
		at: uint32(s.fix.Time - p.base), lon: int32(math.Round(s.fix.Position.Lon * 1e7)), lat: int32(math.Round(s.fix.Position.Lat * 1e7)),
		speed: scaled(s.speed), direction: scaled(s.heading),
	})
}

// makeRoom takes over another limit, and another base when the time is too far from the present one.
func (p *path) makeRoom(next int64, limit int32) {
	if limit == p.limit && next-p.base <= math.MaxUint32 {
		return
	}
	points := make([]point, 0, min(len(p.points), int(limit)))
	base := next // the oldest time kept, so that this comes about every 49 days at most
	for i := range p.points {
		pt := *p.nth(i)
		at := p.base + int64(pt.at)
		if len(p.points)-i >= int(limit) || next-at > math.MaxUint32 { // the new one needs a place too
			p.whole = at + 1
			continue
		}
		base = min(base, at)
		pt.at = uint32(at - base)
		points = append(points, pt)
	}
	p.points, p.first, p.base, p.limit = points, 0, base, limit
}

// nth is the n-th oldest point.
func (p *path) nth(n int) *point {
	n += int(p.first)
	if n >= len(p.points) {
		n -= len(p.points)
	}
	return &p.points[n]
}

func (p *path) add(pt point) {
	if n := len(p.points); n < int(p.limit) {
		if n == cap(p.points) {
			more := make([]point, n, min(n+max(4, n/2), int(p.limit))) // slices.Grow would double it
			copy(more, p.points)
			p.points = more
		}
		p.points = append(p.points, pt)
		return
	}
	oldest := &p.points[p.first]
	p.whole = p.base + int64(oldest.at) + 1
	*oldest = pt
	if p.first++; int(p.first) == len(p.points) {
		p.first = 0
	}
}

func scaled(v float64) uint16 {
	if math.IsNaN(v) || v < 0 {
		return none
	}
	return uint16(min(math.Round(v*100), none-1))
}

func unscaled(v uint16) float64 {
	if v == none {
		return math.NaN()
	}
	return float64(v) / 100
}

// Path returns the fixes in memory with from ≤ time < to (UTC ms; to 0: open), oldest first, the newest limit of them
// (0: all).
func (t *Track) Path(from, to int64, limit int) []PathPoint {
	p := t.path
	if p == nil {
		return nil
	}
	if to == 0 {
		to = math.MaxInt64
	}
	start := p.before(from)
	end := max(start, p.before(to))
	if limit > 0 {
		start = max(start, end-limit)
	}
	all := make([]PathPoint, 0, end-start)
	for i := start; i < end; i++ {
		pt := p.nth(i)
		all = append(all, PathPoint{
			Time: p.base + int64(pt.at), Position: geo.Point{Lon: float64(pt.lon) / 1e7, Lat: float64(pt.lat) / 1e7},
			SpeedMPS: unscaled(pt.speed), HeadingDegrees: unscaled(pt.direction),
		})
	}
	return all
}

// before is how many points are from before a time.
func (p *path) before(at int64) int {
	low, high := 0, len(p.points)
	for low < high {
		middle := (low + high) / 2
		if p.base+int64(p.nth(middle).at) < at {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low
}

// PathStart is since when the path in memory is whole, UTC ms. A track that was restored has none yet: it is whole from
// after the newest fix.
func (t *Track) PathStart() int64 {
	if t.path == nil {
		return t.time + 1
	}
	return t.path.whole
}
