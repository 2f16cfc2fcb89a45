package elastic

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	registerer prometheus.Registerer
	items      *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	return &metrics{registerer: reg, items: promauto.With(reg).NewCounterVec(prometheus.CounterOpts{
		Name: "trackmesh_elasticsearch_items_total",
		Help: "Documents in replies by outcome: stored, known (stored before), rejected, again.",
	}, []string{"outcome"})}
}

func (m *metrics) count(j *judgement) {
	m.items.WithLabelValues("stored").Add(float64(j.stored))
	m.items.WithLabelValues("known").Add(float64(j.known))
	m.items.WithLabelValues("rejected").Add(float64(len(j.rejections)))
	m.items.WithLabelValues("again").Add(float64(len(j.again)))
}

// unregister lets another sink register.
func (m *metrics) unregister() { m.registerer.Unregister(m.items) }
