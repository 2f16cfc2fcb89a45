package geo

import "math"

const (
	indexedFrom = 24 // edges: fewer are faster asked all
	maxColumns  = 4096
	maxCells    = 256 // each way
	refsPerEdge = 8   // at most, on average, over all columns
)

// cellState says what a cell of the grid is in.
type cellState uint8

const (
	cellOutside cellState = iota
	cellInside
	cellEdge
)

// edgeIndex finds the edges near a place: columns of longitude list the edges that reach into them, and a grid says of each
// cell whether it is wholly inside, wholly outside, or has an edge in it, so that a place deep inside needs no edge at all.
type edgeIndex struct {
	minX, minY   float64
	perX         float64  // columns per degree
	cellX, cellY float64  // cells per degree
	columns      []uint32 // where each column starts in refs; one more than there are columns
	refs         []uint16 // an edge is its first point's place in points
	nx, ny       int
	cells        []uint64 // two bits each
}

// column lists the edges that may be near a meridian.
func (ix *edgeIndex) column(x float64) []uint16 {
	c := clamp(int((x-ix.minX)*ix.perX), len(ix.columns)-2)
	return ix.refs[ix.columns[c]:ix.columns[c+1]]
}

// columnsOf is the range of columns between two longitudes, both inclusive.
func (ix *edgeIndex) columnsOf(x0, x1 float64) (from, to int) {
	most := len(ix.columns) - 2
	return clamp(int(math.Floor((x0-ix.minX)*ix.perX)), most), clamp(int(math.Floor((x1-ix.minX)*ix.perX)), most)
}

func (ix *edgeIndex) cell(x, y float64) cellState {
	i := clamp(int((y-ix.minY)*ix.cellY), ix.ny-1)*ix.nx + clamp(int((x-ix.minX)*ix.cellX), ix.nx-1)
	return ix.state(i)
}

func (ix *edgeIndex) state(i int) cellState {
	return cellState(ix.cells[i>>5] >> (uint(i&31) * 2) & 3)
}

func (ix *edgeIndex) setCell(cx, cy int, state cellState) {
	i := cy*ix.nx + cx
	shift := uint(i&31) * 2
	ix.cells[i>>5] = ix.cells[i>>5]&^(3<<shift) | uint64(state)<<shift
}

func clamp(i, most int) int { return min(max(i, 0), most) }

// buildIndex makes the index where it pays.
func (s *Polygons) buildIndex() {
	edges := len(s.points) - max(len(s.chainEnds), 1)
	if edges < indexedFrom || len(s.points) > math.MaxUint16 {
		return
	}
	ix := &edgeIndex{minX: s.extent.minX, minY: s.extent.minY}
	width, height := s.extent.maxX-ix.minX, s.extent.maxY-ix.minY
	s.fillColumns(ix, width, edges)
	n := 16
	for n < maxCells && n*n < 8*edges {
		n *= 2
	}
	ix.nx, ix.ny = n, n
	ix.cellX, ix.cellY = float64(n)/width, float64(n)/height
	ix.cells = make([]uint64, n*n/32)
	s.fillCells(ix)
	s.index = ix
}

func (s *Polygons) eachEdge(fn func(i int, a, b Point)) {
	for from, to := range s.chains() {
		for i := from; i+1 < to; i++ {
			fn(i, s.points[i], s.points[i+1])
		}
	}
}

// fillColumns lists the edges per column; where long edges would fill too many, it takes fewer and wider columns.
func (s *Polygons) fillColumns(ix *edgeIndex, width float64, edges int) {
	for n := min(max(edges/4, 8), maxColumns); ; n /= 2 {
		ix.perX = float64(n) / width
		ix.columns = make([]uint32, n+1)
		total := 0
		s.eachEdge(func(_ int, a, b Point) {
			from, to := ix.spread(a, b)
			for c := from; c <= to; c++ {
				ix.columns[c+1]++
			}
			total += to - from + 1
		})
		if total <= refsPerEdge*edges || n == 1 {
			ix.refs = make([]uint16, total)
			break
		}
	}
	for c := 1; c < len(ix.columns); c++ {
		ix.columns[c] += ix.columns[c-1]
	}
	next := make([]uint32, len(ix.columns))
	copy(next, ix.columns)
	s.eachEdge(func(i int, a, b Point) {
		from, to := ix.spread(a, b)
		for c := from; c <= to; c++ {
			ix.refs[next[c]] = uint16(i)
			next[c]++
		}
	})
}

// spread is the range of columns that an edge reaches into, its boundary included.
func (ix *edgeIndex) spread(a, b Point) (from, to int) {
	return ix.columnsOf(min(a.Lon, b.Lon)-2*boundary, max(a.Lon, b.Lon)+2*boundary)
}

// fillCells marks the cells with an edge in them; between those of one column of cells, all are alike.
func (s *Polygons) fillCells(ix *edgeIndex) {
	s.eachEdge(func(_ int, a, b Point) { ix.markEdge(a, b) })
	for cx := range ix.nx {
		x := ix.minX + (float64(cx)+0.5)/ix.cellX
		known := false
		state := cellOutside
		for cy := range ix.ny {
			if ix.state(cy*ix.nx+cx) == cellEdge {
				known = false
				continue
			}
			if !known {
				state, known = s.stateBetween(ix, x, ix.minY+(float64(cy)+0.5)/ix.cellY), true
			}
			ix.setCell(cx, cy, state)
		}
	}
}

func (s *Polygons) stateBetween(ix *edgeIndex, x, y float64) cellState {
	w := stab{x: x, y: y, odd: s.southPole}
	for _, i := range ix.column(x) {
		if w.edge(s.points[i], s.points[i+1]) {
			return cellEdge // cannot be: the cell would have been marked; asking the edges is right in any case
		}
	}
	if w.odd {
		return cellInside
	}
	return cellOutside
}

// markEdge marks every cell that an edge, or its boundary, reaches into: column by column.
func (ix *edgeIndex) markEdge(a, b Point) {
	if a.Lon > b.Lon {
		a, b = b, a
	}
	from := clamp(int(math.Floor((a.Lon-ix.minX-2*boundary)*ix.cellX)), ix.nx-1)
	to := clamp(int(math.Floor((b.Lon-ix.minX+2*boundary)*ix.cellX)), ix.nx-1)
	slope := 0.0
	if b.Lon > a.Lon {
		slope = (b.Lat - a.Lat) / (b.Lon - a.Lon)
	}
	for cx := from; cx <= to; cx++ {
		low, high := min(a.Lat, b.Lat), max(a.Lat, b.Lat)
		if slope != 0 && to > from {
			// The part of the edge within this column and a little beyond, cut to the edge's own latitudes.
			y0 := a.Lat + slope*(ix.minX+float64(cx)/ix.cellX-a.Lon)
			y1 := a.Lat + slope*(ix.minX+float64(cx+1)/ix.cellX-a.Lon)
			by := 4*boundary*(1+math.Abs(slope)) + 1e-12
			low, high = max(low, min(y0, y1)-by), min(high, max(y0, y1)+by)
		}
		bottom := clamp(int(math.Floor((low-ix.minY-2*boundary)*ix.cellY)), ix.ny-1)
		top := clamp(int(math.Floor((high-ix.minY+2*boundary)*ix.cellY)), ix.ny-1)
		for cy := bottom; cy <= top; cy++ {
			ix.setCell(cx, cy, cellEdge)
		}
	}
}
