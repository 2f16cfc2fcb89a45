package node

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/broker/kafka/dev"
	"github.com/trackmesh/trackmesh/client"
)

// TestAnyNodeAnswersForTheWholeCluster asks each of three nodes about vehicles, places, messages and fences, before and after one of
// them leaves.
func TestAnyNodeAnswersForTheWholeCluster(t *testing.T) {
	server, err := dev.Start("127.0.0.1:0", map[string]int32{"positions": 12})
	require.NoError(t, err)
	t.Cleanup(server.Close)
	c := &testCluster{TB: t, brokers: server.Brokers(), nodes: map[string]*Node{}}
	c.start("a")
	c.start("b", "c")
	c.settle("a", "b", "c")
	const vehicles = 30
	var body []byte
	for i := range vehicles {
		body = fmt.Appendf(body, `{"vehicle":"v-%d","time":"2026-03-01T12:00:00Z","longitude":%f,"latitude":40.7}`+"\n", i, -74+float64(i)/1000)
	}
	status, answer := c.nodes["a"].request(t, http.MethodPost, "/api/v1/positions", "application/x-ndjson", string(body))
	require.Equal(t, http.StatusOK, status, answer)
	c.asksEverybody(vehicles)
	c.leave("b")
	c.settle("a", "c")
	c.asksEverybody(vehicles)
}

// asksEverybody holds the answers of every node against what there is.
func (c *testCluster) asksEverybody(vehicles int) {
	c.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for name, n := range c.nodes {
		require.Eventually(c, func() bool { return c.finds(n) == vehicles }, 20*time.Second, 20*time.Millisecond, name)
		mesh, err := client.Dial(ctx, "http://"+n.Addr())
		require.NoError(c, err)
		for i := range vehicles {
			state, err := mesh.Track(fmt.Sprintf("v-%d", i)).Get(ctx)
			require.NoError(c, err, name)
			require.Contains(c, c.nodes, state.Node)
		}
		receipt, err := mesh.Track("v-1").Send(ctx, client.Annotate{"asked": name}, client.SendOptions{Wait: 20 * time.Second})
		require.NoError(c, err)
		require.True(c, receipt.Applied, name)
		near, err := mesh.Search(ctx, client.Query{Near: &client.Near{Place: client.Point{Longitude: -74, Latitude: 40.7}, K: 3}})
		require.NoError(c, err)
		require.Empty(c, near.Missing)
		for i, f := range near.Found {
			require.Equal(c, fmt.Sprintf("v-%d", i), f.Vehicle)
		}
		way, err := mesh.Track("v-2").Path(ctx, client.PathQuery{})
		require.NoError(c, err)
		require.Len(c, way.Fixes, 1)
		feature := `{"type":"Feature","properties":{},"geometry":{"type":"Polygon","coordinates":[[[-75,40],[-73,40],[-73,41],[-75,40]]]}}`
		status, answer := n.request(c, http.MethodPut, "/api/v1/fences/of-"+name+"?wait=10s", "application/geo+json", feature)
		require.Contains(c, []int{http.StatusOK, http.StatusCreated}, status, answer)
		for other, m := range c.nodes {
			status, answer := m.request(c, http.MethodGet, "/api/v1/fences/of-"+name, "", "")
			require.Equal(c, http.StatusOK, status, "%s: %s", other, answer)
		}
		mesh.Close()
	}
}

// finds is how many vehicles a node finds everywhere, 0 when partitions are missing.
func (c *testCluster) finds(n *Node) int {
	status, answer := n.request(c, http.MethodGet, "/api/v1/tracks?bbox="+url.QueryEscape("-75,40,-73,41"), "", "")
	require.Equal(c, http.StatusOK, status, answer)
	var found struct {
		Features   []json.RawMessage `json:"features"`
		Partitions struct {
			Missing []int32 `json:"missing"`
		} `json:"partitions"`
	}
	require.NoError(c, json.Unmarshal([]byte(answer), &found))
	if len(found.Partitions.Missing) > 0 {
		return 0
	}
	return len(found.Features)
}
