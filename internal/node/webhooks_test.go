package node

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

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
