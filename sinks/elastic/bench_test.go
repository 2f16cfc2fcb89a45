package elastic

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/broker"
	"github.com/trackmesh/trackmesh/geo"
	"github.com/trackmesh/trackmesh/sinks"
	"github.com/trackmesh/trackmesh/track"
)

// benchDocuments are n documents as track writes them, of 10,000 vehicles that send every 2 s.
func benchDocuments(n int) []sinks.Document {
	docs := make([]sinks.Document, n)
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixMilli()
	for i := range docs {
		f := track.Fix{
			Vehicle: fmt.Sprintf("taxi-%05d", i%10_000), Time: start + int64(i/10_000)*2000, Offset: int64(i), RecordTime: start + int64(i/10_000)*2000 + 700,
			Position:       geo.Point{Lon: -74 + float64(i*7919%100_000)/1e6, Lat: 40.7 + float64(i*104_729%100_000)/1e6},
			AccuracyMetres: 5, AltitudeMetres: 12, Attributes: []byte(`{"passengers":2,"fare":"12.50"}`),
		}
		d := track.Document{Fix: &f, SpeedMPS: float64(i % 30), HeadingDegrees: float64(i % 360), DistanceMetres: 21.5, OdometerMetres: float64(i), Fences: []string{"manhattan"}}
		docs[i] = sinks.Document{
			Kind: sinks.Position, ID: fmt.Sprintf("00c0ffee-0-%d", i), Offset: int64(i), Timestamp: f.RecordTime,
			Body: track.AppendDocument(nil, &d, "positions", 0),
		}
	}
	return docs
}

// nullServer answers every bulk request as if it had stored everything.
type nullServer struct{}

func (nullServer) RoundTrip(r *http.Request) (*http.Response, error) {
	answer := `{"index_templates":[{"index_template":{"version":1000000}}]}`
	if r.URL.Path == "/_bulk" {
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		n := bytes.Count(raw, []byte{'\n'}) / 2
		answer = `{"errors":false,"items":[` + strings.TrimSuffix(strings.Repeat(`{"create":{"status":201}},`, n), ",") + `]}`
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(answer)), Request: r,
	}, nil
}

// endlessLog gives the same documents again and again, as new records of one partition, up to total.
type endlessLog struct {
	records []broker.Record
	total   int64
	next    int64
	added   chan struct{} // closed by Add
	all     chan struct{} // closed when the cursor is at total
}

func (l *endlessLog) Bounds(context.Context, broker.Stream, int32) (int64, int64, error) {
	return 0, l.total, nil
}

func (l *endlessLog) NewReader(broker.ReaderOptions) (broker.Reader, error) { return l, nil }

func (l *endlessLog) LoadCursors(context.Context, string, broker.Stream) (map[int32]int64, error) {
	return nil, nil
}

func (l *endlessLog) StoreCursors(_ context.Context, _ string, _ broker.Stream, at map[int32]int64) error {
	if at[0] == l.total {
		close(l.all)
	}
	return nil
}

func (l *endlessLog) Add(broker.Stream, int32, int64) { close(l.added) }
func (*endlessLog) Remove(broker.Stream, int32)       {}
func (*endlessLog) Pause(broker.Stream, int32)        {}
func (*endlessLog) Resume(broker.Stream, int32)       {}
func (*endlessLog) Close()                            {}

func (l *endlessLog) Poll(ctx context.Context) ([]broker.Fetch, error) {
	select {
	case <-l.added:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if l.next == l.total {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	n := min(int64(len(l.records)), l.total-l.next)
	records := make([]broker.Record, n)
	copy(records, l.records[:n])
	for i := range records {
		records[i].Offset = l.next + int64(i)
	}
	l.next += n
	return []broker.Fetch{{Stream: broker.Enriched, Records: records, Next: l.next, End: l.total}}, nil
}

// BenchmarkPump is what pump and sink cost without a store: from fetched records to judged replies.
func BenchmarkPump(b *testing.B) {
	docs := benchDocuments(2000)
	records := make([]broker.Record, len(docs))
	for i, d := range docs {
		records[i] = broker.Record{Stream: broker.Enriched, Value: d.Body, Headers: []broker.Header{{Key: sinks.HeaderID, Value: []byte(d.ID)}}, Timestamp: d.Timestamp}
	}
	b.Run("concurrency=2", func(b *testing.B) {
		b.ReportAllocs()
		const perLoop = 200_000
		n := 0
		for b.Loop() {
			n += perLoop
			log := &endlessLog{records: records, total: perLoop, added: make(chan struct{}), all: make(chan struct{})}
			sink, err := New(Options{
				URLs: []string{"http://127.0.0.1:9200"}, Transport: nullServer{}, Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
			})
			require.NoError(b, err)
			pump, err := sinks.NewPump(sinks.PumpOptions{
				Name: "bench", Source: log, Cursors: log, Writer: sink, Streams: []broker.Stream{broker.Enriched}, Concurrency: 2,
				CursorInterval: time.Millisecond, MaxBatchAge: time.Millisecond,
				Reject: func(context.Context, []sinks.Rejection) error { return nil }, Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
			})
			require.NoError(b, err)
			require.NoError(b, pump.Start(b.Context()))
			pump.Add(0)
			<-log.all
			require.NoError(b, pump.Stop(b.Context()))
			require.NoError(b, sink.Close(b.Context()))
		}
		b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "documents/s")
	})
}

func BenchmarkEncode(b *testing.B) {
	docs := benchDocuments(5000)
	sink, err := New(Options{URLs: []string{"http://127.0.0.1:1"}, Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry()})
	require.NoError(b, err)
	items := make([]item, len(docs))
	for _, compress := range []bool{false, true} {
		sink.compress = compress
		b.Run(fmt.Sprintf("gzip=%t", compress), func(b *testing.B) {
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				for i := range docs {
					items[i] = item{document: &docs[i], index: sink.indexOf(&docs[i])}
				}
				_, _, err := sink.encode(items)
				require.NoError(b, err)
				n += len(docs)
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "documents/s")
		})
	}
}
