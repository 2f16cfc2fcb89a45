package remote

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	trackmeshv1 "github.com/trackmesh/trackmesh/messages/trackmesh/v1"
)

// metrics of one node's questions and answers.
type metrics struct {
	asked    *prometheus.CounterVec // by route and code
	answered *prometheus.CounterVec // by route and code
	seconds  *prometheus.HistogramVec
	bytes    *prometheus.CounterVec // by direction
	dropped  prometheus.Counter
	waiting  prometheus.Gauge
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		asked: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "trackmesh_peer_questions_total", Help: "Questions to other nodes by route and how they ended.",
		}, []string{"route", "code"}),
		answered: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "trackmesh_peer_answers_total", Help: "Questions of other nodes by route and what they were answered.",
		}, []string{"route", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "trackmesh_peer_question_duration_seconds", Help: "From a question to another node to its answer.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 3, 11),
		}, []string{"route"}),
		bytes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "trackmesh_peer_bytes_total", Help: "Bytes of questions and answers, by direction.",
		}, []string{"direction"}),
		dropped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "trackmesh_peer_dropped_messages_total", Help: "Messages between nodes that nobody could take: unknown, broken, late or too large.",
		}),
		waiting: prometheus.NewGauge(prometheus.GaugeOpts{Name: "trackmesh_peer_questions_waiting", Help: "Questions to other nodes without an answer yet."}),
	}
	r.MustRegister(m.asked, m.answered, m.seconds, m.bytes, m.dropped, m.waiting)
	return m
}

func (m *metrics) observe(route, code string, took time.Duration) {
	m.asked.WithLabelValues(route, code).Inc()
	m.seconds.WithLabelValues(route).Observe(took.Seconds())
}

// routeOf names a question in metrics.
func routeOf(q *trackmeshv1.PeerQuestion) string {
	switch q.GetBody().(type) {
	case *trackmeshv1.PeerQuestion_Track:
		return "track"
	case *trackmeshv1.PeerQuestion_Path:
		return "path"
	case *trackmeshv1.PeerQuestion_Search:
		return "search"
	case *trackmeshv1.PeerQuestion_Nearest:
		return "nearest"
	case *trackmeshv1.PeerQuestion_Cells:
		return "cells"
	case *trackmeshv1.PeerQuestion_Visible:
		return "visible"
	case *trackmeshv1.PeerQuestion_Counts:
		return "counts"
	case *trackmeshv1.PeerQuestion_Applied:
		return "applied"
	case *trackmeshv1.PeerQuestion_FencesLive:
		return "fences_live"
	case *trackmeshv1.PeerQuestion_FenceWrite:
		return "fence_write"
	case *trackmeshv1.PeerQuestion_Status:
		return "status"
	case *trackmeshv1.PeerQuestion_Changed:
		return "changed"
	}
	return "unknown"
}

// codeOf names an answer's code in metrics.
func codeOf(c trackmeshv1.PeerCode) string {
	switch c {
	case trackmeshv1.PeerCode_PEER_CODE_UNSPECIFIED:
		return "ok"
	case trackmeshv1.PeerCode_PEER_CODE_NOT_HERE:
		return "not_here"
	case trackmeshv1.PeerCode_PEER_CODE_UNKNOWN:
		return "unknown"
	case trackmeshv1.PeerCode_PEER_CODE_VERSION:
		return "version"
	case trackmeshv1.PeerCode_PEER_CODE_INVALID:
		return "invalid"
	case trackmeshv1.PeerCode_PEER_CODE_BUSY:
		return "busy"
	case trackmeshv1.PeerCode_PEER_CODE_UNSUPPORTED:
		return "unsupported"
	case trackmeshv1.PeerCode_PEER_CODE_TOO_LARGE:
		return "too_large"
	default:
		return "failed"
	}
}
