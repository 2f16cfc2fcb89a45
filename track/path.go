package track

import (
	"math"

	"github.com/trackmesh/trackmesh/geo"
)

// path is a ring of a track's newest fixes, in memory only: 16 B each. It grows as it is needed.
type path struct {
	base   int64 // UTC ms; times are relative to it
	whole  int64 // the path is whole from this time on
	points []point
	first  int // the oldest, once the ring is full
	limit  int
}

type point struct {
	at        uint32 // ms since base: 49 days
	lon, lat  int32  // 1e-7 degrees
	speed     uint16 // dm/s; none: absent
	direction uint16 // hundredths of a degree; none: absent
}

const none = math.MaxUint16

func (p *path) add(limit int, fix *Fix, speed, heading float64) {
	if p.limit == 0 {
		p.base, p.whole, p.limit = fix.Time, fix.Time, limit
	}
	if fix.Time-p.base > math.MaxUint32 || limit != p.limit {
		*p = path{base: fix.Time, whole: fix.Time, limit: limit, points: p.points[:0]}
	}
	pt := point{
		at: uint32(fix.Time - p.base), lon: int32(math.Round(fix.Position.Lon * 1e7)), lat: int32(math.Round(fix.Position.Lat * 1e7)),
		speed: scaled(speed, 10), direction: scaled(heading, 100),
	}
	if len(p.points) < p.limit {
		p.points = append(p.points, pt)
		return
	}
	p.points[p.first] = pt
	p.first = (p.first + 1) % len(p.points)
	p.whole = p.base + int64(p.points[p.first].at)
}

func scaled(v, factor float64) uint16 {
	if math.IsNaN(v) {
		return none
	}
	return uint16(math.Min(math.Round(v*factor), none-1))
}

func unscaled(v uint16, factor float64) float64 {
	if v == none {
		return math.NaN()
	}
	return float64(v) / factor
}

// Path returns the fixes in memory with from ≤ time < to (UTC ms; to 0: open), oldest first, the newest limit of them.
func (t *Track) Path(from, to int64, limit int) []PathPoint {
	if t.path == nil {
		return nil
	}
	p := t.path
	var all []PathPoint
	for i := range p.points {
		pt := p.points[(p.first+i)%len(p.points)]
		at := p.base + int64(pt.at)
		if at < from || (to != 0 && at >= to) {
			continue
		}
		all = append(all, PathPoint{
			Time: at, Position: geo.Point{Lon: float64(pt.lon) / 1e7, Lat: float64(pt.lat) / 1e7},
			SpeedMPS: unscaled(pt.speed, 10), HeadingDegrees: unscaled(pt.direction, 100),
		})
	}
	if limit > 0 && len(all) > limit {
		all = all[len(all)-limit:]
	}
	return all
}

// PathStart is since when the path in memory is whole, UTC ms; a track that was restored has none yet, and says when its
// newest fix was.
func (t *Track) PathStart() int64 {
	if t.path == nil {
		return t.time + 1
	}
	return t.path.whole
}
