package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/trackmesh/trackmesh/source"
)

func (a *app) benchCommand() *cobra.Command {
	cmd := group("bench", "Measure a node from outside")
	cmd.AddCommand(a.benchIngest(), a.benchQuery())
	return cmd
}

// measured is the outcome of one kind of request.
type measured struct {
	Name      string  `json:"name"`
	Requests  int     `json:"requests"`
	Errors    int     `json:"errors"`
	PerSecond float64 `json:"per_second"` // records for ingest, requests else
	P50       float64 `json:"p50_ms"`
	P95       float64 `json:"p95_ms"`
	P99       float64 `json:"p99_ms"`
	Max       float64 `json:"max_ms"`
	LastError string  `json:"last_error,omitempty"`
}

// latencies are those of one worker and kind of request.
type latencies struct {
	took    []time.Duration
	records int
	errors  int
	last    error
}

func (l *latencies) note(took time.Duration, records int, err error) {
	if err != nil {
		l.errors++
		l.last = err
		return
	}
	l.took = append(l.took, took)
	l.records += records
}

func (l *latencies) merge(other *latencies) {
	l.took = append(l.took, other.took...)
	l.records += other.records
	l.errors += other.errors
	if other.last != nil {
		l.last = other.last
	}
}

func (l *latencies) measured(name string, elapsed time.Duration) measured {
	slices.Sort(l.took)
	at := func(q float64) float64 {
		if len(l.took) == 0 {
			return 0
		}
		i := min(len(l.took)-1, int(q*float64(len(l.took))))
		return float64(l.took[i].Microseconds()) / 1000
	}
	m := measured{
		Name: name, Requests: len(l.took) + l.errors, Errors: l.errors, PerSecond: float64(l.records) / elapsed.Seconds(),
		P50: at(0.5), P95: at(0.95), P99: at(0.99), Max: at(1),
	}
	if l.last != nil {
		m.LastError = l.last.Error()
	}
	return m
}

func (a *app) showMeasured(unit string, results []measured) error {
	raw, err := json.Marshal(map[string]any{"results": results})
	if err != nil {
		return err
	}
	return a.show(answer{raw: raw, table: func(w io.Writer) error {
		t := newTable("what", "requests", "errors", unit, "p50 ms", "p95 ms", "p99 ms", "max ms", "last error")
		for _, m := range results {
			t.add(m.Name, strconv.Itoa(m.Requests), strconv.Itoa(m.Errors), strconv.FormatFloat(m.PerSecond, 'f', 0, 64),
				ms(m.P50), ms(m.P95), ms(m.P99), ms(m.Max), m.LastError)
		}
		return t.write(w)
	}})
}

func ms(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }

// loadFlags say how hard to press.
type loadFlags struct {
	workers int
	lasts   time.Duration
}

func (l *loadFlags) flags(cmd *cobra.Command, workers int) {
	cmd.Flags().IntVar(&l.workers, "concurrency", workers, "requests under way at a time")
	cmd.Flags().DurationVar(&l.lasts, "duration", 10*time.Second, "how long to measure")
}

func (l *loadFlags) check(cmd *cobra.Command) error {
	if l.workers < 1 || l.workers > 1024 || l.lasts <= 0 {
		return badUsage(cmd, "--concurrency must be from 1 to 1024 and --duration above 0")
	}
	return nil
}

func (a *app) benchIngest() *cobra.Command {
	var load loadFlags
	var to feedFlags
	var vehicles, batch int
	cmd := leaf("ingest", "Measure how fast positions are taken in", 0, nil)
	load.flags(cmd, 4)
	cmd.Flags().IntVar(&vehicles, "vehicles", 10_000, "how many vehicles report")
	cmd.Flags().IntVar(&batch, "batch", 1000, "records in a request")
	to.flags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := load.check(cmd); err != nil {
			return err
		}
		if vehicles < load.workers || batch < 1 {
			return badUsage(cmd, "--vehicles must be at least --concurrency, and --batch at least 1")
		}
		results, err := a.pressIngest(cmd.Context(), &load, &to, vehicles, batch)
		if err != nil {
			return err
		}
		return a.showMeasured("records/s", results)
	}
	return cmd
}

