package live

import (
	"strings"
	"sync"
	"time"

	"github.com/trackmesh/trackmesh/track"
)

// guestRest is how long a guest that nobody looked at keeps its number.
const guestRest = 5 * time.Minute

// Guests gives the vehicles that run on other nodes numbers of this node, out of the same ones as its own vehicles', so that a frame
// of the live map may hold both. A vehicle keeps its number when its partition moves from one other node to another.
type Guests struct {
	slots *slots

	mu         sync.Mutex
	partitions []map[string]*guest // guarded by mu; by partition and vehicle
	swept      time.Time           // guarded by mu
}

type guest struct {
	slot, birth uint32
	seen        time.Time
}

func newGuests(partitions int32, s *slots) *Guests {
	return &Guests{slots: s, partitions: make([]map[string]*guest, partitions), swept: s.now()}
}

// Items numbers views, all of one partition.
func (g *Guests) Items(partition int32, views []track.View, into []Item) []Item {
	if partition < 0 || int(partition) >= len(g.partitions) {
		return into
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.slots.now()
	g.sweep(now)
	if g.partitions[partition] == nil {
		g.partitions[partition] = map[string]*guest{}
	}
	names := g.partitions[partition]
	for i := range views {
		v := &views[i]
		known := names[v.Vehicle]
		if known == nil {
			known = &guest{}
			known.slot, known.birth = g.slots.take()
			names[strings.Clone(v.Vehicle)] = known // the name is a part of one long text
		}
		known.seen = now
		into = append(into, Item{Slot: known.slot, Birth: known.birth, View: v})
	}
	return into
}

// sweep forgets, now and then, the guests that nobody looked at.
func (g *Guests) sweep(now time.Time) {
	if now.Sub(g.swept) < guestRest {
		return
	}
	g.swept = now
	var gone []uint32
	for _, names := range g.partitions {
		for vehicle, known := range names {
			if now.Sub(known.seen) >= guestRest {
				gone = append(gone, known.slot)
				delete(names, vehicle)
			}
		}
	}
	g.slots.free(gone)
}
