package load

import (
	"context"
	"log/slog"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/trackmesh/trackmesh/actors"
	"github.com/trackmesh/trackmesh/broker"
	"github.com/trackmesh/trackmesh/fence"
	"github.com/trackmesh/trackmesh/live"
	"github.com/trackmesh/trackmesh/source"
	"github.com/trackmesh/trackmesh/test/usage"
	"github.com/trackmesh/trackmesh/track"
)

// Path is the data path of one node over a log.
type Path struct {
	Host   *actors.Host
	Fleet  *live.Fleet
	log    broker.Log
	system *actor.ActorSystem
}

// Fixed is a fence set that never changes.
type Fixed struct{ Set *fence.Set }

// Current is the set.
func (f Fixed) Current() *fence.Set { return f.Set }

// Await returns at once: every version that there is is here.
func (f Fixed) Await(context.Context, int64) error { return nil }

// SetOf makes a set of fences.
func SetOf(fences []*fence.Fence) Fixed {
	changes := make([]fence.Change, len(fences))
	for i, f := range fences {
		changes[i] = fence.Change{ID: f.ID, Version: f.Version, Fence: f}
	}
	return Fixed{fence.NewSet().Apply(changes)}
}

// Start runs every partition of the log.
func Start(log broker.Log, fences actors.FenceSets, history actors.History) (*Path, error) {
	layout := log.Layout()
	p := &Path{log: log, Fleet: live.NewFleet(layout.Partitions)}
	quiet := slog.New(slog.DiscardHandler)
	p.system = actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return quiet }))
	settings := track.DefaultSettings()
	host, err := actors.NewHost(actors.Options{
		System: p.system, Log: log, Fences: fences, Fleet: p.Fleet, NewDecoder: newDecoder, Settings: settings, History: history,
		Node: "load", Logger: quiet, Registerer: prometheus.NewRegistry(),
	}, broker.Murmur2)
	if err != nil {
		p.system.Shutdown()
		return nil, err
	}
	p.Host = host
	for part := range layout.Partitions {
		host.Start(part)
	}
	return p, nil
}

// Stop ends the path; the log stays open.
func (p *Path) Stop(ctx context.Context) error {
	defer p.system.Shutdown()
	return p.Host.Close(ctx)
}

// Handled is how many records of the input are committed.
func (p *Path) Handled() (n int64) {
	for _, s := range p.Host.Status() {
		n += s.Committed
	}
	return n
}

type decoder struct{ *source.Decoder }

func newDecoder(intern func([]byte) (string, bool)) actors.Decoder {
	d, err := source.NewDecoder(source.Options{Format: "json", RejectNullIsland: true}, intern)
	if err != nil {
		panic(err) // the options are ours
	}
	return decoder{d}
}

// Decode is the decoder as the actors want it.
func (d decoder) Decode(rec *broker.Record, now int64, fix *track.Fix) (reason, detail string) {
	if r := d.Decoder.Decode(rec, now, fix); r != nil {
		return string(r.Reason), r.Detail
	}
	return "", ""
}

// Measured is what a stretch of work took.
type Measured struct {
	Records int64
	Wall    time.Duration
	CPU     time.Duration // of this process
	Beside  time.Duration // CPU of a server beside it
	Waited  time.Duration // threads of this process for a processor: other programs had it
}

// PerRecord is a duration divided by the records, in microseconds.
func (m Measured) PerRecord(d time.Duration) float64 {
	return float64(d.Nanoseconds()) / 1000 / float64(max(m.Records, 1))
}

// Rate is records per second of wall time.
func (m Measured) Rate() float64 { return float64(m.Records) / m.Wall.Seconds() }

// Ceiling is how many records per second the CPU time would allow on so many cores.
func (m Measured) Ceiling(cores int) float64 {
	return float64(cores) * float64(m.Records) / (m.CPU + m.Beside).Seconds()
}

// Measure watches done grow from a number to another one. Its clock starts at the first, so that no start-up is in it.
func Measure(ctx context.Context, done func() int64, from, total int64, beside func() time.Duration) Measured {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	var (
		start                 time.Time
		cpu0, other0, waited0 time.Duration
		first                 int64
	)
	for {
		n := done()
		if start.IsZero() && n >= from {
			start, first, cpu0, other0, waited0 = time.Now(), n, usage.CPU(), beside(), usage.Waited()
		}
		if n >= total || ctx.Err() != nil {
			return Measured{Records: n - first, Wall: time.Since(start), CPU: usage.CPU() - cpu0, Beside: beside() - other0, Waited: usage.Waited() - waited0}
		}
		<-ticker.C
	}
}

// Starved is how many threads of this process, on average, were ready to run and had no processor.
func (m Measured) Starved() float64 { return m.Waited.Seconds() / m.Wall.Seconds() }
