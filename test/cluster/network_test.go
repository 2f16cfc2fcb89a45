//go:build real && linux

package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// network is a bridge with one namespace a node behind it.
type network struct {
	name  string // of the bridge; prefix of everything else
	nodes []*namespace
}

// namespace is a node's network: lo, and eth0 with a cable to the bridge.
type namespace struct {
	name, cable string
	addr        string // of eth0
	work        chan func()
}

// newNetwork makes it; whoever calls it calls remove.
func newNetwork(nodes int) (*network, error) {
	w := &network{name: fmt.Sprintf("tm%d", os.Getpid())}
	sweep()
	// An address range of this process alone: tests of others may run at the same time.
	subnet := fmt.Sprintf("10.%d.%d", 200+os.Getpid()%50, os.Getpid()/50%250)
	err := ip("link", "add", w.name, "type", "bridge")
	if err == nil {
		err = ip("link", "set", w.name, "up")
	}
	for i := 0; i < nodes && err == nil; i++ {
		n := &namespace{name: fmt.Sprintf("%s-%d", w.name, i), cable: fmt.Sprintf("%sv%d", w.name, i), addr: fmt.Sprintf("%s.%d", subnet, i+1)}
		w.nodes = append(w.nodes, n)
		err = n.add(w.name)
	}
	if err != nil {
		w.remove()
		return nil, fmt.Errorf("making networks (this needs root): %w", err)
	}
	return w, nil
}

func (n *namespace) add(bridge string) error {
	for _, args := range []string{
		"netns add " + n.name,
		"link add " + n.cable + " type veth peer name eth0 netns " + n.name,
		"link set " + n.cable + " master " + bridge + " up",
		"-n " + n.name + " link set lo up",
		"-n " + n.name + " addr add " + n.addr + "/24 dev eth0",
		"-n " + n.name + " link set eth0 up",
	} {
		if err := ip(strings.Fields(args)...); err != nil {
			return err
		}
	}
	return n.inside()
}

func ip(args ...string) error {
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}

// remove takes everything away. What is not there is fine.
func (w *network) remove() {
	for _, n := range w.nodes {
		if n.work != nil {
			close(n.work)
			n.work = nil
		}
	}
	_ = ip("link", "del", w.name)
	for i := range 20 {
		_ = ip("netns", "del", fmt.Sprintf("%s-%d", w.name, i))
		_ = ip("link", "del", fmt.Sprintf("%sv%d", w.name, i))
	}
}

// sweep removes what test binaries that were killed left behind.
func sweep() {
	left, _ := filepath.Glob("/var/run/netns/tm*-0")
	for _, file := range left {
		name := strings.TrimSuffix(filepath.Base(file), "-0")
		if _, err := os.Stat("/proc/" + strings.TrimPrefix(name, "tm")); errors.Is(err, fs.ErrNotExist) {
			(&network{name: name}).remove()
		}
	}
}

// cut pulls the cable to the other nodes, or plugs it in again.
func (n *namespace) cut(out bool) error {
	state := "up"
	if out {
		state = "down"
	}
	return ip("link", "set", n.cable, state)
}

// inside is a goroutine whose thread stays in the namespace for as long as the network is there. (A thread of its own for each
// call would end with it, and with it all processes that this thread had started before: Pdeathsig means the thread.)
func (n *namespace) inside() error {
	n.work = make(chan func())
	entered := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked
		f, err := os.Open("/var/run/netns/" + n.name)
		if err == nil {
			err = errors.Join(unix.Setns(int(f.Fd()), unix.CLONE_NEWNET), f.Close()) //nolint:gosec // a small number
		}
		entered <- err
		for do := range n.work {
			do()
		}
	}()
	return <-entered
}

// within runs do in the namespace. Sockets that it makes stay there, whoever uses them.
func within[T any](n *namespace, do func() (T, error)) (value T, err error) {
	done := make(chan struct{})
	n.work <- func() {
		value, err = do()
		close(done)
	}
	<-done
	return value, err
}

func (n *namespace) listen(addr string) (net.Listener, error) {
	return within(n, func() (net.Listener, error) { return net.Listen("tcp4", addr) })
}

func (n *namespace) dial(ctx context.Context, addr string) (net.Conn, error) {
	return within(n, func() (net.Conn, error) { return new(net.Dialer).DialContext(ctx, "tcp4", addr) })
}
