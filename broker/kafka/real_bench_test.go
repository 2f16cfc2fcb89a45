//go:build real

package kafka

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/broker"
	"github.com/trackmesh/trackmesh/test/servers"
	"github.com/trackmesh/trackmesh/test/usage"
)

// fixes are n records of about 120 B of JSON, of 10,000 vehicles.
func fixes(n int, p int32) []broker.Record {
	rng := rand.New(rand.NewPCG(1, uint64(p)))
	out := make([]broker.Record, n)
	for i := range out {
		vehicle := fmt.Sprintf("taxi-%05d", rng.IntN(10_000))
		value, _ := json.Marshal(map[string]any{ // of plain values: cannot fail
			"vehicle": vehicle, "time": 1_700_000_000_000 + int64(i)*10, "longitude": -74 + rng.Float64()*0.3,
			"latitude": 40.6 + rng.Float64()*0.3, "speed": rng.IntN(30),
		})
		out[i] = broker.Record{Stream: broker.Input, Partition: p, Key: []byte(vehicle), Value: value}
	}
	return out
}

func BenchmarkRead(b *testing.B) {
	k := servers.Kafka(b, servers.KafkaOptions{Heap: "1g"})
	opts := optionsFor(b, k.Brokers)
	opts.Partitions = 4
	l := open(b, opts)
	const perPartition, chunk = 500_000, 20_000
	bytes := 0
	for p := range opts.Partitions {
		records := fixes(chunk, p)
		for range perPartition / chunk {
			_, err := l.Produce(b.Context(), records)
			require.NoError(b, err)
		}
		bytes = len(records[0].Value)
	}
	b.ReportAllocs()
	var read int
	var used time.Duration
	for b.Loop() {
		r, err := l.NewReader(broker.ReaderOptions{Name: "bench"})
		require.NoError(b, err)
		for p := range opts.Partitions {
			r.Add(broker.Input, p, 0)
		}
		runtime.GC()
		began := usage.CPU()
		for n := 0; n < perPartition*int(opts.Partitions); {
			fetches, err := r.Poll(b.Context())
			require.NoError(b, err)
			for i := range fetches {
				n += len(fetches[i].Records)
				read += len(fetches[i].Records)
			}
		}
		used += usage.CPU() - began
		r.Close()
	}
	b.ReportMetric(used.Seconds()/float64(read)*1e6, "cpu-s/Mrecord")
	b.ReportMetric(float64(read)/b.Elapsed().Seconds(), "records/s")
	b.ReportMetric(float64(bytes), "B/record")
}

func BenchmarkCommit(b *testing.B) {
	k := servers.Kafka(b, servers.KafkaOptions{Heap: "1g"})
	for _, size := range []int{1, 1000, 20_000} {
		b.Run(fmt.Sprintf("snapshots=%d", size), func(b *testing.B) {
			l := open(b, optionsFor(b, k.Brokers))
			c := owner(b, l, 0)
			var batch []broker.Record
			for i := range size {
				key, snapshot := fmt.Appendf(nil, "taxi-%05d", i), make([]byte, 200)
				copy(snapshot, key)
				batch = append(batch, broker.Record{Stream: broker.State, Key: key, Value: snapshot})
				if i%20 == 0 {
					batch = append(batch, broker.Record{Stream: broker.Events, Key: key, Value: make([]byte, 400)})
				}
			}
			b.ReportAllocs()
			began := usage.CPU()
			n := 0
			for b.Loop() {
				require.NoError(b, c.Commit(b.Context(), batch))
				n += len(batch)
			}
			b.ReportMetric((usage.CPU()-began).Seconds()/float64(n)*1e6, "cpu-s/Mrecord")
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "records/s")
		})
	}
}