func (a *app) pressIngest(ctx context.Context, load *loadFlags, to *feedFlags, vehicles, batch int) ([]measured, error) {
	feeds := make([]feed, load.workers)
	for i := range feeds {
		one := *to // each numbers its own lines: a producer has one request at a time
		if one.producer != "" {
			one.producer += "-" + strconv.Itoa(i)
		}
		f, err := one.open(ctx, a, source.Options{Format: "json"})
		if err != nil {
			return nil, err
		}
		defer f.close()
		feeds[i] = f
	}
	return a.press(ctx, load, []string{"ingest"}, func(ctx context.Context, worker int, run func(kind, records int, do func() error)) {
		w := newWalkers(worker, vehicles/load.workers)
		for ctx.Err() == nil {
			values := w.step(batch, a.now())
			run(0, batch, func() error {
				done, err := feeds[worker].send(ctx, "application/json", values)
				if err == nil && done.Refused() > 0 {
					err = fmt.Errorf("%d lines were refused, the first: %s", done.Refused(), done.Errors[0].Reason)
				}
				return err
			})
		}
	})
}

// press runs workers until the time is over and merges what they measured.
func (a *app) press(
	ctx context.Context, load *loadFlags, kinds []string, work func(ctx context.Context, worker int, run func(kind, records int, do func() error)),
) ([]measured, error) {
	bounded, cancel := context.WithTimeout(ctx, load.lasts)
	defer cancel()
	bar := a.countBar("measuring", -1)
	all := make([][]latencies, load.workers)
	var total atomic.Int64
	begun := time.Now()
	var workers errgroup.Group
	for i := range all {
		all[i] = make([]latencies, len(kinds))
		workers.Go(func() error {
			work(bounded, i, func(kind, records int, do func() error) {
				start := time.Now()
				err := do()
				if bounded.Err() != nil {
					return // cut off by the end, not by the node
				}
				all[i][kind].note(time.Since(start), records, err)
				total.Add(int64(records))
				bar.add(int64(records))
			})
			return nil
		})
	}
	err := workers.Wait()
	elapsed := time.Since(begun)
	bar.done(true)
	if err == nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	results := make([]measured, len(kinds))
	for k, name := range kinds {
		var sum latencies
		for i := range all {
			sum.merge(&all[i][k])
		}
		results[k] = sum.measured(name, elapsed)
	}
	return results, err
}

// walkers are vehicles that wander about New York: cheap to make, so that the node is what is measured.
type walkers struct {
	random   *rand.Rand
	ids      []string
	lon, lat []float64
	heading  []float64
	next     int
	last     int64
}

func newWalkers(worker, n int) *walkers {
	w := &walkers{
		random: rand.New(rand.NewPCG(1, uint64(worker))), ids: make([]string, n), //nolint:gosec // no secret
		lon: make([]float64, n), lat: make([]float64, n), heading: make([]float64, n),
	}
	for i := range n {
		w.ids[i] = fmt.Sprintf("bench-%d-%d", worker, i)
		w.lon[i], w.lat[i] = -74.05+0.3*w.random.Float64(), 40.6+0.25*w.random.Float64()
		w.heading[i] = 360 * w.random.Float64()
	}
	return w
}

// step moves the next n vehicles by 10 m each and dates them now; no vehicle has the same time twice.
func (w *walkers) step(n int, now time.Time) [][]byte {
	values := make([][]byte, n)
	at := now.UnixMilli()
	for i := range values {
		v := w.next
		if v == 0 {
			w.last = max(w.last+1, at)
		}
		w.next = (v + 1) % len(w.ids)
		w.heading[v] = math.Mod(w.heading[v]+20*w.random.Float64()-10+360, 360)
		sin, cos := math.Sincos(w.heading[v] * math.Pi / 180)
		w.lon[v] += 10 * sin / 84_000
		w.lat[v] += 10 * cos / 111_000
		values[i] = fmt.Appendf(nil, `{"vehicle":"%s","time":%d,"longitude":%.6f,"latitude":%.6f,"speed":10,"heading":%.0f}`,
			w.ids[v], w.last, w.lon[v], w.lat[v], math.Floor(w.heading[v]))
	}
	return values
}
