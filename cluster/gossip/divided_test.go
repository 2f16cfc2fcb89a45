package gossip

import (
	"errors"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"
	"github.com/stretchr/testify/require"
)

// cut is a network in which nodes can be kept apart, by their ports.
type cut struct {
	mu    sync.Mutex
	sides map[string]int // by address; those without one hear everybody
}

func (c *cut) divide(sides map[string]int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sides = sides
}

func (c *cut) apart(a, b string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	x, ok := c.sides[a]
	y, ok2 := c.sides[b]
	return ok && ok2 && x != y
}

type wire struct {
	memberlist.NodeAwareTransport
	cut  *cut
	self string
}

func (c *cut) wrap(n memberlist.NodeAwareTransport) memberlist.NodeAwareTransport {
	ip, port, err := n.FinalAdvertiseAddr("127.0.0.1", n.(*memberlist.NetTransport).GetAutoBindPort())
	if err != nil {
		panic(err)
	}
	return &wire{n, c, net.JoinHostPort(ip.String(), strconv.Itoa(port))}
}

func (w *wire) WriteToAddress(b []byte, a memberlist.Address) (time.Time, error) {
	if w.cut.apart(w.self, a.Addr) {
		return time.Now(), nil
	}
	return w.NodeAwareTransport.WriteToAddress(b, a)
}

func (w *wire) WriteTo(b []byte, addr string) (time.Time, error) {
	return w.WriteToAddress(b, memberlist.Address{Addr: addr})
}

var errCut = errors.New("cut")

func (w *wire) DialAddressTimeout(a memberlist.Address, d time.Duration) (net.Conn, error) {
	if w.cut.apart(w.self, a.Addr) {
		return nil, errCut
	}
	return w.NodeAwareTransport.DialAddressTimeout(a, d)
}

func (w *wire) DialTimeout(addr string, d time.Duration) (net.Conn, error) {
	return w.DialAddressTimeout(memberlist.Address{Addr: addr}, d)
}

func TestADividedClusterHealsByItself(t *testing.T) {
	t.Parallel()
	network := &cut{}
	var nodes []*node
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		n := start(t, Options{Name: name, wrap: network.wrap})
		if len(nodes) > 0 {
			require.NoError(t, n.Join(t.Context(), []string{nodes[0].Addr()}))
		}
		nodes = append(nodes, n)
	}
	for _, n := range nodes {
		eventuallySees(t, n, "a", "b", "c", "d", "e")
	}
	sides := map[string]int{}
	for i, n := range nodes {
		sides[n.Addr()] = min(i/3, 1)
	}
	network.divide(sides)
	for i, n := range nodes {
		if i < 3 {
			eventuallySees(t, n, "a", "b", "c")
		} else {
			eventuallySees(t, n, "d", "e")
		}
	}
	require.Error(t, nodes[0].Ping(t.Context(), "d"))
	require.Error(t, nodes[3].Join(t.Context(), []string{nodes[0].Addr()}))
	network.divide(nil)
	for _, n := range nodes { // gossip to the dead makes both sides meet; if not, re-seeding does
		eventuallySees(t, n, "a", "b", "c", "d", "e")
	}
}
