package gossip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/trackmesh/trackmesh/cluster"
)

// act is the one goroutine that follows what memberlist tells, and tells memberlist what has changed here.
func (g *Gossip) act() {
	defer g.running.Done()
	keys := time.NewTicker(keyCheck)
	defer keys.Stop()
	var again <-chan time.Time
	for {
		select {
		case <-g.stop:
			return
		case <-g.inbox.wake:
			g.drain()
			if g.publish() {
				again = time.After(repeatAfter)
			}
		case <-again:
			g.announce()
			again = nil
		case <-keys.C:
			g.ReloadKeys()
		}
	}
}

// drain takes in everything that waits.
func (g *Gossip) drain() {
	g.mu.Lock()
	var told []func()
	news := false
	for _, e := range g.inbox.take() {
		what, tell := g.takeIn(e)
		news = news || what != nothing
		if tell != nil {
			told = append(told, tell)
		}
	}
	g.size.Store(int64(len(g.table.alive) + 1))
	g.mu.Unlock()
	for _, tell := range told {
		tell()
	}
	if news {
		g.news()
	}
}

// takeIn changes the table by one event, under the lock; tell is for after it.
func (g *Gossip) takeIn(e event) (what happening, tell func()) {
	own := e.name == g.opts.Name
	switch e.kind {
	case aliveEvent:
		if own {
			return nothing, nil
		}
		m, err := decodeMeta(e.meta)
		if err != nil {
			return nothing, func() {
				g.logger.Warn("member is not understood: it is not counted until it runs the same version", "member", e.name, "addr", e.addr, "err", err)
			}
		}
		what = g.table.heard(e.name, e.addr, m, time.Now())
	case goneEvent:
		if !own {
			what = g.table.lost(e.name, time.Now())
		}
	case conflictEvent:
		return nothing, g.conflicted(e, own)
	case messageEvent:
		return g.message(e.text), nil
	}
	return what, func() { g.log(what, e) }
}

func (g *Gossip) message(b []byte) happening {
	if len(b) == 0 {
		return nothing
	}
	switch b[0] {
	case listMessage:
		if l, err := decodeList(b[1:]); err == nil {
			what, fresh := g.table.listed(l)
			if fresh && l.parts > 1 { // a whole list came with an exchange of state, as it will to the others
				g.broadcasts.QueueBroadcast(part{l.name, l.part, b})
			}
			return what
		}
	case goodbyeMessage:
		name, boot, err := decodeGoodbye(b[1:])
		if e := g.table.alive[name]; err == nil && e != nil && e.meta.boot == boot {
			e.leaving = true
		}
	}
	return nothing // damaged, or of a newer version: what it held comes again, or is not for us
}

func (g *Gossip) conflicted(e event, own bool) func() {
	if !own {
		return func() {
			if g.bridge.first("name " + e.name) {
				g.logger.Warn("two nodes have the same name", "member", e.name, "addr", e.addr, "what_to_do", "give each node its own --node-name")
			}
		}
	}
	g.conflict, g.disputed = e.addr, time.Now()
	return func() {
		if g.bridge.first("own name") {
			g.logger.Error("another live node has this node's name", "name", g.opts.Name, "addr", e.addr, "what_to_do", "give each node its own --node-name")
		}
	}
}

// log tells what a person wants to read next week.
func (g *Gossip) log(what happening, e event) {
	switch what {
	case joined:
		g.logger.Info("member joined", "member", e.name, "addr", e.addr)
	case restarted:
		g.logger.Info("member restarted", "member", e.name, "addr", e.addr)
	case left:
		g.logger.Info("member left", "member", e.name, "addr", e.addr)
	case died:
		g.logger.Warn("member died: it does not answer and did not say goodbye", "member", e.name, "addr", e.addr)
	case changed:
		g.logger.Debug("member changed", "member", e.name)
	case nothing:
		return
	}
	g.metrics.events.WithLabelValues([...]string{"nothing", "joined", "restarted", "left", "died", "changed"}[what]).Inc()
}

// publish tells memberlist what has changed here, if anything.
func (g *Gossip) publish() bool {
	g.mu.Lock()
	dirty := g.dirty
	g.dirty = false
	g.mu.Unlock()
	if !dirty {
		return false
	}
	g.announce()
	g.mu.Lock()
	var parts []list
	if g.self.elsewhere && g.spread != g.self.listVersion {
		g.spread = g.self.listVersion
		parts = split(list{name: g.opts.Name, boot: g.self.boot, version: g.self.listVersion, running: g.self.running})
	}
	g.mu.Unlock()
	for _, p := range parts {
		g.broadcasts.QueueBroadcast(part{p.name, p.part, append([]byte{listMessage}, p.encode()...)})
	}
	return true
}

