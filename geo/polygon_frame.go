package geo

import (
	"math"
	"slices"
)

// chooseFrame puts the frame's start where it cuts nothing, if there is such a meridian.
func (b *builder) chooseFrame() {
	b.west = -180
	var touchesWest, touchesEast, across, round bool
	for i := range b.rings {
		r := &b.rings[i]
		round = round || r.turns != 0 || r.maxX-r.minX >= 360
		shift := math.Floor((r.minX+180)/360) * 360
		across = across || r.maxX-shift > 180
		touchesWest = touchesWest || r.minX-shift == -180
		touchesEast = touchesEast || r.maxX-shift == 180
	}
	b.bySeam = touchesWest || touchesEast || across || round
	switch {
	case round:
		b.cut = true
	case across || touchesWest && touchesEast:
		b.west, b.cut = b.widestGap()
	}
	if b.cut {
		b.west = b.freeMeridian()
	}
}

// freeMeridian is one that no vertex is on, so that what meets where the frame cuts does so by chance only.
func (b *builder) freeMeridian() float64 {
	best, widest := 0.0, -1.0
	for k := 1; k <= 64 && widest < 1e-5; k++ {
		west := math.Mod(float64(k)*360/math.Phi, 360) - 180
		nearest := math.Inf(1)
		for i := range b.rings {
			for _, p := range b.rings[i].points {
				nearest = min(nearest, math.Abs(math.Remainder(p.Lon-west, 360)))
			}
		}
		if nearest > widest {
			best, widest = west, nearest
		}
	}
	return best
}

// widestGap is the middle of the widest stretch of longitudes that no ring reaches into.
func (b *builder) widestGap() (west float64, none bool) {
	type reach struct{ from, to float64 }
	var all []reach
	for i := range b.rings {
		r := &b.rings[i]
		from := NormalizeLon(r.minX)
		all = append(all, reach{from, from + (r.maxX - r.minX)})
	}
	slices.SortFunc(all, func(p, q reach) int { return sign(p.from - q.from) })
	end, widest := all[0].to, 0.0
	for _, r := range all { // once round, for what reaches over the start from behind
		end = max(end, r.to)
	}
	end -= 360
	for _, r := range all {
		if gap := r.from - end; gap > widest {
			widest, west = gap, NormalizeLon(end+gap/2)
		}
		end = max(end, r.to)
	}
	if widest < 1e-6 {
		return -180, true
	}
	return west, false
}

// layOut puts the edges into the frame.
func (b *builder) layOut() {
	n := 0
	for i := range b.rings {
		n += len(b.rings[i].points)
	}
	b.edges = make([]edge, 0, n+4)
	for i := range b.rings {
		r := &b.rings[i]
		shift := math.Floor((r.minX-b.west)/360) * 360
		b.asIs = b.asIs && shift == 0
		for j := 1; j < len(r.points); j++ {
			p, q := r.points[j-1], r.points[j]
			p.Lon -= shift
			q.Lon -= shift
			e := edge{p, q, int32(i), int32(j - 1)}
			if b.cut {
				b.cutEdge(e)
			} else {
				b.edges = append(b.edges, e)
			}
		}
	}
	b.asIs = b.asIs && !b.cut
	b.rangeEdges()
}

// rangeEdges tells the rings where their edges are.
func (b *builder) rangeEdges() {
	at := 0
	for i := range b.rings {
		from := at
		for at < len(b.edges) && int(b.edges[at].ring) == i {
			at++
		}
		b.rings[i].edges = [2]int{from, at}
	}
}

// cutEdge cuts an edge at the frame's ends and moves what lies beyond into the frame. An edge along an end stays at the
// one that the rest of its ring is at, which does not matter: the other end is the same meridian.
func (b *builder) cutEdge(e edge) {
	shift := func(x float64) float64 { return math.Floor((x-b.west)/360) * 360 }
	low, high := min(e.a.Lon, e.b.Lon), max(e.a.Lon, e.b.Lon)
	s := shift(low)
	seam := b.west + s + 360
	if high <= seam {
		e.a.Lon -= s
		e.b.Lon -= s
		b.edges = append(b.edges, e)
		return
	}
	t := (seam - e.a.Lon) / (e.b.Lon - e.a.Lon)
	lat := e.a.Lat + t*(e.b.Lat-e.a.Lat)
	first, second := e, e
	first.b, second.a = Point{seam, lat}, Point{seam, lat}
	for _, half := range [...]edge{first, second} {
		s := shift((half.a.Lon + half.b.Lon) / 2)
		half.a.Lon -= s
		half.b.Lon -= s
		b.edges = append(b.edges, half)
	}
}
