package gossip

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trackmesh/trackmesh/cluster"
)

// metrics are those of one node; without a registerer they count for nobody.
type metrics struct {
	events     *prometheus.CounterVec
	collectors []prometheus.Collector
	registerer prometheus.Registerer
}

func newMetrics(g *Gossip, r prometheus.Registerer) *metrics {
	m := &metrics{registerer: r, events: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "trackmesh_cluster_member_events_total", Help: "What became known of other members, by event.",
	}, []string{"event"})}
	m.collectors = []prometheus.Collector{m.events, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "trackmesh_gossip_health_score", Help: "How late this node's own gossip is; 0 is well.",
	}, func() float64 { return float64(g.healthScore()) })}
	for _, s := range []cluster.Status{cluster.Alive, cluster.Draining, cluster.Sick} {
		m.collectors = append(m.collectors, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "trackmesh_cluster_members", Help: "Members that are not dead, this node included, by what they say of themselves.",
			ConstLabels: prometheus.Labels{"status": s.String()},
		}, func() float64 { return float64(g.count(s)) }))
	}
	return m
}

func (m *metrics) register() error {
	if m.registerer == nil {
		return nil
	}
	var errs []error
	for _, c := range m.collectors {
		errs = append(errs, m.registerer.Register(c))
	}
	return errors.Join(errs...)
}

func (m *metrics) unregister() {
	if m.registerer == nil {
		return
	}
	for _, c := range m.collectors {
		m.registerer.Unregister(c)
	}
}
