package sinks

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics of one pump; the label sink tells pumps apart.
type metrics struct {
	all          []prometheus.Collector
	registerer   prometheus.Registerer
	written      prometheus.Counter
	writtenBytes prometheus.Counter
	rejected     prometheus.Counter
	retries      *prometheus.CounterVec
	gaps         *prometheus.CounterVec
	lag          *prometheus.GaugeVec
	batchSeconds prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer, sink string) *metrics {
	reg = prometheus.WrapRegistererWith(prometheus.Labels{"sink": sink}, reg)
	f := promauto.With(reg)
	m := &metrics{
		registerer:   reg,
		written:      f.NewCounter(prometheus.CounterOpts{Name: "trackmesh_sink_documents_total", Help: "Documents that the store has."}),
		writtenBytes: f.NewCounter(prometheus.CounterOpts{Name: "trackmesh_sink_written_bytes_total", Help: "Bytes of documents given to the store and acknowledged."}),
		rejected:     f.NewCounter(prometheus.CounterOpts{Name: "trackmesh_sink_rejects_total", Help: "Documents that the store refused for good; they became dead letters."}),
		retries: f.NewCounterVec(prometheus.CounterOpts{
			Name: "trackmesh_sink_retries_total", Help: "Attempts that failed and were repeated, by class of error.",
		}, []string{"class"}),
		gaps: f.NewCounterVec(prometheus.CounterOpts{
			Name: "trackmesh_sink_gaps_total", Help: "Times that a cursor was not in the log (out_of_range) or absent (no_cursor).",
		}, []string{"reason"}),
		lag: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "trackmesh_sink_lag_records", Help: "Committed offsets that the store has not acknowledged.",
		}, []string{"stream", "partition"}),
		batchSeconds: f.NewHistogram(prometheus.HistogramOpts{
			Name: "trackmesh_sink_batch_seconds", Help: "Time to write a batch, repeats included.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 16),
		}),
	}
	m.all = []prometheus.Collector{m.written, m.writtenBytes, m.rejected, m.retries, m.gaps, m.lag, m.batchSeconds}
	return m
}

// unregister lets another pump of the same name register.
func (m *metrics) unregister() {
	for _, c := range m.all {
		m.registerer.Unregister(c)
	}
}

func (m *metrics) setLag(l lane, records int64) {
	m.lag.WithLabelValues(l.stream.String(), strconv.Itoa(int(l.partition))).Set(float64(records))
}

func (m *metrics) dropLag(l lane) {
	m.lag.DeleteLabelValues(l.stream.String(), strconv.Itoa(int(l.partition)))
}
