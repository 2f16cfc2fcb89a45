package api

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trackmesh/trackmesh/broker"
	"github.com/trackmesh/trackmesh/live"
)

func newBenchServer(b *testing.B, log Log, fleet *live.Fleet) *Server {
	b.Helper()
	registry := prometheus.NewRegistry()
	home := func(v string) int32 { return broker.Murmur2([]byte(v), 4) }
	s, err := New(Options{
		Node: "n1", Live: LocalLive{Fleet: fleet, Home: home}, Paths: &fakePaths{}, Messages: &fakeMessages{}, Fences: newFakeFences(), Webhooks: &fakeWebhooks{all: map[string]Webhook{}}, Log: log,
		Split: splitLines, Partitioner: broker.Murmur2, Cluster: fakeCluster{}, Ready: &fakeReady{}, Logger: slog.New(slog.DiscardHandler),
		Registerer: registry, Gatherer: registry,
	})
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// BenchmarkIngest takes requests of 5,000 lines of 120 B. The splitter is the tests' own (encoding/json), which costs most of it.
func BenchmarkIngest(b *testing.B) {
	var body strings.Builder
	const lines = 5000
	for i := range lines {
		fmt.Fprintf(&body, `{"vehicle":"taxi-%04d","time":"2026-01-02T03:04:05.000Z","longitude":-73.98%04d,"latitude":40.75%04d,"speed":8.25}`+"\n", i%1000, i, i)
	}
	log := newMemoryLog(4)
	s := newBenchServer(b, log, live.NewFleet(4))
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, "/api/v1/positions", strings.NewReader(body.String()))
		r.Header.Set("Content-Type", "application/x-ndjson")
		s.Handler().ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			b.Fatal(w.Body)
		}
		log.records[broker.Input] = make([][]broker.Record, 4)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*lines), "ns/line")
}

// BenchmarkSearchAnswer answers with 1,000 tracks of 20,000, as GeoJSON.
func BenchmarkSearchAnswer(b *testing.B) {
	fleet := live.NewFleet(4)
	for p := range int32(4) {
		var changes []live.Change
		for i := range 5000 {
			v := cab(fmt.Sprintf("v%d-%d", p, i), float64(i%100), float64(i/100))
			changes = append(changes, live.Change{Vehicle: v.Vehicle, View: v})
		}
		fleet.Open(p).Apply(changes)
	}
	s := newBenchServer(b, newMemoryLog(4), fleet)
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/v1/tracks?bbox=0,0,180,90&limit=1000", nil))
		if w.Code != http.StatusOK {
			b.Fatal(w.Body)
		}
	}
}

// BenchmarkFanOut counts what one event costs for each of 1,000 subscribers who take it.
func BenchmarkFanOut(b *testing.B) {
	log := newMemoryLog(4)
	s := newBenchServer(b, log, live.NewFleet(4))
	s.tail.reset(cursor{0, 0, 0, 0})
	subscribers := make([]*subscriber, 1000)
	for i := range subscribers {
		subscribers[i] = &subscriber{s: s, at: cursor{0, 0, 0, 0}, out: newEventWriter(httptest.NewRecorder(), s)}
	}
	value := []byte(`{"id":"11223344-0-1","type":"enter","cause":"fix","@timestamp":"2026-01-02T03:04:05.000Z","vehicle":"cab","location":[-73.98,40.75],"fence":{"id":"jfk"}}`)
	b.ReportAllocs()
	offset := int64(0)
	for b.Loop() {
		s.tail.append([]broker.Fetch{{Partition: 1, Next: offset + 1, Records: []broker.Record{{Partition: 1, Offset: offset, Value: value}}}})
		offset++
		for _, u := range subscribers {
			w := s.tail.since(u.at, u.number)
			u.number = w.next
			for _, e := range w.events {
				if err := u.send(e); err != nil {
					b.Fatal(err)
				}
			}
			out := u.out.(*eventWriter)
			out.buf = out.buf[:0]
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(subscribers)), "ns/delivery")
}
