package geo

import "math"

// Way is a segment to be asked of many shapes: what several of them need of it is worked out once. It is not safe for
// several goroutines.
type Way struct {
	A, B  Point
	box   Box
	chord piece
	sag   float64 // how far the way is from its chord at most, metres, generously
	ready bool
}

// Go makes a way of the geodesic from a to b.
func Go(a, b Point) Way { return Way{A: a, B: b, box: SegmentBox(a, b)} }

// Box is a box that holds the way.
func (w *Way) Box() Box { return w.box }

func (w *Way) straight() *piece {
	if !w.ready {
		w.ready = true
		w.chord.a = toVector(w.A)
		w.chord.d = toVector(w.B).sub(w.chord.a)
		l2 := w.chord.d.dot(w.chord.d)
		if l2 > 0 {
			w.chord.inv = 1 / l2
		}
		w.sag = l2/(4*meanRadius) + 1
	}
	return &w.chord
}

// MayMeet reports whether the way may touch the shape or run inside it; it is false only when it certainly does not.
func (s *Polygons) MayMeet(w *Way) bool {
	halves, n := w.box.Halves()
	for _, half := range halves[:n] {
		for shift := -360.0; shift <= 360; shift += 360 {
			e := extent{half.West + shift, half.South, half.East + shift, half.North}
			if s.extent.meets(e, boundary) && s.edgeIn(e) {
				return true
			}
		}
	}
	// No edge is near: all of it is on the same side.
	return s.locate(w.B) != outside
}

// edgeIn reports whether an edge's box meets a rectangle of the frame.
func (s *Polygons) edgeIn(e extent) bool {
	if ix := s.index; ix != nil {
		if ix.noEdge(e) {
			return false
		}
		from, to := ix.columnsOf(e.minX-boundary, e.maxX+boundary)
		for _, i := range ix.refs[ix.columns[from]:ix.columns[to+1]] {
			if edgeMeets(s.points[i], s.points[i+1], e) {
				return true
			}
		}
		return false
	}
	for from, to := range s.chains() {
		for i := from; i+1 < to; i++ {
			if edgeMeets(s.points[i], s.points[i+1], e) {
				return true
			}
		}
	}
	return false
}

func edgeMeets(a, b Point, e extent) bool {
	if a.Lon < e.minX-boundary && b.Lon < e.minX-boundary || a.Lon > e.maxX+boundary && b.Lon > e.maxX+boundary ||
		a.Lat < e.minY-boundary && b.Lat < e.minY-boundary || a.Lat > e.maxY+boundary && b.Lat > e.maxY+boundary {
		return false
	}
	return true
}

// noEdge reports whether a few cells hold a rectangle and none of them has an edge.
func (ix *edgeIndex) noEdge(e extent) bool {
	x0, x1 := clamp(int((e.minX-ix.minX)*ix.cellX), ix.nx-1), clamp(int((e.maxX-ix.minX)*ix.cellX), ix.nx-1)
	y0, y1 := clamp(int((e.minY-ix.minY)*ix.cellY), ix.ny-1), clamp(int((e.maxY-ix.minY)*ix.cellY), ix.ny-1)
	if (x1-x0+1)*(y1-y0+1) > 9 {
		return false
	}
	for y := y0; y <= y1; y++ {
		for x := x0; x <= x1; x++ {
			if ix.state(y*ix.nx+x) == cellEdge {
				return false
			}
		}
	}
	return true
}

// MayMeet is Buffer.MayMeet.
func (d *Disc) MayMeet(w *Way) bool {
	way := w.straight()
	far := math.Sqrt(d.chord2) + w.sag
	return way.distance2(d.centre) <= far*far
}

// MayMeet reports whether the way may touch the shape or run inside it; it is false only when it certainly does not.
func (s *Buffer) MayMeet(w *Way) bool {
	way := w.straight()
	length2 := way.d.dot(way.d)
	if length2 > s.reach*s.reach {
		return true
	}
	slack := w.sag
	within := func(centre vector, radius float64) bool {
		radius += slack
		return way.distance2(centre) <= radius*radius
	}
	if !within(s.whole.centre, s.whole.radius) {
		return false
	}
	if len(s.line) == 1 && s.line[0].inv == 0 {
		return true
	}
	for i := range s.blocks() {
		if s.balls != nil && !within(s.balls[i].centre, s.balls[i].radius) {
			continue
		}
		pieces, _ := s.block(i, way.a)
		for j := range pieces {
			p := &pieces[j]
			if within(p.a.add(p.d.scale(0.5)), math.Sqrt(p.d.dot(p.d))/2+s.chord) {
				return true
			}
		}
	}
	return false
}
