package fleet

import (
	"errors"
	"math"
	"sync"

	"github.com/trackmesh/trackmesh/geo"
)

// Network is a directed graph of streets of which every node can be reached from every other. Immutable; many fleets may share it.
type Network struct {
	nodes     []geo.Point
	signals   []bool  // by node: traffic lights
	first     []int32 // edges[first[n]:first[n+1]] leave node n
	edges     []edge
	landmarks []landmark
	// goals are found once, when the first fleet needs them.
	goals func() *hubs
}

// edge is a straight piece of street, in the direction of travel.
type edge struct {
	from, to int32
	metres   float32
	speed    float32 // metres per second that one drives there
	bearing  float32 // degrees
}

// landmark is where many drive to.
type landmark struct {
	node   int32
	weight float64
}

// Nodes is how many there are.
func (n *Network) Nodes() int { return len(n.nodes) }

// Edges is how many there are.
func (n *Network) Edges() int { return len(n.edges) }

func (n *Network) leaving(node int32) (from, to int32) { return n.first[node], n.first[node+1] }

// along is the place so many metres after the edge's start.
func (n *Network) along(e *edge, metres float64) geo.Point {
	a, b := n.nodes[e.from], n.nodes[e.to]
	f := metres / float64(e.metres)
	return geo.Point{Lon: a.Lon + f*(b.Lon-a.Lon), Lat: a.Lat + f*(b.Lat-a.Lat)}
}

var errNoStreets = errors.New("there is no street from which one can come back")

// builder collects nodes and edges in any order.
type builder struct {
	nodes   []geo.Point
	signals []bool
	edges   []edge
	wishes  []wish
}

// wish is a landmark: the node nearest to the place, if one is near.
type wish struct {
	at     geo.Point
	weight float64
}

func (b *builder) node(p geo.Point, signal bool) int32 {
	b.nodes, b.signals = append(b.nodes, p), append(b.signals, signal)
	return int32(len(b.nodes) - 1) //nolint:gosec // bounded by maxNodes where input is not ours
}

// shortestEdge keeps edges from being so short that dividing by their length means nothing, in metres.
const shortestEdge = 0.5

func (b *builder) oneWay(from, to int32, speed float64) {
	metres := geo.Distance(b.nodes[from], b.nodes[to])
	if from == to || metres < shortestEdge {
		return
	}
	bearing := geo.Bearing(b.nodes[from], b.nodes[to])
	b.edges = append(b.edges, edge{from, to, float32(metres), float32(speed), float32(bearing)})
}

func (b *builder) bothWays(x, y int32, speed float64) {
	b.oneWay(x, y, speed)
	b.oneWay(y, x, speed)
}

// build keeps the largest part in which one can drive from everywhere to everywhere.
func (b *builder) build() (*Network, error) {
	first, order := b.byNode()
	component := components(first, order, b.edges)
	size := map[int32]int{}
	best := int32(-1)
	for _, c := range component {
		size[c]++
		if best < 0 || size[c] > size[best] || size[c] == size[best] && c < best {
			best = c
		}
	}
	if best < 0 || size[best] < 2 {
		return nil, errNoStreets
	}
	n := &Network{first: []int32{0}}
	renamed := make([]int32, len(b.nodes))
	for i, c := range component {
		if c == best {
			renamed[i] = int32(len(n.nodes)) //nolint:gosec // fewer than before
			n.nodes, n.signals = append(n.nodes, b.nodes[i]), append(n.signals, b.signals[i])
		}
	}
	for i, c := range component {
		if c != best {
			continue
		}
		for _, at := range order[first[i]:first[i+1]] {
			if e := b.edges[at]; component[e.to] == best {
				e.from, e.to = renamed[e.from], renamed[e.to]
				n.edges = append(n.edges, e)
			}
		}
		n.first = append(n.first, int32(len(n.edges))) //nolint:gosec // fewer than before
	}
	n.grant(b.wishes)
	n.goals = sync.OnceValue(func() *hubs { return newHubs(n) })
	return n, nil
}

// byNode sorts the edges by where they leave: order[first[n]:first[n+1]] are node n's.
func (b *builder) byNode() (first, order []int32) {
	first = make([]int32, len(b.nodes)+1)
	for i := range b.edges {
		first[b.edges[i].from+1]++
	}
	for i := range b.nodes {
		first[i+1] += first[i]
	}
	order = make([]int32, len(b.edges))
	fill := append([]int32(nil), first...)
	for i := range b.edges {
		from := b.edges[i].from
		order[fill[from]] = int32(i) //nolint:gosec // an index
		fill[from]++
	}
	return first, order
}

// components numbers the strongly connected components (R. Tarjan 1972, without recursion: streets make long chains).
func components(first, order []int32, edges []edge) []int32 {
	count := len(first) - 1
	index, low := make([]int32, count), make([]int32, count) // index 0: not visited
	component := make([]int32, count)
	for i := range component {
		component[i] = -1
	}
	type frame struct{ node, at int32 }
	var calls []frame
	var stack []int32
	visited, found := int32(0), int32(0)
	enter := func(n int32) {
		visited++
		index[n], low[n] = visited, visited
		stack = append(stack, n)
		calls = append(calls, frame{n, first[n]})
	}
	for root := range int32(count) { //nolint:gosec // an index
		if index[root] != 0 {
			continue
		}
		enter(root)
		for len(calls) > 0 {
			f := &calls[len(calls)-1]
			if f.at < first[f.node+1] {
				to := edges[order[f.at]].to
				f.at++
				if index[to] == 0 {
					enter(to)
				} else if component[to] < 0 {
					low[f.node] = min(low[f.node], index[to])
				}
				continue
			}
			n := f.node
			calls = calls[:len(calls)-1]
			if len(calls) > 0 {
				parent := calls[len(calls)-1].node
				low[parent] = min(low[parent], low[n])
			}
			if low[n] != index[n] {
				continue
			}
			for {
				top := stack[len(stack)-1]
				stack = stack[:len(stack)-1]
				component[top] = found
				if top == n {
					break
				}
			}
			found++
		}
	}
	return component
}

// landmarkReach is how far from its place a landmark's node may be, in metres.
const landmarkReach = 1500

func (n *Network) grant(wishes []wish) {
	for _, w := range wishes {
		if node, metres := nearest(n.nodes, w.at); metres <= landmarkReach {
			n.landmarks = append(n.landmarks, landmark{node, w.weight})
		}
	}
}

// nearest node to a place, -1 and infinity where there is none.
func nearest(nodes []geo.Point, p geo.Point) (int32, float64) {
	best, square := int32(-1), math.Inf(1)
	squeeze := math.Cos(p.Lat * math.Pi / 180)
	for i, q := range nodes {
		x, y := (q.Lon-p.Lon)*squeeze, q.Lat-p.Lat
		if s := x*x + y*y; s < square {
			best, square = int32(i), s //nolint:gosec // an index
		}
	}
	return best, math.Sqrt(square) * metresPerDegree
}

// metresPerDegree of latitude, near enough for streets.
const metresPerDegree = 111_200
