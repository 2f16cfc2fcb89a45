package gossip

import (
	"math/rand/v2"
	"time"

	"github.com/trackmesh/trackmesh/cluster"
)

const (
	mendEvery = time.Second
	// lostFor is how long a member that died is looked for: a network that was divided for longer needs the seeds again.
	lostFor = time.Hour
	// disputedFor is how long after a conflict about its name a node goes on to introduce itself.
	disputedFor = 30 * time.Second
	// newFor is how long a node that has just started asks around: when many start at once, news of some die out before they have
	// reached all (each is repeated a bounded number of times, to members at random).
	newFor = 15 * time.Second
	// newEvery is in how many ticks it does so: each costs both sides the whole state.
	newEvery = 3
)

// mend is the goroutine that makes whole what memberlist leaves apart: it exchanges state with the living only, so two halves of
// a divided network would never meet again, and a name that was taken for the seconds until its old bearer was found dead would
// stay refused.
func (g *Gossip) mend() {
	defer g.running.Done()
	ticks := time.NewTicker(mendEvery)
	defer ticks.Stop()
	for {
		select {
		case <-g.stop:
			return
		case <-ticks.C:
			if addr := g.whomToMeet(time.Now()); addr != "" {
				_, _ = g.list.Load().Join([]string{addr}) // the dead do not answer; that is no news
			}
		}
	}
}

// whomToMeet is one address at random, or "" when nothing is amiss. The lost come first half of the time.
func (g *Gossip) whomToMeet(now time.Time) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.self.status == cluster.Draining {
		return ""
	}
	addrs := g.table.lostSince(now.Add(-lostFor))
	asks := now.Sub(g.disputed) < disputedFor || (now.Sub(g.since) < newFor && rand.IntN(newEvery) == 0)
	if asks && (len(addrs) == 0 || rand.IntN(2) == 0) {
		addrs = nil
		for _, e := range g.table.alive {
			addrs = append(addrs, e.addr)
		}
	}
	if len(addrs) == 0 {
		return ""
	}
	return addrs[rand.IntN(len(addrs))]
}
