package sqlite

import (
	"os"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	registerer   prometheus.Registerer
	writeSeconds prometheus.Histogram
	bytes        prometheus.GaugeFunc
}

func newMetrics(reg prometheus.Registerer, s *Store) *metrics {
	m := &metrics{
		registerer: reg,
		writeSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "trackmesh_sqlite_write_seconds", Help: "Time of a transaction.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 14),
		}),
		bytes: prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "trackmesh_sqlite_file_bytes", Help: "Size of the store's file and its log."}, s.size),
	}
	reg.MustRegister(m.writeSeconds, m.bytes)
	return m
}

// unregister lets another store register.
func (m *metrics) unregister() {
	m.registerer.Unregister(m.writeSeconds)
	m.registerer.Unregister(m.bytes)
}

// size is what the store takes on the disk, in bytes.
func (s *Store) size() float64 {
	var total int64
	for _, suffix := range []string{"", "-wal"} {
		if info, err := os.Stat(s.path + suffix); err == nil {
			total += info.Size()
		}
	}
	return float64(total)
}
