package cluster

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Kind is what is done to nodes or to Kafka.
type Kind string

// What happens at a fault's time, and how it is healed after its duration.
const (
	Kill        Kind = "kill"         // SIGKILL; started again
	Term        Kind = "term"         // SIGTERM, as Marathon scales down; started again
	Pause       Kind = "pause"        // SIGSTOP; SIGCONT
	CutGossip   Kind = "cut-gossip"   // the cable to the other nodes; Kafka stays reachable
	CutKafka    Kind = "cut-kafka"    // nothing gets through to Kafka, and nothing comes back
	ResetKafka  Kind = "reset-kafka"  // connections to Kafka are refused
	Join        Kind = "join"         // a node that is not running starts; SIGTERM
	Rolling     Kind = "rolling"      // each node in turn: SIGTERM, start
	KillBroker  Kind = "kill-broker"  // SIGKILL; started again
	PauseBroker Kind = "pause-broker" // SIGSTOP; SIGCONT
)

// Fault is one disturbance.
type Fault struct {
	At    time.Duration // since the schedule began
	For   time.Duration // until it is healed
	Kind  Kind
	Nodes []int // which, where it concerns nodes
}

// String is the fault on one line.
func (f Fault) String() string {
	nodes := ""
	if len(f.Nodes) > 0 {
		nodes = " nodes " + strings.Trim(fmt.Sprint(f.Nodes), "[]")
	}
	return fmt.Sprintf("%6s %s%s for %s", f.At.Round(10*time.Millisecond), f.Kind, nodes, f.For.Round(10*time.Millisecond))
}

// weighted is how often each kind comes.
func weighted() []Kind {
	return []Kind{Kill, Kill, Kill, Kill, Term, Term, Pause, Pause, CutGossip, CutKafka, CutKafka, ResetKafka, Join, Join, Join, Rolling, KillBroker, PauseBroker}
}

// Schedule is a seeded series of faults within a time: of nodes 0 to nodes-1, the first initial of which run at the beginning.
func Schedule(seed uint64, within time.Duration, nodes, initial int) []Fault {
	random := rand.New(rand.NewPCG(seed, 3))
	var faults []Fault
	millis := func(from, to int) time.Duration {
		return time.Duration(from+random.IntN(to-from)) * time.Millisecond
	}
	kinds := weighted()
	for at := millis(0, 2000); at < within-3*time.Second; at += millis(200, 6000) {
		f := Fault{At: at, Kind: kinds[random.IntN(len(kinds))], For: millis(100, 6000)}
		switch f.Kind {
		case Kill:
			// One, most, or all at once.
			f.Nodes = some(random, nodes, []int{1, 1, 1, nodes / 2, nodes - 1, nodes}[random.IntN(6)])
		case Pause:
			f.Nodes, f.For = some(random, nodes, 1), millis(500, 8000) // detection takes 1.3 s, the group's session 12 s
		case CutGossip, CutKafka, ResetKafka, Term:
			f.Nodes = some(random, nodes, 1+random.IntN(2))
		case Join:
			f.Nodes, f.For = []int{initial + random.IntN(nodes-initial)}, millis(2000, 15000)
		case KillBroker, PauseBroker:
			f.For = millis(500, 4000)
		default:
		}
		faults = append(faults, f)
	}
	return faults
}

// some are n different nodes.
func some(random *rand.Rand, nodes, n int) []int {
	chosen := random.Perm(nodes)[:n]
	slices.Sort(chosen)
	return chosen
}

// Shrink takes faults away for as long as what is left still fails: first halves, then smaller parts, then single ones.
// fails runs a schedule; enough says that there is no time to try on.
func Shrink(faults []Fault, fails func([]Fault) bool, enough func() bool) []Fault {
	for part := (len(faults) + 1) / 2; part >= 1 && len(faults) > 1; {
		shrunk := false
		for from := 0; from < len(faults); from += part {
			if enough() {
				return faults
			}
			less := slices.Concat(faults[:from], faults[min(from+part, len(faults)):])
			if len(less) > 0 && fails(less) {
				faults, shrunk = less, true
				break
			}
		}
		if !shrunk || part > len(faults) {
			part /= 2
		}
	}
	return faults
}