// announce queues our metadata. memberlist would wait for its broadcasts to end; there is nothing to wait for.
func (g *Gossip) announce() { _ = g.list.Load().UpdateNode(time.Microsecond) }

// tellWatchers is the goroutine that calls those who watch.
func (g *Gossip) tellWatchers() {
	defer g.running.Done()
	for {
		select {
		case <-g.stop:
			return
		case <-g.tell:
			for _, fn := range g.watching() {
				fn()
			}
		}
	}
}

func (g *Gossip) watching() []func() {
	g.mu.Lock()
	defer g.mu.Unlock()
	fns := make([]func(), 0, len(g.watchers))
	for id := range g.nextID {
		if fn := g.watchers[id]; fn != nil {
			fns = append(fns, fn)
		}
	}
	return fns
}

// ReloadKeys reads the key file again, as happens by itself every 5 s. An error is logged, and the keys stay.
func (g *Gossip) ReloadKeys() {
	if g.opts.Keys == nil {
		return
	}
	changed, overlap, err := g.opts.Keys.reload()
	switch {
	case err != nil:
		if g.bridge.first("keys " + err.Error()) {
			g.logger.Error("gossip keys not read again: the former ones stay in use", "err", err)
		}
	case changed && !overlap:
		g.logger.Warn("all gossip keys were replaced at once: nodes with the former ones are not heard until they have the same file", "what_to_do", "next time add the new key first, remove the old one last")
	case changed:
		g.logger.Info("gossip keys changed")
	}
}

// ErrUnknownMember says that no address is known for the name.
var ErrUnknownMember = errors.New("no member of that name was ever seen here")

// Ping asks a member directly, without help of others, and waits 150 ms at most. The member may be dead to gossip.
func (g *Gossip) Ping(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	g.mu.Lock()
	addr, ok := g.table.address(name)
	g.mu.Unlock()
	list := g.list.Load()
	switch {
	case list == nil:
		return errNotRunning
	case !ok:
		return ErrUnknownMember
	}
	ip, port, err := resolve(addr)
	if err != nil {
		return err
	}
	if _, err = list.Ping(name, &net.UDPAddr{IP: ip, Port: port}); err != nil {
		return fmt.Errorf("pinging %s at %s: %w", name, addr, err)
	}
	return nil
}

// Missed pings each of the members until it answers, at most cluster.MissedPings times, all at once, and says how many it missed.
func (g *Gossip) Missed(ctx context.Context, names []string) map[string]int {
	missed := make([]int, len(names))
	var wait sync.WaitGroup
	for i, name := range names {
		wait.Go(func() {
			for missed[i] < cluster.MissedPings && ctx.Err() == nil {
				if err := g.Ping(ctx, name); err == nil {
					missed[i] = 0
					return
				}
				missed[i]++
			}
		})
	}
	wait.Wait()
	out := make(map[string]int, len(names))
	for i, name := range names {
		out[name] = missed[i]
	}
	return out
}

// Leave says goodbye, so that the others know that this node has not died. Bounded by ctx and by 3 s. Stop follows.
func (g *Gossip) Leave(ctx context.Context) error {
	g.leaving.Lock()
	defer g.leaving.Unlock()
	list := g.list.Load()
	if list == nil || g.stopped() {
		return nil
	}
	g.mu.Lock()
	g.self.status = cluster.Draining // nobody is looked for any more
	g.mu.Unlock()
	limit := leaveTimeout
	if deadline, ok := ctx.Deadline(); ok {
		limit = max(min(limit, time.Until(deadline)), time.Millisecond)
	}
	bye := goodbye(g.opts.Name, g.opts.Boot)
	for _, n := range list.Members() {
		if n.Name != g.opts.Name {
			_ = list.SendBestEffort(n, bye) // who misses it logs a death instead
		}
	}
	if err := list.Leave(limit); err != nil {
		g.logger.Info("nobody heard the goodbye: whoever is left finds out by itself", "err", err) // all may be leaving at once
	}
	return nil
}

func (g *Gossip) stopped() bool {
	select {
	case <-g.stop:
		return true
	default:
		return false
	}
}

// Stop ends everything without a goodbye. Idempotent, safe before Start.
func (g *Gossip) Stop(ctx context.Context) error {
	g.stopOnce.Do(func() { close(g.stop) })
	list := g.list.Load()
	if list == nil {
		return nil
	}
	done := make(chan error, 1)
	go func() {
		g.leaving.Lock()
		defer g.leaving.Unlock()
		err := list.Shutdown()
		g.running.Wait()
		g.metrics.unregister()
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("stopping gossip: %w", ctx.Err())
	}
}
