package webhook

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics of all webhooks of a node.
type metrics struct {
	posts    *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	webhooks prometheus.Gauge
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		posts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "trackmesh_webhook_posts_total", Help: "POSTs to receivers by what became of them; those that failed are repeated.",
		}, []string{"webhook", "outcome"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "trackmesh_webhook_post_duration_seconds", Help: "Time until a receiver answered.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 15),
		}, []string{"webhook"}),
		webhooks: prometheus.NewGauge(prometheus.GaugeOpts{Name: "trackmesh_webhooks", Help: "Webhooks that this node runs."}),
	}
	r.MustRegister(m.posts, m.seconds, m.webhooks)
	return m
}

// of are the metrics of one webhook.
func (m *metrics) of(id string) *postMetrics {
	return &postMetrics{
		acknowledged: m.posts.WithLabelValues(id, "acknowledged"), failed: m.posts.WithLabelValues(id, "failed"), seconds: m.seconds.WithLabelValues(id),
	}
}

func (m *metrics) drop(id string) {
	m.posts.DeletePartialMatch(prometheus.Labels{"webhook": id})
	m.seconds.DeleteLabelValues(id)
}

type postMetrics struct {
	acknowledged, failed prometheus.Counter
	seconds              prometheus.Observer
}

func (m *postMetrics) observe(err error, took time.Duration) {
	m.seconds.Observe(took.Seconds())
	if err != nil {
		m.failed.Inc()
		return
	}
	m.acknowledged.Inc()
}
