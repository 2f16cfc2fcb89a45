package cluster

import (
	"maps"
	"slices"
	"strings"
	"time"
)

const (
	// StuckAfter is how long a join may be pending before those who block it are removed. The living rejoin within one heartbeat.
	StuckAfter = 500 * time.Millisecond
	// askAfter is how long it may be pending before it is asked who blocks it, so that the pings are over by then.
	askAfter = 150 * time.Millisecond
	// MissedPings are the direct pings, one after the other, that a member must have missed.
	MissedPings = 2
)

// ClientID is the name of a node's process in the log's group.
func ClientID(node, boot string) string { return "tm/" + node + "/" + boot }

// ParseClientID is its reverse; ok is false for clients that are not ours. Node names may hold slashes.
func ParseClientID(id string) (node, boot string, ok bool) {
	rest, ok := strings.CutPrefix(id, "tm/")
	cut := strings.LastIndexByte(rest, '/')
	if !ok || cut <= 0 {
		return "", "", false
	}
	return rest[:cut], rest[cut+1:], true
}

// GroupMember is a member of the log's group as the coordinator describes it.
type GroupMember struct{ MemberID, ClientID string }

// Removal is a member that must leave the group, and why, for the log.
type Removal struct {
	GroupMember
	Reason string
}

// View is what a node sees at one moment.
type View struct {
	Now time.Time
	// JoinPending is since when our own join or sync waits for others; zero: it does not.
	JoinPending time.Time
	// OwnID is our member id, "" before our first join has ended.
	OwnID string
	// Group is the group's description, asked for after Describe said so.
	Group []GroupMember
	// Members are those that gossip takes for alive, this node included.
	Members []Member
	// Missed are the direct pings in a row that a member has missed, by its node's name, counted after Suspects named it. A node
	// whose address nobody knows has missed all.
	Missed map[string]int
}

// Kick decides whom a node removes from the log's group, so that the dead do not hold up the living until their session
// ends. It is pure: whoever owns it asks Describe often, describes the group when it says so, pings whom Suspects names,
// and removes what Decide returns.
//
//	quiet ──join pending for 150 ms──> describe ──who is not alive──> suspects ──two pings missed, pending for 500 ms──> removed
//	  ^ ^                                 │ nobody                       │ answers, or the join ends                      │
//	  │ └─────────────────────────────────┴──────────────────────────────┘                                                │
//	  └──────────────────────────────────────── for 500 ms, for that member ──────────────────────────────────────────────┘
//
// Who blocks the join is removed when it is an earlier start of a node that runs now, or is not alive to gossip and has missed two
// pings, or says itself that it has lost the group, unless we had lost it ourselves lately (then it may be Kafka that is away).
// The other member ids of our own process are removed at any time. Nobody is removed on gossip alone, and nobody whose client
// id is not ours.
type Kick struct {
	node, boot string
	started    time.Time
	removed    map[string]time.Time // when it was last decided to remove that member id
	checked    string               // the member id under which we looked for our own leftovers
}

// NewKick makes the rule of one node.
func NewKick(node, boot string, now time.Time) *Kick {
	return &Kick{node: node, boot: boot, started: now, removed: map[string]time.Time{}}
}

// Describe says that the group should be described now: somebody blocks our join, or we have a new member id and look for
// those that earlier tries of ours left behind.
func (k *Kick) Describe(v View) bool {
	return k.pending(v, askAfter) || k.unchecked(v)
}

func (k *Kick) unchecked(v View) bool { return v.OwnID != "" && v.OwnID != k.checked }

// pending says that our join waits for as long as that, and that we have been here long enough to judge others.
func (k *Kick) pending(v View, wait time.Duration) bool {
	return !v.JoinPending.IsZero() && v.Now.Sub(v.JoinPending) >= wait && v.Now.Sub(k.started) >= StuckAfter
}

// Suspects are the names of the nodes that must be pinged before Decide: in the group, but not alive to gossip.
func (k *Kick) Suspects(v View) []string {
	if !k.pending(v, askAfter) {
		return nil
	}
	alive := byName(v.Members)
	var names []string
	for _, g := range v.Group {
		node, _, ok := ParseClientID(g.ClientID)
		if _, known := alive[node]; ok && !known && node != k.node {
			names = append(names, node)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Decide says whom to remove, by member id in order. wasSick: this node has lost the group itself lately (Health.WasSick).
// The view must be of now: a join that has ended meanwhile needs nobody's removal.
func (k *Kick) Decide(v View, wasSick bool) []Removal {
	stuck, alive := k.pending(v, StuckAfter), byName(v.Members)
	maps.DeleteFunc(k.removed, func(_ string, at time.Time) bool { return v.Now.Sub(at) >= StuckAfter })
	var out []Removal
	for _, g := range v.Group {
		if _, waits := k.removed[g.MemberID]; waits {
			continue
		}
		if reason := k.judge(g, v, stuck, wasSick, alive); reason != "" {
			out = append(out, Removal{g, reason})
		}
	}
	if k.unchecked(v) {
		k.checked = v.OwnID
	}
	for _, r := range out {
		k.removed[r.MemberID] = v.Now
	}
	slices.SortFunc(out, func(a, b Removal) int { return strings.Compare(a.MemberID, b.MemberID) })
	return out
}

// judge is the reason to remove the member, or "".
func (k *Kick) judge(g GroupMember, v View, stuck, wasSick bool, alive map[string]Member) string {
	node, boot, ours := ParseClientID(g.ClientID)
	switch m, known := alive[node]; {
	case !ours || g.MemberID == v.OwnID:
		return ""
	case node == k.node && boot == k.boot:
		if v.OwnID == "" {
			return "" // it may be the join that is pending now
		}
		return "an earlier join of this node"
	case !stuck:
		return ""
	case node == k.node:
		return "an earlier start of this node"
	case known && m.Boot != "" && m.Boot != boot:
		return "an earlier start of a node that runs again"
	case known && m.Status == Sick && !wasSick:
		return "blocks the group and has lost the log"
	case !known && v.Missed[node] >= MissedPings:
		return "blocks the group and is dead to gossip and to pings"
	}
	return ""
}

func byName(members []Member) map[string]Member {
	out := make(map[string]Member, len(members))
	for _, m := range members {
		out[m.Name] = m
	}
	return out
}
