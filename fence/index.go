package fence

import (
	"math"

	"github.com/tidwall/rtree"

	"github.com/trackmesh/trackmesh/geo"
)

// index finds fences by their boxes. The boxes are float32, rounded outwards: half the memory to walk over, and what they
// find too much the exact tests sort out.
type index struct {
	tree *rtree.RTreeGN[float32, *Fence]
}

func newIndex() index { return index{tree: new(rtree.RTreeGN[float32, *Fence])} }

func (x index) copy() index { return index{tree: x.tree.Copy()} }

// slack is how far, in degrees, a shape's boundary reaches out of its box: points count as on it within geo's tolerance.
const slack = 3e-9

func (x index) add(f *Fence) {
	x.each(f, func(low, high [2]float32) { x.tree.Insert(low, high, f) })
}

func (x index) remove(f *Fence) {
	x.each(f, func(low, high [2]float32) { x.tree.Delete(low, high, f) })
}

// each gives the rectangles under which a fence is kept: two when it lies across the antimeridian.
func (x index) each(f *Fence, fn func(low, high [2]float32)) {
	if !f.placed() {
		return
	}
	halves, n := f.Box().Halves()
	for _, h := range halves[:n] {
		fn([2]float32{below(h.West - slack), below(h.South - slack)}, [2]float32{above(h.East + slack), above(h.North + slack)})
	}
}

func below(v float64) float32 {
	f := float32(v)
	if float64(f) > v {
		return math.Nextafter32(f, float32(math.Inf(-1)))
	}
	return f
}

func above(v float64) float32 {
	f := float32(v)
	if float64(f) < v {
		return math.Nextafter32(f, float32(math.Inf(1)))
	}
	return f
}

// at calls fn for the fences whose box holds a point; perhaps twice for one at the antimeridian.
func (x index) at(p geo.Point, fn func(*Fence)) {
	at := [2]float32{float32(p.Lon), float32(p.Lat)} // rounding keeps the order, so what holds p holds at
	yes := func(_, _ [2]float32, f *Fence) bool {
		fn(f)
		return true
	}
	x.tree.Search(at, at, yes)
	if at[0] >= 180 || at[0] <= -180 { // the same place from the other side
		at[0] = -at[0]
		x.tree.Search(at, at, yes)
	}
}

// within calls fn for the fences whose box meets another, until it returns false; perhaps twice for one at the antimeridian.
func (x index) within(box geo.Box, fn func(*Fence) bool) {
	halves, n := box.Halves()
	going := true
	yes := func(_, _ [2]float32, f *Fence) bool {
		going = fn(f)
		return going
	}
	for _, h := range halves[:n] {
		if going {
			x.tree.Search([2]float32{float32(h.West), float32(h.South)}, [2]float32{float32(h.East), float32(h.North)}, yes)
		}
	}
	if n == 1 && going && box.Width() < 360 {
		if float32(box.West) <= -180 {
			x.tree.Search([2]float32{180, float32(box.South)}, [2]float32{180, float32(box.North)}, yes)
		}
		if float32(box.East) >= 180 {
			x.tree.Search([2]float32{-180, float32(box.South)}, [2]float32{-180, float32(box.North)}, yes)
		}
	}
}
