package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestWatchGoesOnWithTheMembersWhenTheNodeThatItAsksDies: the second node is known from the first one's answer alone.
func TestWatchGoesOnWithTheMembersWhenTheNodeThatItAsksDies(t *testing.T) {
	t.Parallel()
	body := func(address, owner string, term string) string {
		return `{"node":"x","version":"v","log":"kafka","topic":"positions","members":[{"name":"two","address":"` + address + `","state":"alive"}],` +
			`"partitions":[{"partition":0,"owner":"` + owner + `","term":` + term + `,"state":"running"}]}`
	}
	two := newScripted(t)
	address := strings.TrimPrefix(two.URL, "http://")
	two.on("GET /api/v1/cluster", ok(body(address, "two", "6")))
	one := newScripted(t).on("GET /api/v1/cluster", ok(body(address, "one", "5")), problem(503, `{"status":503,"title":"stopping"}`))
	got := call(t, one.URL, "", "cluster", "watch", "--count", "2", "--every", "100ms")
	require.Equal(t, 0, got.code, got.err)
	require.Contains(t, got.out, "partition 0: one to two, term 6")
	require.Empty(t, got.err)
}

func TestWatchTakesSeveralServers(t *testing.T) {
	t.Parallel()
	node := newScripted(t).on("GET /api/v1/cluster", ok(clusterBody))
	got := call(t, "http://127.0.0.1:1,"+node.URL, "", "cluster", "watch", "--count", "1")
	require.Equal(t, 0, got.code, got.err)
	require.Contains(t, got.out, "answered by  one")
	got = call(t, "http://127.0.0.1:1,http://127.0.0.1:2", "", "cluster", "watch", "--count", "1")
	require.Equal(t, 1, got.code)
	require.Contains(t, got.err, "nobody listens at http://127.0.0.1:2")
	require.Equal(t, 2, call(t, "http://127.0.0.1:1,ftp://x", "", "cluster", "watch").code)
}

func TestWatchOnATerminalIsRefreshedInPlace(t *testing.T) {
	t.Parallel()
	node := newScripted(t).on("GET /api/v1/cluster", ok(clusterBody))
	var out, errOut bytes.Buffer
	a := &app{out: &out, err: &errOut, outTerminal: true, now: func() time.Time { return noon }}
	require.Equal(t, 0, run(t.Context(), a, []string{"--server", node.URL, "cluster", "watch", "--count", "2", "--every", "100ms"}))
	require.Equal(t, 2, strings.Count(out.String(), "\x1b[H"))
	require.NotContains(t, out.String(), "\x1b[2J", "a cleared screen flickers")
	require.True(t, strings.HasSuffix(out.String(), "\x1b[J"), "what an earlier, longer text left is cleared")
}
