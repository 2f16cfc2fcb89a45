package cluster

import "time"

const (
	// SickAfter is how long a node without contact to the log's group is well.
	SickAfter = 2 * time.Second
	// SickMemory is how long a node that was sick does not judge others that are.
	SickMemory = 15 * time.Second
	// probeAfter is when a node that has no contact of its own accord (a pending join sends no heartbeats) should ask.
	probeAfter = 500 * time.Millisecond
	// doubtAfter is how long a node may be without contact and still judge others that are sick. It is less than what makes them
	// sick: when a broker hangs all nodes lose it at nearly the same time, and the last to notice would have the first removed.
	doubtAfter = time.Second
)

// Health is what a node knows of its own contact with the log's group. The owner feeds it; not safe for many goroutines.
//
//	well ──no contact for 1 s──> not to be trusted about others, for 15 s from the next contact on
//	  └────no contact for 2 s──> sick ──contact──> well
type Health struct {
	contact time.Time // the last success
	doubt   time.Time // when it was last found without contact for doubtAfter; zero: never
}

// NewHealth starts well: a node that has just started has not missed anything yet.
func NewHealth(now time.Time) *Health { return &Health{contact: now} }

// Contact says that the group's coordinator has answered: a heartbeat, a join, a sync, a description of the group.
func (h *Health) Contact(now time.Time) {
	h.look(now) // remembers what ends here, though nobody asked meanwhile
	if now.After(h.contact) {
		h.contact = now
	}
}

// look remembers a silence.
func (h *Health) look(now time.Time) {
	if now.Sub(h.contact) >= doubtAfter && now.After(h.doubt) {
		h.doubt = now
	}
}

// Sick says that there was no contact for SickAfter.
func (h *Health) Sick(now time.Time) bool {
	h.look(now)
	return now.Sub(h.contact) >= SickAfter
}

// Probe says that the group should be described now, since that success counts as contact too.
func (h *Health) Probe(now time.Time) bool { return now.Sub(h.contact) >= probeAfter }

// WasSick says that it is sick, or had reason to fear so within SickMemory.
func (h *Health) WasSick(now time.Time) bool {
	return h.Sick(now) || (!h.doubt.IsZero() && now.Sub(h.doubt) < SickMemory)
}
