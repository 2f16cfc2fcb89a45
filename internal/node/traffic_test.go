package node

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"github.com/trackmesh/trackmesh/broker"
)

// traffic writes a fix of every vehicle a second, as they wander over a degree, until ctx ends.
func traffic(ctx context.Context, log broker.Log, vehicles int) error {
	r := rand.New(rand.NewPCG(1, 1))
	lat := make([]float64, vehicles)
	for i := range lat {
		lat[i] = 40 + r.Float64()
	}
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	partitions := log.Layout().Partitions
	for {
		now := time.Now().UnixMilli()
		records := make([]broker.Record, vehicles)
		for i := range records {
			lat[i] += (r.Float64() - 0.5) * 0.0005
			vehicle := fmt.Sprintf("car-%d", i)
			records[i] = broker.Record{
				Stream: broker.Input, Partition: broker.Murmur2([]byte(vehicle), partitions), Key: []byte(vehicle), Timestamp: now,
				Value: fmt.Appendf(nil, `{"vehicle":%q,"time":%d,"longitude":-73.98,"latitude":%.6f}`, vehicle, now, lat[i]),
			}
		}
		if _, err := log.Produce(ctx, records); err != nil && ctx.Err() == nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// importMany sends fences of 16 vertices about the vehicles' way, and waits until they are live.
func importMany(ctx context.Context, n *Node, fences int) error {
	body, out := io.Pipe()
	go func() {
		r := rand.New(rand.NewPCG(2, 2))
		var line bytes.Buffer
		for i := range fences {
			line.Reset()
			lon, lat := -73.98+(r.Float64()-0.5)*20, 30+20*r.Float64()
			fmt.Fprintf(&line, `{"type":"Feature","id":"fence-%d","properties":{},"geometry":{"type":"Polygon","coordinates":[[`, i)
			for v := range 17 {
				if v > 0 {
					line.WriteByte(',')
				}
				p := [16][2]float64{{0, 0}, {1, 0}, {2, 0}, {3, 0}, {4, 0}, {4, 1}, {4, 2}, {4, 3}, {4, 4}, {3, 4}, {2, 4}, {1, 4}, {0, 4}, {0, 3}, {0, 2}, {0, 1}}[v%16]
				fmt.Fprintf(&line, "[%.6f,%.6f]", lon+p[0]*0.002, lat+p[1]*0.002)
			}
			line.WriteString("]]}}\n")
			if _, err := out.Write(line.Bytes()); err != nil {
				return // the request's end says why
			}
		}
		_ = out.Close()
	}()
	defer func() { _ = body.Close() }()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+n.Addr()+"/api/v1/fences/import?wait=60s", body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	var answer struct {
		Stored int
		Live   bool
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return err
	}
	if answer.Stored != fences || !answer.Live {
		return errors.New(fmt.Sprint("not all is stored and live: ", answer))
	}
	return nil
}

// BenchmarkImportUnderTraffic is a large import while 10,000 vehicles send a fix a second.
func BenchmarkImportUnderTraffic(b *testing.B) {
	vehicles, fences := 10_000, 1_000_000
	if testing.Short() {
		vehicles, fences = 500, 2000
	}
	for b.Loop() {
		pause, took := importUnderTraffic(b, vehicles, fences)
		b.ReportMetric(pause.Seconds()*1000, "ms-longest-pause")
		b.ReportMetric(took.Seconds(), "s/import")
	}
}
