package gossip

import (
	"slices"
	"sync"

	"github.com/hashicorp/memberlist"
)

// event is something that memberlist told; only one goroutine acts on it.
type event struct {
	kind eventKind
	name string
	addr string
	meta []byte
	text []byte // a message of ours
}

type eventKind uint8

const (
	aliveEvent eventKind = iota
	goneEvent
	conflictEvent
	messageEvent
)

// inbox takes what memberlist's callbacks tell, under memberlist's own locks, so it never blocks: it queues and signals.
type inbox struct {
	mu     sync.Mutex
	events []event
	wake   chan struct{} // holds one
}

// maxMessages bounds the messages that wait; more are dropped, and the next exchange of state brings what they held. News of
// members is never dropped.
const maxMessages = 4096

func newInbox() *inbox { return &inbox{wake: make(chan struct{}, 1)} }

func (i *inbox) put(e event) {
	i.mu.Lock()
	if e.kind != messageEvent || len(i.events) < maxMessages {
		i.events = append(i.events, e)
	}
	i.mu.Unlock()
	i.signal()
}

func (i *inbox) signal() {
	select {
	case i.wake <- struct{}{}:
	default: // it is awake already
	}
}

func (i *inbox) take() []event {
	i.mu.Lock()
	defer i.mu.Unlock()
	events := i.events
	i.events = nil
	return events
}

// NotifyJoin, NotifyUpdate and NotifyLeave are memberlist's EventDelegate; the node is memberlist's, so it is copied.
func (i *inbox) NotifyJoin(n *memberlist.Node) {
	i.put(event{kind: aliveEvent, name: n.Name, addr: n.Address(), meta: slices.Clone(n.Meta)})
}

// NotifyUpdate is NotifyJoin for a node that was known.
func (i *inbox) NotifyUpdate(n *memberlist.Node) { i.NotifyJoin(n) }

// NotifyLeave does not tell a leave from a death: see table.lost.
func (i *inbox) NotifyLeave(n *memberlist.Node) {
	i.put(event{kind: goneEvent, name: n.Name, addr: n.Address()})
}

// NotifyConflict is memberlist's ConflictDelegate: other has the name of existing.
func (i *inbox) NotifyConflict(existing, other *memberlist.Node) {
	i.put(event{kind: conflictEvent, name: existing.Name, addr: other.Address()})
}

// message queues a copy: the bytes are memberlist's.
func (i *inbox) message(b []byte) {
	i.put(event{kind: messageEvent, text: slices.Clone(b)})
}
