package actors

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/trackmesh/trackmesh/broker"
	"github.com/trackmesh/trackmesh/broker/embedded"
	"github.com/trackmesh/trackmesh/geo"
	"github.com/trackmesh/trackmesh/live"
	"github.com/trackmesh/trackmesh/track"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bench is a host over an embedded log, with everything around it that a node has.
type bench struct {
	t       testing.TB
	dir     string
	opts    Options
	log     *embedded.Log
	board   *FenceBoard
	fleet   *live.Fleet
	system  *actor.ActorSystem
	host    *Host
	running bool
}

// newBench starts one partition; change may alter the host's options.
func newBench(t testing.TB, change func(*Options)) *bench {
	t.Helper()
	b := &bench{t: t, dir: t.TempDir(), opts: Options{
		Settings: track.DefaultSettings(), CommitInterval: 10 * time.Millisecond, Node: "test", NewDecoder: func(func([]byte) (string, bool)) Decoder { return testDecoder{} },
		Logger: slog.New(slog.DiscardHandler),
	}}
	if change != nil {
		change(&b.opts)
	}
	b.start()
	t.Cleanup(b.stop)
	return b
}

func (b *bench) start() {
	b.t.Helper()
	ctx := context.Background()
	log, err := embedded.Open(ctx, embedded.Options{Dir: b.dir, OpenOptions: broker.OpenOptions{Topic: "positions", Group: "trackmesh", Partitions: 1, Enriched: true}})
	require.NoError(b.t, err)
	b.log = log
	b.board = NewFenceBoard(log, b.opts.Logger)
	require.NoError(b.t, b.board.Start(ctx))
	b.fleet = live.NewFleet(1)
	b.system = actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }))
	o := b.opts
	if slow, ok := o.Log.(*slowLog); ok {
		slow.Log = log
	} else {
		o.Log = log
	}
	if o.Fences == nil {
		o.Fences = b.board
	}
	o.System, o.Fleet, o.Registerer = b.system, b.fleet, prometheus.NewRegistry()
	b.host, err = NewHost(o, broker.Murmur2)
	require.NoError(b.t, err)
	b.host.Start(0)
	b.running = true
}

func (b *bench) stop() {
	if !b.running {
		return
	}
	b.running = false
	require.NoError(b.t, b.host.Close(context.Background()))
	b.system.Shutdown()
	b.board.Stop()
	require.NoError(b.t, b.log.Close())
}

func (b *bench) restart() {
	b.t.Helper()
	b.stop()
	b.start()
}

// produce appends input records in order.
func (b *bench) produce(values ...string) {
	b.t.Helper()
	records := make([]broker.Record, len(values))
	for i, v := range values {
		records[i] = broker.Record{Stream: broker.Input, Value: []byte(v)}
	}
	b.append(records...)
}

func (b *bench) append(records ...broker.Record) []int64 {
	b.t.Helper()
	offsets, err := b.log.Produce(context.Background(), records)
	require.NoError(b.t, err)
	return offsets
}

// settled waits until the partition has committed the input up to an offset.
func (b *bench) settled(next int64) {
	b.t.Helper()
	require.Eventually(b.t, func() bool {
		s := b.host.Status()
		return len(s) == 1 && s[0].State == "running" && s[0].InputOffset >= next
	}, 20*time.Second, 5*time.Millisecond, "the input was not handled: %+v", b.host.Status())
	b.restart() // so that what is pending is committed
}

// read returns the committed records of a stream.
func (b *bench) read(s broker.Stream) []broker.Record {
	b.t.Helper()
	_, end, err := b.log.Bounds(context.Background(), s, 0)
	require.NoError(b.t, err)
	if end == 0 {
		return nil
	}
	r, err := b.log.NewReader(broker.ReaderOptions{Name: "test"})
	require.NoError(b.t, err)
	defer r.Close()
	r.Add(s, 0, 0)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var all []broker.Record
	for next := int64(0); next < end; {
		fetches, err := r.Poll(ctx)
		require.NoError(b.t, err)
		for _, f := range fetches {
			require.NoError(b.t, f.Err)
			all = append(all, f.Records...)
			next = f.Next
		}
	}
	return all
}

func (b *bench) values(s broker.Stream) (values []string) {
	for _, r := range b.read(s) {
		values = append(values, string(r.Value))
	}
	return values
}

// testDecoder reads {"v","t","x","y"}.
type testDecoder struct{}

func (testDecoder) Decode(rec *broker.Record, _ int64, fix *track.Fix) (reason, detail string) {
	p := struct {
		V          string
		T          int64
		X, Y       float64
		Attributes json.RawMessage
	}{}
	if err := json.Unmarshal(rec.Value, &p); err != nil {
		return "unparsable", err.Error()
	}
	if p.V == "decoder-bug" {
		panic("the decoder has a bug")
	}
	nan := math.NaN()
	*fix = track.Fix{
		Vehicle: p.V, Time: p.T, Position: geo.Point{Lon: p.X, Lat: p.Y}, SpeedMPS: nan, HeadingDegrees: nan, AccuracyMetres: nan, AltitudeMetres: nan,
		Attributes: p.Attributes, Offset: rec.Offset, RecordTime: rec.Timestamp,
	}
	return "", ""
}

const base = 1767600000000

// at is a record of a vehicle that drives east at 10 m/s from a place.
func at(vehicle string, second int) string {
	return fmt.Sprintf(`{"v":%q,"t":%d,"x":%.7f,"y":40.75}`, vehicle, base+int64(second)*1000, -73.98+float64(second)*0.0001184)
}

func gauge(g prometheus.Gauge) float64 {
	m := &dto.Metric{}
	if err := g.Write(m); err != nil {
		return math.NaN()
	}
	return m.GetGauge().GetValue()
}
