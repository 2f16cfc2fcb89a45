//go:build real && linux

package cluster

import (
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestDoorsAndCables: what nodes are cut off by really cuts, and heals.
func TestDoorsAndCables(t *testing.T) {
	w, err := newNetwork(2)
	require.NoError(t, err)
	t.Cleanup(w.remove)
	server, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { server.Close() })
	go echo(server)
	d, err := newDoor(w.nodes[0], server.Addr().String())
	require.NoError(t, err)
	t.Cleanup(d.close)
	c, err := w.nodes[0].dial(t.Context(), server.Addr().String())
	require.NoError(t, err)
	says := func(within time.Duration) string {
		buf := make([]byte, 5)
		require.NoError(t, c.SetDeadline(time.Now().Add(within)))
		_, _ = c.Write([]byte("hello"))
		n, _ := io.ReadFull(c, buf)
		return string(buf[:n])
	}
	require.Equal(t, "hello", says(5*time.Second))
	d.set(doorShut)
	require.Empty(t, says(300*time.Millisecond))
	d.set(doorOpen)
	require.Equal(t, "hello", says(5*time.Second), "what was sent meanwhile comes later")
	d.set(doorRefusing)
	_, err = io.Copy(io.Discard, c)
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "the connection is ended")

	l, err := w.nodes[1].listen(w.nodes[1].addr + ":7000")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	go echo(l)
	reach := func() error {
		c, err := within(w.nodes[0], func() (net.Conn, error) {
			return net.DialTimeout("tcp4", w.nodes[1].addr+":7000", 500*time.Millisecond)
		})
		if err == nil {
			err = c.Close()
		}
		return err
	}
	require.NoError(t, reach())
	require.NoError(t, w.nodes[1].cut(true))
	require.Error(t, reach())
	require.NoError(t, w.nodes[1].cut(false))
	require.Eventually(t, func() bool { return reach() == nil }, 5*time.Second, 50*time.Millisecond)
}

func echo(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() { _, _ = io.Copy(c, c); _ = c.Close() }()
	}
}
