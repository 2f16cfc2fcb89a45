package cluster

import "time"

// Status is what a member says of itself; members that gossip declares dead are not listed at all.
type Status uint8

// A draining member gives its partitions away and leaves; a sick one has lost the log's group and answers for nothing.
const (
	Alive Status = iota
	Draining
	Sick
)

// String is the word that the API shows.
func (s Status) String() string { return [...]string{"alive", "draining", "suspect"}[s] }

// Running is a partition that a member runs, under the claim of that term.
type Running struct {
	Partition int32
	Term      uint64
}

// Member is a node as the others know it.
type Member struct {
	Name      string
	Boot      string // differs after each start of the process
	HTTP, RPC string // host:port where others reach it
	Gossip    string // host:port of its gossip
	Status    Status
	Since     time.Time // when this node first saw it, by its own clock
	Running   []Running // by partition
}

// Membership is the set of members as one node sees it. Safe for many goroutines.
type Membership interface {
	// Self is this node, with what it last told the others.
	Self() Member
	// Members are all that are not dead, Self included, by name.
	Members() []Member
	// Watch calls fn after each change, one call at a time, until cancel; changes in quick succession may be one call.
	Watch(fn func()) (cancel func())
	// SetStatus and SetRunning tell the others. They return at once.
	SetStatus(s Status)
	SetRunning(running []Running)
}

// Owner is the member that runs the partition: the one with the highest term among those that are not sick.
func Owner(members []Member, partition int32) (owner Member, term uint64, ok bool) {
	for _, m := range members {
		if m.Status == Sick {
			continue
		}
		for _, r := range m.Running {
			if r.Partition == partition && (!ok || r.Term > term) {
				owner, term, ok = m, r.Term, true
			}
		}
	}
	return owner, term, ok
}
