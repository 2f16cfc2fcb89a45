package node

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/broker"
)

// post sends positions of one vehicle: seconds after a start, and latitude.
func post(t *testing.T, n *Node, vehicle string, start int64, fixes ...[2]float64) {
	t.Helper()
	var body strings.Builder
	for _, f := range fixes {
		fmt.Fprintf(&body, `{"vehicle":%q,"time":%d,"longitude":-73.98,"latitude":%.5f}`+"\n", vehicle, start+int64(f[0]*1000), f[1])
	}
	code, answer := n.request(t, http.MethodPost, "/api/v1/positions", "application/x-ndjson", body.String())
	require.Equal(t, http.StatusOK, code, answer)
}

func TestInFencesStoresWhatIsInsideAFence(t *testing.T) {
	t.Parallel()
	o := testOptions(t)
	o.Partitions, o.History = 1, "in-fences"
	n := startNode(t, o)
	n.request(t, http.MethodPut, "/api/v1/fences/yard?wait=5s", "application/geo+json",
		`{"type":"Feature","geometry":{"type":"Point","coordinates":[-73.98,40.75]},"properties":{"radius_metres":500}}`)
	start := time.Now().Add(-10 * time.Minute).UnixMilli()
	post(t, n, "v1", start,
		[2]float64{0, 40.76},  // outside
		[2]float64{20, 40.75}, // inside
		[2]float64{30, 40.752},
		[2]float64{25, 40.751}, // late, inside at its own place
		[2]float64{26, 40.76},  // late, outside
		[2]float64{50, 40.76},  // outside again
		[2]float64{51, 40.75},  // a jump, inside at its own place
	)
	require.Eventually(t, func() bool { return n.host.Status()[0].Committed == 7 }, 20*time.Second, 5*time.Millisecond)
	var stored []string
	for _, r := range committed(t, n.log, broker.Enriched) {
		var d struct {
			Flags  []string
			Source struct{ Offset int64 }
		}
		require.NoError(t, json.Unmarshal(r.Value, &d))
		stored = append(stored, fmt.Sprint(d.Source.Offset, d.Flags))
	}
	require.Equal(t, []string{"1 []", "2 []", "3 [late]", "6 [jump]"}, stored)
	_, metrics := n.request(t, http.MethodGet, "/metrics", "", "")
	require.Regexp(t, `trackmesh_records_total\{[^}]*outcome="filtered"[^}]*\} 3`, metrics)
}

func TestMessagesAreAppliedOnceAndOutliveARestart(t *testing.T) {
	t.Parallel()
	o := testOptions(t)
	n, err := Start(context.Background(), o, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	start := time.Now().Add(-10 * time.Minute).UnixMilli()
	post(t, n, "v1", start, [2]float64{0, 40.75}, [2]float64{30, 40.76})
	view := func() (v struct {
		Odometer   float64           `json:"odometer_metres"`
		Attributes map[string]string `json:"attributes"`
	},
	) {
		_, answer := n.request(t, http.MethodGet, "/api/v1/tracks/v1", "", "")
		_ = json.Unmarshal([]byte(answer), &v) // not there yet: zero
		return v
	}
	require.Eventually(t, func() bool { return view().Odometer > 1000 }, 20*time.Second, 5*time.Millisecond)
	send := func(key, body string) {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "http://"+n.Addr()+"/api/v1/tracks/v1/messages?wait=10s", strings.NewReader(body))
		require.NoError(t, err)
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Idempotency-Key", key)
		resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusOK, resp.StatusCode, "applied within the wait")
	}
	send("1", `{"annotate":{"driver":"Ann"}}`)
	send("2", `{"reset_odometer":{}}`)
	require.Eventually(t, func() bool { return view().Odometer == 0 && view().Attributes["driver"] == "Ann" }, 20*time.Second, 5*time.Millisecond)
	post(t, n, "v1", start, [2]float64{60, 40.77})
	require.Eventually(t, func() bool { return view().Odometer > 1000 }, 20*time.Second, 5*time.Millisecond)
	require.NoError(t, n.Stop(context.Background()))

	n = startNode(t, o)
	require.Eventually(t, func() bool { return view().Odometer > 1000 }, 20*time.Second, 5*time.Millisecond)
	send("2", `{"reset_odometer":{}}`) // repeated: it was applied in the life before
	send("3", `{"configure":{"stop_after_seconds":10}}`)
	require.Greater(t, view().Odometer, 1000.0)
	require.Equal(t, "Ann", view().Attributes["driver"])
	post(t, n, "v1", start, [2]float64{70, 40.77}, [2]float64{75, 40.77}, [2]float64{90, 40.77})
	require.Eventually(t, func() bool {
		_, answer := n.request(t, http.MethodGet, "/api/v1/tracks/v1/stops", "", "")
		return strings.Contains(answer, `"open":true`)
	}, 20*time.Second, 20*time.Millisecond, "ten seconds are enough for this one")
	send("4", `{"forget":{}}`)
	require.Eventually(t, func() bool {
		code, _ := n.request(t, http.MethodGet, "/api/v1/tracks/v1", "", "")
		return code == http.StatusNotFound
	}, 20*time.Second, 20*time.Millisecond)
}

