//go:build unix

package load

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/internal/node"
)

// BenchmarkEmbedded is a whole node on its embedded log: positions come in over HTTP from four clients, 1,000 a request, and the clock
// stops when all of them are handled and, with history, in SQLite. CPU is the node's and the clients' together.
func BenchmarkEmbedded(b *testing.B) {
	for _, c := range []struct {
		history string
		steps   int
	}{{"off", 60}, {"all", 20}} {
		b.Run("history "+c.history, func(b *testing.B) {
			vehicles := 10_000
			if testing.Short() {
				vehicles /= 100
			}
			embedded(b, NewFleet(vehicles), c.steps, c.history)
		})
	}
}

func embedded(b *testing.B, fleet *Fleet, steps int, history string) {
	for b.Loop() {
		o := node.DefaultOptions()
		o.HTTPAddr, o.DataDir, o.Demo, o.NodeName, o.History = "127.0.0.1:0", b.TempDir(), "off", "load", history
		n, err := node.Start(b.Context(), o, slog.New(slog.DiscardHandler))
		require.NoError(b, err)
		records := int64(fleet.Vehicles) * int64(steps)
		var clients sync.WaitGroup
		defer clients.Wait()
		for worker := range 4 {
			clients.Go(func() { send(b, n.Addr(), fleet, steps, worker) })
		}
		m := Measure(b.Context(), func() int64 { return settled(b, n.Addr()) }, records/10, records, func() time.Duration { return 0 })
		require.NoError(b, n.Stop(context.Background()))
		b.ReportMetric(m.Rate(), "records/s")
		b.ReportMetric(m.Ceiling(2), "ceiling-records/s")
		b.ReportMetric(m.Starved(), "starved-threads")
		b.ReportMetric(m.PerRecord(m.CPU), "CPU-µs/record")
	}
}

// send posts what a quarter of the fleet sends.
func send(b *testing.B, addr string, fleet *Fleet, steps, worker int) {
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	var body []byte
	lines := 0
	post := func() {
		resp, err := client.Post("http://"+addr+"/api/v1/positions", "application/x-ndjson", bytes.NewReader(body))
		if err != nil {
			b.Error(err)
			return
		}
		answer, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusAccepted {
			b.Errorf("%s: %s", resp.Status, answer)
		}
		body, lines = body[:0], 0
	}
	for step := range steps {
		for v := worker; v < fleet.Vehicles; v += 4 {
			body = append(fleet.Value(body, v, step), '\n')
			if lines++; lines == 1000 {
				post()
			}
		}
	}
	if lines > 0 {
		post()
	}
}

// settled is how many records of the input are handled and, as far as they go into a store, there.
func settled(b *testing.B, addr string) int64 {
	resp, err := http.Get("http://" + addr + "/api/v1/cluster")
	require.NoError(b, err)
	defer resp.Body.Close()
	var state struct {
		Partitions []struct {
			InputOffset int64 `json:"input_offset"`
		}
		Sinks []struct{ Lag int64 }
	}
	require.NoError(b, json.NewDecoder(resp.Body).Decode(&state))
	var n int64
	for _, p := range state.Partitions {
		n += p.InputOffset
	}
	for _, s := range state.Sinks {
		n -= s.Lag
	}
	return n
}
