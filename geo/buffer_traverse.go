package geo

import (
	"math"
	"slices"
)

// stretch is a part of a segment, as fractions, that is within a shape; deep when some of it is more than just on the
// boundary.
type stretch struct {
	from, to float64
	deep     bool
}

// Traverse follows the geodesic from a to b through the shape.
func (s *Buffer) Traverse(a, b Point) Traversal {
	g := newSegment(a, b)
	var room [8]stretch
	in := s.follow(&g, 0, 1, g.va, g.vb, room[:0])
	if len(in) == 0 {
		return s.endsOnly(a, b)
	}
	slices.SortFunc(in, func(p, q stretch) int { return sign(p.from - q.from) })
	by := 0.0 // how much of the segment is no more than the boundary's thickness
	if g.chord > 0 {
		by = min(3*boundaryMetres/g.chord, 1e-3)
	}
	return summarize(merge(in, 1e-9), by)
}

// endsOnly is a segment that touches by less than what is rounded off; it must not say less than Contains does.
func (s *Buffer) endsOnly(a, b Point) Traversal {
	p, q := Ask(a), Ask(b)
	switch {
	case s.Contains(&p):
		return Traversal{Meets: true}
	case s.Contains(&q):
		return Traversal{Meets: true, First: 1, Last: 1}
	}
	return Traversal{}
}

// summarize turns what is inside, in order and apart, into a traversal: its ends are on the boundary, but for those that are
// the segment's own, deeper inside.
func summarize(in []stretch, by float64) Traversal {
	t := Traversal{First: math.Inf(1)}
	meet := func(at float64) {
		at = min(max(at, 0), 1)
		t.Meets = true
		t.First, t.Last = min(t.First, at), max(t.Last, at)
	}
	for _, i := range in {
		if i.deep && !t.Interior {
			t.Interior, t.In = true, max(i.from, 0)
		}
		if i.from > -by {
			meet(i.from)
		}
		if i.to < 1+by {
			meet(i.to)
		}
	}
	if !t.Meets { // it stays inside, or it is a place on the boundary
		t.First, t.Meets = 0, !t.Interior
	}
	return t
}

// merge joins stretches, sorted by their starts, that are no further apart than so much.
func merge(in []stretch, apart float64) []stretch {
	out := in[:1]
	for _, i := range in[1:] {
		if last := &out[len(out)-1]; i.from <= last.to+apart {
			last.to = max(last.to, i.to)
			last.deep = last.deep || i.deep
		} else {
			out = append(out, i)
		}
	}
	return out
}

// follow adds the stretches within the shape of a part of a segment: from fraction t0 at v to t1 at w. It cuts what is too
// long to be near the ground, and leaves out what is far from the shape.
func (s *Buffer) follow(g *segment, t0, t1 float64, v, w vector, in []stretch) []stretch {
	d := w.sub(v)
	l2 := d.dot(d)
	way := piece{a: v, d: d}
	if l2 > 0 {
		way.inv = 1 / l2
	}
	far := s.whole.radius + l2/(4*meanRadius) + 1 // how deep the chord lies below the way, twice over
	if way.distance2(s.whole.centre) > far*far {
		return in
	}
	if l2 > s.reach*s.reach {
		t := (t0 + t1) / 2
		m := g.vectorAt(t)
		in = s.follow(g, t0, t, v, m, in)
		return s.follow(g, t, t1, m, w, in)
	}
	for i := range s.blocks() {
		if s.balls != nil && way.distance2(s.balls[i].centre) > s.balls[i].radius*s.balls[i].radius {
			continue
		}
		pieces, _ := s.block(i, v)
		for j := range pieces {
			if c, ok := s.within(&pieces[j], &way); ok {
				c.from, c.to = t0+(t1-t0)*c.from, t0+(t1-t0)*c.to
				in = append(in, c)
			}
		}
	}
	return in
}

// within is the stretch of a chord that is within the distance of a piece, as fractions of the chord: from a little before 0
// where the chord begins inside, to a little after 1 where it ends there.
func (s *Buffer) within(p, way *piece) (stretch, bool) {
	t := min(max(way.inv*p.a.sub(way.a).dot(way.d), 0), 1)
	at := way.a.add(way.d.scale(t))
	reach := s.chord + p.d.length()
	if r := p.a.sub(at); r.dot(r) > reach*reach {
		return stretch{}, false // the usual case: far away
	}
	from, to, ok := capsule(p, way, s.chord)
	if !ok || from > 1 || to < 0 {
		return stretch{}, false
	}
	narrow := max(s.chord-3*boundaryMetres, 0)
	df, dt, deep := capsule(p, way, narrow)
	deep = deep && max(df, 0) <= min(dt, 1)
	return stretch{max(from, -1), min(to, 2), deep}, true
}

// capsule is the range of t in which way.a + t way.d is within r of a piece. What is within r of a straight piece is convex,
// so the range is one: that of the cylinder between its ends and of the balls at both, together.
func capsule(p, way *piece, r float64) (from, to float64, ok bool) {
	from, to = math.Inf(1), math.Inf(-1)
	add := func(f, t float64, found bool) {
		if found && f <= t {
			from, to, ok = min(from, f), max(to, t), true
		}
	}
	w := way.a.sub(p.a)
	add(roots(way.d.dot(way.d), w.dot(way.d), w.dot(w)-r*r))
	if p.inv == 0 {
		return from, to, ok
	}
	u := w.sub(p.d)
	add(roots(way.d.dot(way.d), u.dot(way.d), u.dot(u)-r*r))
	s0, s1 := w.dot(p.d)*p.inv, way.d.dot(p.d)*p.inv
	across, aside := way.d.sub(p.d.scale(s1)), w.sub(p.d.scale(s0))
	f, t, found := roots(across.dot(across), aside.dot(across), aside.dot(aside)-r*r)
	switch end := s0 + s1; {
	case !found:
	case end == s0: // along the piece it does not move
		add(f, t, s0 >= 0 && s0 <= 1)
	default:
		f, t = clip(s0, end, 0, 1, f, t)
		add(f, t, true)
	}
	return from, to, ok
}

// roots is where a t² + 2 b t + c ≤ 0, for a ≥ 0.
func roots(a, b, c float64) (from, to float64, ok bool) {
	if a < 1e-18 {
		return math.Inf(-1), math.Inf(1), c <= 0
	}
	d := b*b - a*c
	if d < 0 {
		return 0, 0, false
	}
	d = math.Sqrt(d)
	return (-b - d) / a, (-b + d) / a, true
}
