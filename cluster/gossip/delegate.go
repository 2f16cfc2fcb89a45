package gossip

import (
	"encoding/binary"
	"fmt"

	"github.com/hashicorp/memberlist"

	"github.com/trackmesh/trackmesh/cluster"
)

// Messages of ours start with their kind.
const (
	listMessage    = 'l' // a part of a list
	goodbyeMessage = 'b' // name and boot of a node that is about to leave
)

// partSize is how many partitions one broadcast part holds, at most: it must fit a packet beside memberlist's own news. A part of
// 200 with the longest varints (5 and 10 bytes) would not, but those of any log do: two bytes each, four rarely. What does not
// fit waits for the exchange of state.
const partSize = 200

// delegate is what memberlist asks and tells. Nothing here blocks.
type delegate struct{ g *Gossip }

// NodeMeta is what this node tells of itself.
func (d delegate) NodeMeta(limit int) []byte {
	d.g.mu.Lock()
	defer d.g.mu.Unlock()
	return d.g.self.encode(min(limit, metaLimit))
}

// NotifyMsg takes in a message of another node.
func (d delegate) NotifyMsg(b []byte) { d.g.inbox.message(b) }

// GetBroadcasts hands out parts of lists that wait to be spread.
func (d delegate) GetBroadcasts(overhead, limit int) [][]byte {
	return d.g.broadcasts.GetBroadcasts(overhead, limit)
}

// LocalState is every list that does not fit its node's metadata, our own and others', so that who missed a part has it after a
// few exchanges, and who joins has all at once.
func (d delegate) LocalState(bool) []byte {
	d.g.mu.Lock()
	defer d.g.mu.Unlock()
	var out []byte
	add := func(l list) {
		b := l.encode()
		out = append(binary.AppendUvarint(out, uint64(len(b))), b...)
	}
	if d.g.self.elsewhere {
		add(list{name: d.g.opts.Name, boot: d.g.self.boot, version: d.g.self.listVersion, parts: 1, running: d.g.self.running})
	}
	for _, e := range d.g.table.alive {
		if e.meta.elsewhere && e.whole.version > 0 {
			add(e.whole)
		}
	}
	return out
}

// MergeRemoteState takes in another's LocalState. What is damaged is left out: the next exchange is another chance.
func (d delegate) MergeRemoteState(b []byte, _ bool) {
	for len(b) > 0 {
		size, n := binary.Uvarint(b)
		if n <= 0 || size > uint64(len(b)-n) {
			return
		}
		d.g.inbox.message(append([]byte{listMessage}, b[n:n+int(size)]...))
		b = b[n+int(size):]
	}
}

// part is a broadcast of a part of a list, our own or one that was fresh to us; a newer version takes its place in the queue.
type part struct {
	node    string
	index   uint64
	message []byte
}

// Name identifies the part among the queued ones.
func (p part) Name() string { return fmt.Sprint(p.node, "/", p.index) }

// Invalidates is true of an older version of the same part.
func (p part) Invalidates(other memberlist.Broadcast) bool {
	o, ok := other.(part)
	return ok && o.index == p.index && o.node == p.node
}

// Message is what is sent.
func (p part) Message() []byte { return p.message }

// Finished is called after the last retransmission.
func (p part) Finished() {}

// split cuts a list into parts that fit packets.
func split(l list) []list {
	var out []list
	chunks := (len(l.running) + partSize - 1) / partSize
	for i := range chunks {
		p := l
		p.part, p.parts = uint64(i), uint64(chunks)
		p.running = l.running[i*partSize : min(len(l.running), (i+1)*partSize)]
		out = append(out, p)
	}
	return out
}

func goodbye(name, boot string) []byte {
	return appendText(appendText([]byte{goodbyeMessage}, name), boot)
}

func decodeGoodbye(b []byte) (name, boot string, err error) {
	r := reader{b: b}
	name, boot = r.text(), r.text()
	return name, boot, r.end()
}

var (
	_ memberlist.Delegate         = delegate{}
	_ memberlist.EventDelegate    = (*inbox)(nil)
	_ memberlist.ConflictDelegate = (*inbox)(nil)
	_ memberlist.NamedBroadcast   = part{}
	_ cluster.Membership          = (*Gossip)(nil)
)
