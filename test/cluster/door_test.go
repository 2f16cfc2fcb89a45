//go:build real && linux

package cluster

import (
	"net"
	"sync"
	"time"
)

// door lets a node's connections through to a server outside its namespace, under the server's own address. While the server does
// not listen the door does not either, so that a dead server looks dead.
//
//	open ──shut──> shut (nothing gets through in either direction, what was sent meanwhile comes later)
//	  ^──open───────┘
//	open ──refuse──> refusing (connections end, and new ones too) ──open──> open
type door struct {
	space *namespace
	to    string

	mu       sync.Mutex
	changed  *sync.Cond
	state    doorState
	closed   bool
	listener net.Listener // nil: nobody listens
	inside   map[net.Conn]bool
	busy     sync.WaitGroup
	end      chan struct{}
}

type doorState int

const (
	doorOpen doorState = iota
	doorShut
	doorRefusing
)

// newDoor listens at addr within the namespace and carries to the same address outside.
func newDoor(n *namespace, addr string) (*door, error) {
	d := &door{space: n, to: addr, inside: map[net.Conn]bool{}, end: make(chan struct{})}
	d.changed = sync.NewCond(&d.mu)
	if err := d.listen(); err != nil {
		return nil, err
	}
	d.busy.Go(d.attend)
	return d, nil
}

// attend listens when the server does, again and again.
func (d *door) attend() {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-d.end:
			return
		case <-ticker.C:
		}
		d.mu.Lock()
		missing := d.listener == nil && d.state != doorRefusing
		d.mu.Unlock()
		if !missing {
			continue
		}
		if c, err := net.Dial("tcp4", d.to); err == nil {
			_ = c.Close()
			_ = d.listen() // the next tick tries again
		}
	}
}

func (d *door) listen() error {
	l, err := d.space.listen(d.to)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return l.Close()
	}
	d.listener = l
	d.busy.Go(func() { d.accept(l) })
	return nil
}

func (d *door) set(s doorState) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.state = s
	if s == doorRefusing {
		d.deafen()
		d.hangUp()
	}
	d.changed.Broadcast()
}

// deafen is called with the lock.
func (d *door) deafen() {
	if d.listener != nil {
		_ = d.listener.Close()
		d.listener = nil
	}
}

// hangUp is called with the lock.
func (d *door) hangUp() {
	for c := range d.inside {
		_ = c.Close()
	}
	clear(d.inside)
}

func (d *door) close() {
	d.mu.Lock()
	if !d.closed {
		close(d.end)
	}
	d.closed = true
	d.deafen()
	d.hangUp()
	d.changed.Broadcast()
	d.mu.Unlock()
	d.busy.Wait()
}

// pass waits while the door is shut and reports whether bytes may go on.
func (d *door) pass() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for d.state == doorShut && !d.closed {
		d.changed.Wait()
	}
	return d.state == doorOpen && !d.closed
}

// keep notes a connection, to be ended with the door.
func (d *door) keep(c net.Conn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed || d.state == doorRefusing {
		_ = c.Close()
		return false
	}
	d.inside[c] = true
	return true
}

func (d *door) forget(c net.Conn) {
	_ = c.Close()
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.inside, c)
}

func (d *door) accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		if d.keep(c) {
			d.busy.Go(func() { d.carry(c) })
		}
	}
}

func (d *door) carry(node net.Conn) {
	defer d.forget(node)
	if !d.pass() {
		return
	}
	server, err := net.Dial("tcp4", d.to)
	if err != nil {
		d.mu.Lock()
		d.deafen()
		d.mu.Unlock()
		return
	}
	if !d.keep(server) {
		return
	}
	defer d.forget(server)
	var both sync.WaitGroup
	both.Add(2)
	go func() { defer both.Done(); d.copy(server, node) }()
	go func() { defer both.Done(); d.copy(node, server) }()
	both.Wait()
}

// copy carries one direction until either side ends.
func (d *door) copy(to, from net.Conn) {
	defer func() { _ = to.Close(); _ = from.Close() }()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if !d.pass() {
				return
			}
			if _, werr := to.Write(buf[:n]); werr != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
