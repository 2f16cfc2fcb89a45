package gossip

import (
	"maps"
	"slices"
	"time"

	"github.com/trackmesh/trackmesh/cluster"
)

// maxGone bounds how many dead members' addresses are remembered, for pings.
const maxGone = 1000

// table is what is known of the others. It is pure; Gossip holds it under its lock.
type table struct {
	alive map[string]*entry
	gone  map[string]last // who was alive once, so that a direct ping can be tried
}

// entry is a member. Its list of partitions is either in the metadata, or assembled from list messages that may come before or
// after the metadata that names their version.
type entry struct {
	meta    meta
	addr    string // host:port of its gossip
	since   time.Time
	leaving bool // it said goodbye; the leave itself comes after

	whole    list   // the newest complete list that came on its own way
	parts    []list // of the version that is being assembled, by part; missing ones have parts == 0
	version  uint64 // that version
	received int
}

type last struct {
	addr string
	at   time.Time
	died bool // it did not leave
}

// happening is a change worth a log line.
type happening uint8

const (
	nothing happening = iota
	joined
	restarted
	left
	died
	changed
)

func newTable() table { return table{alive: map[string]*entry{}, gone: map[string]last{}} }

// heard takes in that a node is alive with this metadata.
func (t *table) heard(name, addr string, m meta, now time.Time) happening {
	delete(t.gone, name)
	e := t.alive[name]
	switch {
	case e == nil:
		t.alive[name] = &entry{meta: m, addr: addr, since: now}
		return joined
	case e.meta.boot != m.boot:
		*e = entry{meta: m, addr: addr, since: now}
		return restarted
	}
	if m.elsewhere && !e.meta.elsewhere && e.meta.listVersion > e.whole.version {
		// What it ran until now is the best that is known until the new list comes.
		e.whole = list{name: name, boot: m.boot, version: e.meta.listVersion, parts: 1, running: e.meta.running}
	}
	e.meta, e.addr = m, addr
	return changed
}

// listed takes in a part of a list, or a whole one. It is fresh when it was not known: then others should hear of it too.
func (t *table) listed(l list) (what happening, fresh bool) {
	e := t.alive[l.name]
	if e == nil || e.meta.boot != l.boot || l.version <= e.whole.version || l.version < e.version {
		return nothing, false
	}
	if l.version > e.version || len(e.parts) != int(l.parts) {
		e.version, e.parts, e.received = l.version, make([]list, l.parts), 0
	}
	if e.parts[l.part].parts != 0 {
		return nothing, false
	}
	e.parts[l.part] = l
	if e.received++; e.received < len(e.parts) {
		return nothing, true
	}
	e.whole = list{name: l.name, boot: l.boot, version: l.version, parts: 1}
	for _, part := range e.parts {
		e.whole.running = append(e.whole.running, part.running...)
	}
	e.parts, e.received = nil, 0
	return changed, true
}

// lost takes in that a node is gone. A node that said goodbye, or was draining, has left; any other has died.
func (t *table) lost(name string, now time.Time) happening {
	e := t.alive[name]
	if e == nil {
		return nothing
	}
	delete(t.alive, name)
	if len(t.gone) >= maxGone {
		oldest := slices.MinFunc(slices.Collect(maps.Keys(t.gone)), func(a, b string) int { return t.gone[a].at.Compare(t.gone[b].at) })
		delete(t.gone, oldest)
	}
	what := died
	if e.leaving || e.meta.status == cluster.Draining {
		what = left
	}
	t.gone[name] = last{e.addr, now, what == died}
	return what
}

// lostSince are the addresses of who died since then and has not come back.
func (t *table) lostSince(then time.Time) (addrs []string) {
	for _, l := range t.gone {
		if l.died && l.at.After(then) {
			addrs = append(addrs, l.addr)
		}
	}
	return addrs
}

// address is where a node is or was.
func (t *table) address(name string) (string, bool) {
	if e := t.alive[name]; e != nil {
		return e.addr, true
	}
	l, ok := t.gone[name]
	return l.addr, ok
}

// members are the others, in any order.
func (t *table) members() []cluster.Member {
	out := make([]cluster.Member, 0, len(t.alive)+1)
	for name, e := range t.alive {
		out = append(out, e.member(name))
	}
	return out
}

func (e *entry) member(name string) cluster.Member {
	running := e.meta.running
	if e.meta.elsewhere {
		running = e.whole.running // maybe of an older version: a wrong owner says so
	}
	return cluster.Member{
		Name: name, Boot: e.meta.boot, HTTP: e.meta.http, RPC: e.meta.rpc, Gossip: e.addr,
		Status: e.meta.status, Since: e.since, Running: running,
	}
}
