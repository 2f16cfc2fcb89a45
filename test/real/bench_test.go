//go:build real

package real

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/trackmesh/trackmesh/broker"
	"github.com/trackmesh/trackmesh/internal/node"
	"github.com/trackmesh/trackmesh/test/servers"
)

// BenchmarkKafkaToEvents reads a prefilled lz4 topic of JSON of about 120 B through a whole node: 10,000 vehicles, all moving, 1,000
// polygons of 64 vertices, events, snapshots and commits; the broker is beside it on the same machine. CPU is this process's.
func BenchmarkKafkaToEvents(b *testing.B) {
	records := 1_000_000
	if testing.Short() {
		records = 50_000
	}
	for _, history := range []string{"off", "all"} {
		b.Run("history "+history, func(b *testing.B) { kafkaToEvents(b, history, records) })
	}
}

func kafkaToEvents(b *testing.B, history string, records int) {
	kafka := servers.Kafka(b, servers.KafkaOptions{Heap: "1g"})
	fences := polygonCollection(1000, 64)
	for b.Loop() {
		topic := fmt.Sprintf("bench%d", time.Now().UnixNano())
		prefill(b, kafka.Brokers, topic, records, 10_000)
		o := node.DefaultOptions()
		o.HTTPAddr, o.DataDir, o.Demo, o.NodeName, o.Topic, o.Group = "127.0.0.1:0", b.TempDir(), "off", "bench", topic, topic
		o.KafkaBrokers, o.Partitions, o.History, o.QuietClock = kafka.Brokers, 4, history, false
		// The fences must be there before the first record: they go into a log that the node then opens.
		writeFences(b, o, fences)
		var before, after syscall.Rusage
		require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &before))
		started := time.Now()
		n, err := node.Start(context.Background(), o, slog.New(slog.DiscardHandler))
		require.NoError(b, err)
		waitHandled(b, n, records)
		wall := time.Since(started)
		require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &after))
		require.NoError(b, n.Stop(context.Background()))
		cpu := seconds(after.Utime) + seconds(after.Stime) - seconds(before.Utime) - seconds(before.Stime)
		b.ReportMetric(cpu*1e6/float64(records), "CPU-µs/record")
		b.ReportMetric(float64(records)/wall.Seconds(), "records/s")
	}
}

func seconds(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }

func waitHandled(b *testing.B, n *node.Node, records int) {
	b.Helper()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for range ticker.C {
		resp, err := http.Get("http://" + n.Addr() + "/metrics")
		if err != nil {
			continue
		}
		done := 0.0
		for line := range strings.Lines(readAll(resp)) {
			if strings.HasPrefix(line, "trackmesh_records_total") {
				var v float64
				_, _ = fmt.Sscanf(line[strings.LastIndexByte(line, ' ')+1:], "%g", &v)
				done += v
			}
		}
		if int(done) >= records {
			return
		}
	}
}

func prefill(b *testing.B, brokers []string, topic string, records, vehicles int) {
	b.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ProducerBatchCompression(kgo.Lz4Compression()), kgo.ProducerLinger(20*time.Millisecond), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	require.NoError(b, err)
	defer cl.Close()
	createTopic(b, cl, topic, 4)
	for i := range records {
		v, step := i%vehicles, i/vehicles
		id := fmt.Sprintf("vehicle-%06d", v)
		lon := -74.2 + float64(v%100)*0.004 + 0.0003*float64(step)
		value := fmt.Appendf(nil, `{"vehicle":%q,"time":%d,"longitude":%.6f,"latitude":%.6f,"speed":%.1f,"heading":90}`,
			id, int64(start0)+int64(step)*2000, lon, 40.5+float64(v/100)*0.004, 12.5)
		cl.Produce(context.Background(), &kgo.Record{Topic: topic, Partition: broker.Murmur2([]byte(id), 4), Key: []byte(id), Value: value}, func(_ *kgo.Record, err error) {
			if err != nil {
				b.Error(err)
			}
		})
	}
	require.NoError(b, cl.Flush(context.Background()))
}

func polygonCollection(n, vertices int) string {
	var s strings.Builder
	for i := range n {
		lon, lat := -74.2+float64(i%32)*0.0125, 40.5+float64(i/32)*0.0125
		fmt.Fprintf(&s, `{"type":"Feature","id":"f%04d","geometry":{"type":"Polygon","coordinates":[[`, i)
		for k := range vertices + 1 {
			a := 2 * math.Pi * float64(k%vertices) / float64(vertices)
			if k > 0 {
				s.WriteByte(',')
			}
			fmt.Fprintf(&s, "[%.6f,%.6f]", lon+0.005*math.Cos(a), lat+0.004*math.Sin(a))
		}
		s.WriteString("]]},\"properties\":{}}\n")
	}
	return s.String()
}
