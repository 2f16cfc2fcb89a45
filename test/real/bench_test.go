//go:build real

package real

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/trackmesh/trackmesh/actors"
	"github.com/trackmesh/trackmesh/broker"
	"github.com/trackmesh/trackmesh/broker/kafka"
	"github.com/trackmesh/trackmesh/sinks"
	"github.com/trackmesh/trackmesh/test/load"
	"github.com/trackmesh/trackmesh/test/servers"
)

// BenchmarkKafkaToEvents is how fast one node catches up on a prefilled lz4 topic of JSON of about 120 B in 8 partitions, 1,000 polygons of
// 64 vertices, all vehicles moving; events, snapshots and commits at the default interval; the broker is beside it on the same machine. The
// clock starts when every vehicle has been seen and a tenth of the records is handled, so no start-up is in it. CPU is this process's and, by itself, the
// broker's; "ceiling" is what the two would allow on two cores with nothing else on them.
func BenchmarkKafkaToEvents(b *testing.B) {
	server := servers.Kafka(b, servers.KafkaOptions{Heap: "1g"})
	for _, c := range []struct {
		name            string
		vehicles, steps int
		history         actors.History
		sink            bool
	}{
		{"10k vehicles, history off", 10_000, 200, actors.HistoryOff, false},
		{"1M vehicles, history off", 1_000_000, 4, actors.HistoryOff, false},
		{"10k vehicles, history to a null sink", 10_000, 100, actors.HistoryAll, true},
	} {
		b.Run(c.name, func(b *testing.B) {
			vehicles := c.vehicles
			if testing.Short() {
				vehicles /= 100
			}
			kafkaToEvents(b, server, load.NewFleet(vehicles), c.steps, c.history, c.sink)
		})
	}
}

func kafkaToEvents(b *testing.B, server *servers.KafkaServer, fleet *load.Fleet, steps int, history actors.History, sink bool) {
	const partitions = 8
	records := int64(fleet.Vehicles) * int64(steps)
	fences := load.SetOf(load.Polygons(1000, 64))
	for b.Loop() {
		topic := fmt.Sprintf("bench%d", time.Now().UnixNano())
		prefill(b, server.Brokers, topic, fleet, steps, partitions)
		log, err := kafka.Open(b.Context(), kafka.Options{
			OpenOptions: broker.OpenOptions{Topic: topic, Group: topic, Partitions: partitions, Enriched: history != actors.HistoryOff}, Brokers: server.Brokers,
		})
		require.NoError(b, err)
		null, stopSink := &nullSink{}, func() {}
		if sink {
			stopSink = null.start(b, log)
		}
		path, err := load.Start(log, fences, history)
		require.NoError(b, err)
		handled := path.Handled
		if sink { // the slower of the two counts
			handled = func() int64 { return min(path.Handled(), null.documents.Load()) }
		}
		m := load.Measure(b.Context(), handled, max(records/10, int64(fleet.Vehicles)), records, server.CPU)
		require.NoError(b, path.Stop(context.Background()))
		stopSink()
		require.NoError(b, log.Close())
		b.ReportMetric(m.PerRecord(m.CPU), "CPU-µs/record")
		b.ReportMetric(m.PerRecord(m.Beside), "broker-CPU-µs/record")
		b.ReportMetric(m.Rate(), "records/s")
		b.ReportMetric(m.Ceiling(2), "ceiling-records/s")
		b.ReportMetric(m.Starved(), "starved-threads")
	}
}

// nullSink takes what a store would, and forgets it.
type nullSink struct{ documents atomic.Int64 }

func (n *nullSink) Write(_ context.Context, batch []sinks.Document) ([]sinks.Rejection, error) {
	documents := 0
	for i := range batch {
		if batch[i].Kind == sinks.Position {
			documents++
		}
	}
	n.documents.Add(int64(documents))
	return nil, nil
}

func (n *nullSink) start(b *testing.B, log broker.Log) (stop func()) {
	pump, err := sinks.NewPump(sinks.PumpOptions{
		Name: "null", Source: log, Cursors: log, Writer: n, Reject: func(context.Context, []sinks.Rejection) error { return nil },
		Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
	})
	require.NoError(b, err)
	require.NoError(b, pump.Start(b.Context()))
	for p := range log.Layout().Partitions {
		pump.Add(p)
	}
	return func() { require.NoError(b, pump.Stop(context.Background())) }
}

// prefill writes what the fleet sends, step after step, as producers with lz4 and a linger do.
func prefill(b *testing.B, brokers []string, topic string, fleet *load.Fleet, steps int, partitions int32) {
	b.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ProducerBatchCompression(kgo.Lz4Compression()), kgo.ProducerLinger(20*time.Millisecond), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	require.NoError(b, err)
	defer cl.Close()
	createTopic(b, cl, topic, partitions)
	homes := make([]int32, fleet.Vehicles)
	for p, vehicles := range fleet.ByPartition(partitions) {
		for _, v := range vehicles {
			homes[v] = int32(p)
		}
	}
	for step := range steps {
		for v, home := range homes {
			cl.Produce(b.Context(), &kgo.Record{Topic: topic, Partition: home, Key: []byte(fleet.ID(v)), Value: fleet.Value(nil, v, step)}, func(_ *kgo.Record, err error) {
				if err != nil {
					b.Error(err)
				}
			})
		}
	}
	require.NoError(b, cl.Flush(b.Context()))
}
