package gossip

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/trackmesh/trackmesh/cluster"
)

const (
	metaVersion = 1
	// metaLimit is memberlist's: what a node says of itself travels in every message about it.
	metaLimit = 512
	// maxText bounds names, addresses and the boot nonce.
	maxText = 255
	// maxPartitions bounds what a list may claim, so that a damaged one costs no memory.
	maxPartitions = 1 << 20
	// maxParts bounds the parts of a list: as many as maxPartitions have.
	maxParts = maxPartitions/partSize + 1
)

// meta is what a node tells with every gossip message about it.
//
//	version · flags (2 bits status, 1 bit: the list is elsewhere) · boot · http · rpc · list version · [list]
//
// Numbers are varints, texts have their length before them.
type meta struct {
	status      cluster.Status
	boot        string
	http, rpc   string
	listVersion uint64            // grows with each change of running
	running     []cluster.Running // by partition
	elsewhere   bool              // the list does not fit; it comes as list messages of this version
}

// errDamaged is what every decoder says of bytes that no encoder of ours wrote.
var errDamaged = errors.New("damaged or from a newer version")

const elsewhereFlag = 1 << 2

// encode puts the list elsewhere when the whole would pass the limit, and says so.
func (m *meta) encode(limit int) []byte {
	head := func(flags byte) []byte {
		b := []byte{metaVersion, flags}
		for _, s := range []string{m.boot, m.http, m.rpc} {
			b = appendText(b, s)
		}
		return binary.AppendUvarint(b, m.listVersion)
	}
	if b := appendList(head(byte(m.status)), m.running); len(b) <= limit {
		m.elsewhere = false
		return b
	}
	m.elsewhere = true
	return head(byte(m.status) | elsewhereFlag)
}

func decodeMeta(b []byte) (meta, error) {
	if len(b) < 2 || b[0] != metaVersion {
		return meta{}, errDamaged
	}
	m := meta{status: cluster.Status(b[1] & 3), elsewhere: b[1]&elsewhereFlag != 0}
	if m.status > cluster.Sick {
		return meta{}, errDamaged
	}
	r := reader{b: b[2:]}
	m.boot, m.http, m.rpc = r.text(), r.text(), r.text()
	m.listVersion = r.number()
	if !m.elsewhere {
		m.running = r.list()
	}
	return m, r.end()
}

// list is a node's partitions on their own way: what does not fit the metadata. One part of several, or the whole.
type list struct {
	name, boot  string
	version     uint64
	part, parts uint64
	running     []cluster.Running
}

func (l *list) encode() []byte {
	b := []byte{metaVersion}
	b = appendText(b, l.name)
	b = appendText(b, l.boot)
	for _, n := range []uint64{l.version, l.part, l.parts} {
		b = binary.AppendUvarint(b, n)
	}
	return appendList(b, l.running)
}

func decodeList(b []byte) (list, error) {
	if len(b) < 1 || b[0] != metaVersion {
		return list{}, errDamaged
	}
	r := reader{b: b[1:]}
	l := list{name: r.text(), boot: r.text(), version: r.number(), part: r.number(), parts: r.number()}
	l.running = r.list()
	if l.parts == 0 || l.part >= l.parts || l.parts > maxParts {
		return list{}, errDamaged
	}
	return l, r.end()
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// appendList writes each partition as its distance from the one before and the change of the term: two bytes as a rule.
func appendList(b []byte, running []cluster.Running) []byte {
	b = binary.AppendUvarint(b, uint64(len(running)))
	next, term := int32(0), uint64(0)
	for _, r := range running {
		b = binary.AppendUvarint(b, uint64(r.Partition-next))
		b = binary.AppendVarint(b, int64(r.Term-term))
		next, term = r.Partition+1, r.Term
	}
	return b
}

// reader takes values off a message; after the first error everything is zero.
type reader struct {
	b   []byte
	err error
}

func (r *reader) number() uint64 {
	n, size := binary.Uvarint(r.b)
	return n * r.took(size)
}

func (r *reader) change() uint64 {
	n, size := binary.Varint(r.b)
	return uint64(n) * r.took(size)
}

// took is 1, or 0 when the value was damaged.
func (r *reader) took(size int) uint64 {
	if size <= 0 {
		r.err, r.b = errDamaged, nil
		return 0
	}
	r.b = r.b[size:]
	return 1
}

func (r *reader) text() string {
	n := r.number()
	if n > maxText || n > uint64(len(r.b)) {
		r.err, r.b = errDamaged, nil
		return ""
	}
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}

func (r *reader) list() []cluster.Running {
	n := r.number()
	if n > maxPartitions || n > uint64(len(r.b)) { // each takes two bytes and more
		r.err, r.b = errDamaged, nil
		return nil
	}
	var out []cluster.Running
	next, term := uint64(0), uint64(0)
	for range n {
		p := next + r.number()
		term += r.change()
		if r.err != nil || p > math.MaxInt32-1 || p < next {
			r.err = errDamaged
			return nil
		}
		out = append(out, cluster.Running{Partition: int32(p), Term: term})
		next = p + 1
	}
	return out
}

func (r *reader) end() error {
	if r.err == nil && len(r.b) > 0 {
		return fmt.Errorf("%d bytes too many: %w", len(r.b), errDamaged)
	}
	return r.err
}