func TestTripsAndStopsAreListed(t *testing.T) {
	t.Parallel()
	n := startNode(t, testOptions(t))
	start := time.Now().Add(-time.Hour).UnixMilli()
	var fixes [][2]float64
	at, seconds := 40.75, 0.0
	park := func() {
		for range 10 {
			fixes, seconds = append(fixes, [2]float64{seconds, at}), seconds+10
		}
	}
	drive := func() {
		for range 20 {
			at += 0.001
			fixes, seconds = append(fixes, [2]float64{seconds, at}), seconds+10
		}
	}
	park()
	drive()
	park()
	drive()
	post(t, n, "v1", start, fixes...)
	type list struct {
		Trips, Stops []struct {
			Open     bool    `json:"open"`
			Distance float64 `json:"distance_metres"`
			Duration float64 `json:"duration_seconds"`
		}
	}
	ask := func(what string) (l list) {
		_, answer := n.request(t, http.MethodGet, "/api/v1/tracks/v1/"+what, "", "")
		_ = json.Unmarshal([]byte(answer), &l) // not there yet: empty
		return l
	}
	require.Eventually(t, func() bool { return len(ask("trips").Trips) == 2 && len(ask("stops").Stops) == 2 }, 20*time.Second, 20*time.Millisecond)
	trips, stops := ask("trips").Trips, ask("stops").Stops
	require.True(t, trips[0].Open, "newest first: it goes on")
	require.False(t, trips[1].Open)
	require.InDelta(t, 19*111.05, trips[1].Distance, 5)
	require.InDelta(t, 190, trips[1].Duration, 0.001)
	require.InDelta(t, 110, stops[0].Duration, 20)
	_, answer := n.request(t, http.MethodGet, "/api/v1/tracks/v1/path", "", "")
	require.Equal(t, len(fixes), strings.Count(answer, "[-73.98,"), "in memory and in history, each once")
}

// TestAnImportUnderMovingVehiclesDoesNotHoldUpCommits is the large import of the benchmark, small.
func TestAnImportUnderMovingVehiclesDoesNotHoldUpCommits(t *testing.T) {
	t.Parallel()
	pause, _ := importUnderTraffic(t, 500, 3000)
	require.Less(t, pause, 3*time.Second)
}

// importUnderTraffic imports fences while vehicles move, and says what the longest time was in which no partition committed anything, and
// how long the import took until every partition worked with it.
func importUnderTraffic(t testing.TB, vehicles, fences int) (pause, took time.Duration) {
	t.Helper()
	o := DefaultOptions()
	o.HTTPAddr, o.DataDir, o.Demo, o.NodeName, o.Partitions, o.History = "127.0.0.1:0", t.TempDir(), "off", "test", 2, "off"
	n, err := Start(context.Background(), o, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer func() { require.NoError(t, n.Stop(context.Background())) }()

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	driven := make(chan error, 1)
	go func() { driven <- traffic(ctx, n.log, vehicles) }()
	committed := func() (sum int64) {
		for _, s := range n.host.Status() {
			sum += s.Committed
		}
		return sum
	}
	require.Eventually(t, func() bool { return committed() > int64(vehicles) }, 60*time.Second, 5*time.Millisecond)

	imported := make(chan error, 1)
	started := time.Now()
	go func() { imported <- importMany(ctx, n, fences) }()
	last, at := committed(), time.Now()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for done := false; !done; {
		select {
		case err := <-imported:
			require.NoError(t, err)
			done = true
		case <-ticker.C:
		}
		if now := committed(); now != last {
			last, at = now, time.Now()
		}
		pause = max(pause, time.Since(at))
	}
	took = time.Since(started)
	require.Equal(t, fences, n.board.Current().Len())
	cancel()
	require.NoError(t, <-driven)
	return pause, took
}
