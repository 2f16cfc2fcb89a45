package geo

import (
	"math"
	"slices"
)

// span is a stretch of a meridian.
type span struct{ low, high float64 }

// dissolveSeam takes out what two parts share along the antimeridian: RFC 7946 has shapes cut there, and the cut is no
// boundary. Such edges run along it in opposite directions, each with the inside on its left.
func (b *builder) dissolveSeam() {
	var up, down []span
	for _, e := range b.edges {
		if !e.onSeam() {
			continue
		}
		if s := (span{min(e.a.Lat, e.b.Lat), max(e.a.Lat, e.b.Lat)}); b.goesUp(e) {
			up = append(up, s)
		} else {
			down = append(down, s)
		}
	}
	shared := intersect(up, down)
	if len(shared) == 0 {
		return
	}
	b.asIs, b.dissolved = false, true
	kept := make([]edge, 0, len(b.edges))
	for _, e := range b.edges {
		if e.onSeam() {
			kept = e.without(shared, kept)
		} else {
			kept = append(kept, e)
		}
	}
	b.edges = kept
	b.rangeEdges()
}

// checkSeam refuses a ring that runs along the antimeridian and back without being cut there: what was dissolved then leads
// through the outside.
func (b *builder) checkSeam(s *Polygons) error {
	for i := range b.rings {
		r := &b.rings[i]
		for j, p := range r.points {
			if math.Abs(math.Remainder(p.Lon, 360)) == 180 && s.locate(Point{180, p.Lat}) == outside {
				return r.refuse(j, "the ring turns back along its own edge")
			}
		}
	}
	return nil
}

// onSeam reports whether the edge runs along the antimeridian.
func (e *edge) onSeam() bool {
	return e.a.Lon == e.b.Lon && math.Abs(math.Remainder(e.a.Lon, 360)) == 180 && e.a.Lat != e.b.Lat
}

// goesUp reports whether the edge goes north when its ring is walked with the inside on the left.
func (b *builder) goesUp(e edge) bool {
	return (e.b.Lat > e.a.Lat) == b.insideLeft(e.ring)
}

// insideLeft reports whether the shape's inside is on the left of a ring as given.
func (b *builder) insideLeft(ring int32) bool {
	r := &b.rings[ring]
	return (r.area > 0) == r.outer()
}

// intersect is what both sets of spans cover.
func intersect(a, b []span) []span {
	var out []span
	for _, s := range a {
		for _, t := range b {
			if low, high := max(s.low, t.low), min(s.high, t.high); low < high {
				out = append(out, span{low, high})
			}
		}
	}
	slices.SortFunc(out, func(s, t span) int { return sign(s.low - t.low) })
	return out
}

// without appends what is left of a seam's edge, in its direction.
func (e *edge) without(shared []span, kept []edge) []edge {
	low, high := min(e.a.Lat, e.b.Lat), max(e.a.Lat, e.b.Lat)
	from := len(kept)
	add := func(y0, y1 float64) {
		if y0 < y1 {
			kept = append(kept, edge{Point{e.a.Lon, y0}, Point{e.a.Lon, y1}, e.ring, e.seq})
		}
	}
	for _, s := range shared {
		if s.high <= low || s.low >= high {
			continue
		}
		add(low, s.low)
		low = max(low, s.high)
	}
	add(low, high)
	if e.a.Lat > e.b.Lat {
		slices.Reverse(kept[from:])
		for i := range kept[from:] {
			k := &kept[from+i]
			k.a, k.b = k.b, k.a
		}
	}
	return kept
}
