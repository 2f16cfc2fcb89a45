package node

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/broker"
	"github.com/trackmesh/trackmesh/broker/kafka/dev"
	"github.com/trackmesh/trackmesh/sinks/webhook"
)

func TestAWebhookGetsTheEventsOfAVehicleInOrderAcrossARestart(t *testing.T) {
	t.Parallel()
	got := make(chan string, 100)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Header.Get(webhook.HeaderSignature) == "" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		kind := "other"
		for _, k := range []string{"enter", "exit"} {
			if strings.Contains(string(body), `"type":"`+k+`"`) {
				kind = k
			}
		}
		got <- kind + " " + r.Header.Get(webhook.HeaderEventID)
	}))
	t.Cleanup(receiver.Close)
	o := testOptions(t)
	n, err := Start(context.Background(), o, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	code, answer := n.request(t, http.MethodPut, "/api/v1/webhooks/ops", "application/json", `{"url":"`+receiver.URL+`","filter":{"types":["enter","exit"]}}`)
	require.Equal(t, http.StatusOK, code, answer)
	require.Contains(t, answer, `"secret":"`)
	code, answer = n.request(t, http.MethodPut, "/api/v1/fences/yard?wait=5s", "application/geo+json",
		`{"type":"Feature","geometry":{"type":"Point","coordinates":[-73.98,40.75]},"properties":{"radius_metres":500}}`)
	require.Equal(t, http.StatusOK, code, answer)
	began := time.Now().Add(-time.Minute).UnixMilli()
	at := func(second int64, latitude float64) {
		code, answer := n.request(t, http.MethodPost, "/api/v1/positions", "application/json",
			fmt.Sprintf(`{"vehicle":"v1","time":%d,"longitude":-73.98,"latitude":%.4f}`, began+second*1000, latitude))
		require.Equal(t, http.StatusOK, code, answer)
	}
	at(0, 40.74)
	at(20, 40.75)
	first := <-got
	require.True(t, strings.HasPrefix(first, "enter "), first)
	require.NoError(t, n.Stop(context.Background()))
	n = startNode(t, o)
	at(50, 40.76)
	second := <-got
	require.True(t, strings.HasPrefix(second, "exit "), second)
	_, answer = n.request(t, http.MethodGet, "/api/v1/webhooks/ops", "", "")
	require.NotContains(t, answer, "secret")
	_, answer = n.request(t, http.MethodGet, "/api/v1/cluster", "", "")
	require.Contains(t, answer, `"webhook ops"`)
}

// hookLog notes the events that a receiver acknowledged, by vehicle, each once.
type hookLog struct {
	mu       sync.Mutex
	seen     map[string]bool
	vehicles map[string][]string
	requests int
}

func (h *hookLog) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var e struct{ ID, Vehicle string }
	if json.NewDecoder(r.Body).Decode(&e) != nil || e.ID != r.Header.Get(webhook.HeaderEventID) {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.requests++; h.requests%7 == 0 {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	if !h.seen[e.ID] {
		h.seen[e.ID] = true
		h.vehicles[e.Vehicle] = append(h.vehicles[e.Vehicle], e.ID)
	}
}

func (h *hookLog) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.seen)
}

func TestAWebhookLosesNothingAndKeepsTheOrderWhileNodesComeAndGo(t *testing.T) {
	server, err := dev.Start("127.0.0.1:0", map[string]int32{"positions": 12})
	require.NoError(t, err)
	t.Cleanup(server.Close)
	got := &hookLog{seen: map[string]bool{}, vehicles: map[string][]string{}}
	receiver := httptest.NewServer(got)
	t.Cleanup(receiver.Close)
	c := &testCluster{TB: t, brokers: server.Brokers(), nodes: map[string]*Node{}}
	c.start("a") // the others find it
	c.start("b", "c")
	c.settle("a", "b", "c")
	code, answer := c.nodes["b"].request(t, http.MethodPut, "/api/v1/webhooks/ops", "application/json", `{"url":"`+receiver.URL+`","filter":{"types":["enter","exit"]}}`)
	require.Equal(t, http.StatusOK, code, answer)
	code, answer = c.nodes["a"].request(t, http.MethodPut, "/api/v1/fences/yard?wait=10s", "application/geo+json",
		`{"type":"Feature","geometry":{"type":"Point","coordinates":[-73.98,40.75]},"properties":{"radius_metres":300}}`)
	require.Equal(t, http.StatusOK, code, answer)
	log := c.open()
	start := time.Now().Add(-3 * time.Hour)
	const vehicles, rounds = 24, 60
	for round := range rounds {
		var batch []broker.Record
		for v := range vehicles {
			vehicle := fmt.Sprintf("v%d", v)
			batch = append(batch, broker.Record{
				Stream: broker.Input, Partition: broker.Murmur2([]byte(vehicle), 12), Key: []byte(vehicle),
				Value: fmt.Appendf(nil, `{"vehicle":%q,"time":%d,"longitude":-73.98,"latitude":%f}`, vehicle, start.Add(time.Duration(round)*time.Minute).UnixMilli(), 40.74+0.01*float64(round%2)),
			})
		}
		_, err := log.Produce(t.Context(), batch)
		require.NoError(t, err)
		switch round {
		case rounds / 4:
			c.kill("c")
		case rounds / 2:
			c.settle("a", "b")
			c.start("d")
		case 3 * rounds / 4:
			c.leave("a")
		}
	}
	c.settle("b", "d")
	const want = vehicles * (rounds - 1) // each fix but the first crosses the fence
	require.Eventually(t, func() bool { return got.count() >= want }, 60*time.Second, 20*time.Millisecond, "%d of %d", got.count(), want)
	got.mu.Lock()
	defer got.mu.Unlock()
	require.Len(t, got.seen, want)
	for vehicle, ids := range got.vehicles {
		last := -1
		for _, id := range ids {
			n, err := strconv.Atoi(id[strings.LastIndexByte(id, '-')+1:])
			require.NoError(t, err)
			require.Greater(t, n, last, "%s: %v", vehicle, ids)
			last = n
		}
	}
}
