package api

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are what the API counts about itself.
type metrics struct {
	requests    *prometheus.CounterVec
	duration    *prometheus.HistogramVec
	streams     *prometheus.GaugeVec
	ingestLines *prometheus.CounterVec
	ingestBytes prometheus.Counter
	frames      *prometheus.CounterVec
	tailResets  prometheus.Counter
	partial     prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "trackmesh_http_requests_total", Help: "Requests by route and status code.",
		}, []string{"route", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "trackmesh_http_request_duration_seconds", Help: "Time to answer, by route; streams left out.",
			Buckets: []float64{.001, .005, .02, .1, .5, 2, 10},
		}, []string{"route"}),
		streams: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "trackmesh_streams", Help: "Clients that listen now, by kind.",
		}, []string{"kind"}),
		ingestLines: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "trackmesh_ingest_lines_total", Help: "Lines of ingest requests by outcome.",
		}, []string{"outcome"}),
		ingestBytes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "trackmesh_ingest_bytes_total", Help: "Bytes of positions stored through ingest requests.",
		}),
		frames: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "trackmesh_live_frames_total", Help: "Frames of the live map: made, or shared (made for another viewer).",
		}, []string{"outcome"}),
		tailResets: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "trackmesh_stream_tail_resets_total", Help: "Times that the shared reader of the events had to start over.",
		}),
		partial: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "trackmesh_http_partial_answers_total", Help: "Answers that some partitions were missing from.",
		}),
	}
	for _, c := range []prometheus.Collector{
		m.requests, m.duration, m.streams, m.ingestLines, m.ingestBytes, m.frames, m.tailResets, m.partial,
	} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) observe(route string, code int, took time.Duration, stream bool) {
	m.requests.WithLabelValues(route, strconv.Itoa(code)).Inc()
	if !stream {
		m.duration.WithLabelValues(route).Observe(took.Seconds())
	}
}
