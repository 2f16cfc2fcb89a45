package embedded

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.etcd.io/bbolt"

	"github.com/trackmesh/trackmesh/broker"
)

// metrics counts what the writer does. Close takes them out of the registry, so that a log can be opened again beside it.
type metrics struct {
	registry prometheus.Registerer
	all      []prometheus.Collector

	transactions *prometheus.CounterVec
	seconds      prometheus.Histogram
	joined       prometheus.Histogram
	records      prometheus.Counter
	written      prometheus.Counter
	freedBytes   prometheus.Counter

	awaitedBlocks prometheus.Counter
}

func newMetrics(registry prometheus.Registerer, l *Log) *metrics {
	m := &metrics{
		registry: registry,
		transactions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "trackmesh_embedded_transactions_total", Help: "Transactions of the embedded log by outcome: committed, full, failed.",
		}, []string{"outcome"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "trackmesh_embedded_transaction_seconds", Help: "Time of committed transactions, fsync included.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14),
		}),
		joined: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "trackmesh_embedded_transaction_writes", Help: "Commits and produces that one transaction joined.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 8),
		}),
		records: prometheus.NewCounter(prometheus.CounterOpts{Name: "trackmesh_embedded_records_total", Help: "Records written to the embedded log."}),
		written: prometheus.NewCounter(prometheus.CounterOpts{Name: "trackmesh_embedded_written_bytes_total", Help: "Bytes of records written, encoded."}),
		freedBytes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "trackmesh_embedded_freed_bytes_total", Help: "Bytes of records that retention deleted, encoded.",
		}),
	}
	m.awaitedBlocks = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "trackmesh_embedded_unread_blocks_deleted_total", Help: "Blocks of records that retention deleted though a cursor waited for them.",
	})
	pages := func(name, help string, f func(room) int64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return float64(f(l.usage())) })
	}
	m.all = []prometheus.Collector{
		m.transactions, m.seconds, m.joined, m.records, m.written, m.freedBytes, m.awaitedBlocks,
		pages("trackmesh_embedded_file_bytes", "Size of log.db up to its highest page in use.", func(r room) int64 { return r.size }),
		pages("trackmesh_embedded_free_bytes", "Free pages within log.db.", func(r room) int64 { return r.free }),
	}
	if registry != nil {
		registry.MustRegister(m.all...)
	}
	return m
}

// usage is the file's room as a reader sees it; zero once the log is closed.
func (l *Log) usage() (r room) {
	_ = l.view(func(tx *bbolt.Tx) error { r = l.room(tx.Size()); return nil })
	return r
}

func (m *metrics) unregister() {
	if m.registry == nil {
		return
	}
	for _, c := range m.all {
		m.registry.Unregister(c)
	}
}

func (m *metrics) transaction(began time.Time, joined int, t *txn, err error) {
	switch {
	case err == nil:
		m.transactions.WithLabelValues("committed").Inc()
		m.seconds.Observe(time.Since(began).Seconds())
		m.joined.Observe(float64(joined))
		m.records.Add(float64(t.records))
		m.written.Add(float64(t.bytes))
	case errors.Is(err, broker.ErrFull):
		m.transactions.WithLabelValues("full").Inc()
	default:
		m.transactions.WithLabelValues("failed").Inc()
	}
}

func (m *metrics) freed(n int) { m.freedBytes.Add(float64(n)) }
