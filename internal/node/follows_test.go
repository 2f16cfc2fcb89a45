package node

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/broker"
	"github.com/trackmesh/trackmesh/geo"
)

// fenceEvents are the events of a vehicle in the log, oldest first, as "type fence cause".
func fenceEvents(t *testing.T, n *Node, vehicle string) []string {
	t.Helper()
	var all []string
	for _, r := range committedOf(t, n.log, broker.Events, n.host.Home(vehicle)) {
		var e struct {
			Type, Cause, Vehicle string
			Fence                *struct{ ID string }
		}
		require.NoError(t, json.Unmarshal(r.Value, &e))
		if e.Vehicle == vehicle && e.Fence != nil {
			all = append(all, e.Type+" "+e.Fence.ID+" "+e.Cause)
		}
	}
	return all
}

func TestAFenceFollowsAVehicleOfAnotherPartition(t *testing.T) {
	t.Parallel()
	o := testOptions(t)
	o.Partitions = 2
	n, err := Start(context.Background(), o, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	leader, near := "bus-0", "car-0"
	for i := 0; n.host.Home(near) == n.host.Home(leader); i++ {
		near = fmt.Sprintf("car-%d", i)
	}
	start := time.Now().Add(-10 * time.Minute).UnixMilli()
	drive := func(vehicle string, seconds int64, lat float64) {
		code, answer := n.request(t, http.MethodPost, "/api/v1/positions", "application/json",
			fmt.Sprintf(`{"vehicle":%q,"time":%d,"longitude":-73.98,"latitude":%v}`, vehicle, start+seconds*1000, lat))
		require.Equal(t, http.StatusOK, code, answer)
	}
	until := func(vehicle string, want ...string) {
		require.Eventually(t, func() bool { return slices.Equal(want, fenceEvents(t, n, vehicle)) }, 20*time.Second, 20*time.Millisecond,
			"%v, not %v", want, fenceEvents(t, n, vehicle))
	}
	code, answer := n.request(t, http.MethodPut, "/api/v1/fences/convoy", "application/geo+json",
		`{"type":"Feature","geometry":{"type":"Point","coordinates":[0,0]},"properties":{"radius_metres":500,"follows":"bus-0"}}`)
	require.Equal(t, http.StatusOK, code, answer)
	var put struct{ Version int64 }
	require.NoError(t, json.Unmarshal([]byte(answer), &put))

	drive(near, 0, 40.75)
	drive(leader, 0, 40.751)
	until(near, "enter convoy fence_changed")
	drive(near, 30, 40.76) // a kilometre off
	until(near, "enter convoy fence_changed", "exit convoy fix")
	drive(leader, 60, 40.762)
	until(near, "enter convoy fence_changed", "exit convoy fix", "enter convoy fence_changed")
	require.Empty(t, fenceEvents(t, n, leader), "the vehicle itself is neither in nor out")

	f, ok := n.board.Current().Get("convoy")
	require.True(t, ok)
	require.Greater(t, f.Version, put.Version)
	require.Equal(t, put.Version, f.Edited)

	require.NoError(t, n.Stop(context.Background()))
	n = startNode(t, o)
	drive(leader, 90, 40.78) // it goes away while the other one says nothing
	until(near, "enter convoy fence_changed", "exit convoy fix", "enter convoy fence_changed", "exit convoy fence_changed")
	drive(leader, 150, 40.762)
	until(near, "enter convoy fence_changed", "exit convoy fix", "enter convoy fence_changed", "exit convoy fence_changed", "enter convoy fence_changed")
	code, answer = n.request(t, http.MethodPost, "/api/v1/tracks/"+leader+"/messages", "application/json", `{"forget":{}}`)
	require.Equal(t, http.StatusAccepted, code, answer)
	until(near, "enter convoy fence_changed", "exit convoy fix", "enter convoy fence_changed", "exit convoy fence_changed", "enter convoy fence_changed",
		"exit convoy fence_changed")
}

func TestAMoveIsNoEdit(t *testing.T) {
	t.Parallel()
	o := testOptions(t)
	n := startNode(t, o)
	feature := `{"type":"Feature","geometry":{"type":"Point","coordinates":[0,0]},"properties":{"radius_metres":%d,"follows":"bus-0"}}`
	first, err := n.board.Put(context.Background(), "convoy", fmt.Appendf(nil, feature, 500), nil)
	require.NoError(t, err)
	n.request(t, http.MethodPost, "/api/v1/positions", "application/json", fmt.Sprintf(`{"vehicle":"bus-0","time":%d,"longitude":-73.98,"latitude":40.75}`, time.Now().UnixMilli()))
	require.Eventually(t, func() bool {
		f, ok := n.board.Current().Get("convoy")
		return ok && f.Version > first
	}, 20*time.Second, 5*time.Millisecond)
	second, err := n.board.Put(context.Background(), "convoy", fmt.Appendf(nil, feature, 600), &first)
	require.NoError(t, err, "the vehicle moved, nobody edited")
	f, _ := n.board.Current().Get("convoy")
	require.Equal(t, second, f.Edited)
	require.InDelta(t, 600, f.RadiusMetres, 0)
	require.True(t, f.Contains(geo.Point{Lon: -73.98, Lat: 40.75}), "it stays where the vehicle is")
	_, err = n.board.Put(context.Background(), "convoy", fmt.Appendf(nil, feature, 700), &first)
	require.Error(t, err, "somebody edited")
	_, err = n.board.Delete(context.Background(), "convoy", nil)
	require.NoError(t, err)
	require.False(t, n.board.Current().HasFollowers())
}
