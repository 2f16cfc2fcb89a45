package fleet

import (
	"math"
	"runtime"
	"sync"
)

const (
	hubCount = 70 // besides the landmarks
	// nodeSeconds is what lights and turns cost on average at a node that has lights.
	nodeSeconds = 9
)

// hub is a goal with the fastest way to it from everywhere. Immutable.
type hub struct {
	node    int32
	next    []int32   // by node, the edge to take; -1 at the hub
	seconds []float32 // by node, about how long it takes
}

// hubs are the goals of a fleet.
type hubs struct {
	all    []hub
	shares []float64 // up to which part of [0, 1) each hub is drawn
}

// newHubs spreads hubs over the network: the same for every fleet on it.
func newHubs(n *Network) *hubs {
	h := &hubs{}
	r := seeded(uint64(len(n.nodes)), uint64(len(n.edges)))
	sum := 0.0
	add := func(node int32, weight float64) {
		sum += weight
		h.all, h.shares = append(h.all, hub{node: node}), append(h.shares, sum)
	}
	for _, l := range n.landmarks {
		add(l.node, l.weight)
	}
	for range min(hubCount, len(n.nodes)) {
		add(int32(r.below(len(n.nodes))), 0.5) //nolint:gosec // an index
	}
	for i := range h.shares {
		h.shares[i] /= sum
	}
	reverse := n.reversed()
	next := make(chan *hub, len(h.all))
	for i := range h.all {
		next <- &h.all[i]
	}
	close(next)
	var searches sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		searches.Go(func() {
			for one := range next {
				one.search(n, reverse)
			}
		})
	}
	searches.Wait()
	return h
}

// draw picks a hub by weight.
func (h *hubs) draw(r *random) int {
	u := r.unit()
	for i, share := range h.shares {
		if u < share {
			return i
		}
	}
	return len(h.shares) - 1
}

// arrivals are the edges by the node at which they end.
type arrivals struct{ first, edges []int32 }

func (n *Network) reversed() arrivals {
	a := arrivals{first: make([]int32, len(n.nodes)+1), edges: make([]int32, len(n.edges))}
	for i := range n.edges {
		a.first[n.edges[i].to+1]++
	}
	for i := range n.nodes {
		a.first[i+1] += a.first[i]
	}
	fill := append([]int32(nil), a.first...)
	for i := range n.edges {
		to := n.edges[i].to
		a.edges[fill[to]] = int32(i) //nolint:gosec // an index
		fill[to]++
	}
	return a
}

// search is Dijkstra's, backwards from the hub. Each hub finds each street a little faster or slower than the others do, so that
// not everybody takes the same one.
func (h *hub) search(n *Network, into arrivals) {
	h.next, h.seconds = make([]int32, len(n.nodes)), make([]float32, len(n.nodes))
	for i := range h.next {
		h.next[i], h.seconds[i] = -1, math.MaxFloat32
	}
	h.seconds[h.node] = 0
	open := frontier{{h.node, 0}}
	for len(open) > 0 {
		at := open.pop()
		if at.seconds > h.seconds[at.node] {
			continue
		}
		for _, i := range into.edges[into.first[at.node]:into.first[at.node+1]] {
			e := &n.edges[i]
			taste := scramble(uint64(h.node)<<32 | uint64(i)) //nolint:gosec // only mixed
			cost := e.metres / e.speed * (0.9 + 0.4/(1<<16)*float32(taste>>48))
			if n.signals[e.to] {
				cost += nodeSeconds
			}
			if s := at.seconds + cost; s < h.seconds[e.from] {
				h.seconds[e.from], h.next[e.from] = s, i
				open.push(reached{e.from, s})
			}
		}
	}
}

type reached struct {
	node    int32
	seconds float32
}

// frontier is a binary heap by seconds: container/heap would allocate for each entry, and New has millions.
type frontier []reached

func (f *frontier) push(r reached) {
	h := append(*f, r)
	i := len(h) - 1
	for i > 0 {
		up := (i - 1) / 2
		if h[up].seconds <= r.seconds {
			break
		}
		h[i] = h[up]
		i = up
	}
	h[i] = r
	*f = h
}

func (f *frontier) pop() reached {
	h := *f
	top, r := h[0], h[len(h)-1]
	h = h[:len(h)-1]
	*f = h
	for i := 0; ; {
		down := 2*i + 1
		if down+1 < len(h) && h[down+1].seconds < h[down].seconds {
			down++
		}
		if down >= len(h) || h[down].seconds >= r.seconds {
			if i < len(h) {
				h[i] = r
			}
			return top
		}
		h[i] = h[down]
		i = down
	}
}
