package kafka

import (
	"errors"
	"net"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/trackmesh/trackmesh/broker"
)

// metrics counts what the clients do; it is also their hook, from which Health learns when a broker last answered.
type metrics struct {
	lastAnswer atomic.Int64 // Unix nanoseconds; written by every client's connections, read by Health

	readBytes, writtenBytes prometheus.Counter
	connectErrors           prometheus.Counter
	commits                 *prometheus.CounterVec
	commitSeconds           prometheus.Histogram
	claimSeconds            prometheus.Histogram
}

var (
	_ kgo.HookBrokerE2E     = (*metrics)(nil)
	_ kgo.HookBrokerConnect = (*metrics)(nil)
)

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	return &metrics{
		readBytes:     f.NewCounter(prometheus.CounterOpts{Name: "trackmesh_kafka_read_bytes_total", Help: "Bytes read from brokers."}),
		writtenBytes:  f.NewCounter(prometheus.CounterOpts{Name: "trackmesh_kafka_written_bytes_total", Help: "Bytes written to brokers."}),
		connectErrors: f.NewCounter(prometheus.CounterOpts{Name: "trackmesh_kafka_connect_errors_total", Help: "Connections to brokers that could not be made."}),
		commits: f.NewCounterVec(prometheus.CounterOpts{
			Name: "trackmesh_kafka_transactions_total", Help: "Transactions by outcome: committed, fenced, too_large, failed.",
		}, []string{"outcome"}),
		commitSeconds: f.NewHistogram(prometheus.HistogramOpts{
			Name: "trackmesh_kafka_transaction_seconds", Help: "Time of committed transactions, from the first record produced.",
			Buckets: prometheus.ExponentialBuckets(0.002, 2, 13),
		}),
		claimSeconds: f.NewHistogram(prometheus.HistogramOpts{
			Name: "trackmesh_kafka_claim_seconds", Help: "Time to fence the earlier owner and write the claim record.",
			Buckets: prometheus.ExponentialBuckets(0.005, 2, 13),
		}),
	}
}

// OnBrokerE2E counts a request and its answer.
func (m *metrics) OnBrokerE2E(_ kgo.BrokerMetadata, _ int16, e kgo.BrokerE2E) {
	m.writtenBytes.Add(float64(e.BytesWritten))
	m.readBytes.Add(float64(e.BytesRead))
	if e.Err() == nil {
		m.lastAnswer.Store(time.Now().UnixNano())
	}
}

// OnBrokerConnect counts a connection that failed.
func (m *metrics) OnBrokerConnect(_ kgo.BrokerMetadata, _ time.Duration, _ net.Conn, err error) {
	if err != nil {
		m.connectErrors.Inc()
	}
}

func (m *metrics) transaction(began time.Time, err error) {
	outcome := "failed"
	switch {
	case err == nil:
		outcome = "committed"
		m.commitSeconds.Observe(time.Since(began).Seconds())
	case errors.Is(err, broker.ErrFenced):
		outcome = "fenced"
	case errors.Is(err, broker.ErrTooLarge):
		outcome = "too_large"
	}
	m.commits.WithLabelValues(outcome).Inc()
}
