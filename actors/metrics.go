package actors

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/trackmesh/trackmesh/track"
)

// metrics are counted when what they count is committed, so that they never count a record twice after a reload.
type metrics struct {
	records      *prometheus.CounterVec // by outcome
	dead         *prometheus.CounterVec // by reason
	events       [track.NumEventTypes]prometheus.Counter
	commits      prometheus.Histogram
	latency      prometheus.Histogram
	panics       *prometheus.CounterVec // by operation
	misplaced    prometheus.Counter
	fencesRemade prometheus.Counter
	stopped      *prometheus.CounterVec // by cause
	lag          *prometheus.GaugeVec   // by partition
	partitions   *prometheus.GaugeVec   // by state
	tracks       prometheus.Gauge
	live         prometheus.Gauge // actors
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		records: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "trackmesh_records_total", Help: "Input records by what became of them."}, []string{"outcome"}),
		dead:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: "trackmesh_dead_letters_total", Help: "Refused input records by reason."}, []string{"reason"}),
		commits: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "trackmesh_commit_duration_seconds", Help: "Time of one partition's commit.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 15),
		}),
		latency: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "trackmesh_end_to_end_latency_seconds", Help: "From a record's timestamp to the commit of what it made; the oldest record of each commit.", Buckets: prometheus.ExponentialBuckets(0.01, 2, 16),
		}),
		panics:       prometheus.NewCounterVec(prometheus.CounterOpts{Name: "trackmesh_track_panics_total", Help: "Panics that cost one operation on a track, by operation: bugs."}, []string{"operation"}),
		misplaced:    prometheus.NewCounter(prometheus.CounterOpts{Name: "trackmesh_misplaced_records_total", Help: "Records found in another partition than their key computes to: set --partitioner as the producers do."}),
		fencesRemade: prometheus.NewCounter(prometheus.CounterOpts{Name: "trackmesh_fences_remade_total", Help: "Times that a partition met a topic of fences that was made anew: fences were lost, its own replaced them."}),
		stopped:      prometheus.NewCounterVec(prometheus.CounterOpts{Name: "trackmesh_partition_stops_total", Help: "Partitions stopped by an error, by cause; they load their state again."}, []string{"cause"}),
		lag:          prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "trackmesh_input_lag_records", Help: "Records of the input that are not yet handled."}, []string{"partition"}),
		partitions:   prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "trackmesh_partitions", Help: "Partitions of this node by state."}, []string{"state"}),
		tracks:       prometheus.NewGauge(prometheus.GaugeOpts{Name: "trackmesh_tracks", Help: "Tracks on this node."}),
		live:         prometheus.NewGauge(prometheus.GaugeOpts{Name: "trackmesh_track_actors", Help: "Tracks with an actor of their own; the others are idle."}),
	}
	events := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "trackmesh_events_total", Help: "Committed events by type."}, []string{"type"})
	for t := range track.NumEventTypes {
		m.events[t] = events.WithLabelValues(t.String())
	}
	r.MustRegister(m.records, m.dead, events, m.commits, m.latency, m.panics, m.misplaced, m.fencesRemade, m.stopped, m.lag, m.partitions, m.tracks, m.live)
	return m
}

// tally is what a partition counted since its last commit.
type tally struct {
	observed  [track.Held + 1]int
	outcomes  map[string]int
	dead      map[string]int
	events    [track.NumEventTypes]int
	oldest    int64 // record time of the oldest record, UTC ms; 0: none
	misplaced int
}

func newTally() *tally { return &tally{outcomes: map[string]int{}, dead: map[string]int{}} }

func (t *tally) flush(m *metrics, now int64) {
	for o, n := range t.observed {
		if n > 0 {
			m.records.WithLabelValues(track.Outcome(o).String()).Add(float64(n))
		}
	}
	t.observed = [track.Held + 1]int{}
	for k, n := range t.outcomes {
		m.records.WithLabelValues(k).Add(float64(n))
	}
	for k, n := range t.dead {
		m.dead.WithLabelValues(k).Add(float64(n))
	}
	for i, n := range t.events {
		m.events[i].Add(float64(n))
	}
	m.misplaced.Add(float64(t.misplaced))
	if t.oldest > 0 {
		m.latency.Observe(float64(max(0, now-t.oldest)) / 1000)
	}
	clear(t.outcomes)
	clear(t.dead)
	t.events = [track.NumEventTypes]int{}
	t.oldest, t.misplaced = 0, 0
}
