package ownership

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	assigned             prometheus.Gauge
	moves                *prometheus.CounterVec // by what happened
	rebalances, removals prometheus.Counter
}

func newMetrics(r prometheus.Registerer) *metrics {
	f := promauto.With(r)
	return &metrics{
		assigned:   f.NewGauge(prometheus.GaugeOpts{Name: "trackmesh_assigned_partitions", Help: "Partitions that the group has given to this node."}),
		moves:      f.NewCounterVec(prometheus.CounterOpts{Name: "trackmesh_moves_total", Help: "Partitions that came to this node or left it: assigned, revoked, lost."}, []string{"what"}),
		rebalances: f.NewCounter(prometheus.CounterOpts{Name: "trackmesh_rebalances_forced_total", Help: "Rebalances that this node forced because a member was dead to gossip."}),
		removals:   f.NewCounter(prometheus.CounterOpts{Name: "trackmesh_members_removed_total", Help: "Members that this node removed from the group because they blocked it and were dead."}),
	}
}
