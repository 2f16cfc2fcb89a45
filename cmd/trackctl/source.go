package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/trackmesh/trackmesh/client"
	"github.com/trackmesh/trackmesh/source"
	"github.com/trackmesh/trackmesh/source/fleet"
)

func (a *app) sourceCommand() *cobra.Command {
	cmd := group("source", "Play positions in: from a file, or simulated")
	cmd.AddCommand(a.sourceReplay(), a.sourceSimulate())
	return cmd
}

// tally counts what became of records.
type tally struct {
	Sent    int     `json:"sent"`
	Stored  int     `json:"stored"`
	Refused int     `json:"refused"`
	Seconds float64 `json:"seconds"`
}

func (t *tally) add(sent int, done client.Ingested) {
	t.Sent += sent
	t.Stored += done.Stored
	t.Refused += done.Refused()
}

// refusal is an error when records were refused: whoever plays a file in wants to know, by the exit code too.
func (t *tally) refusal() error {
	if t.Refused == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d records were not stored, for the reasons above; the others are", t.Refused, t.Sent)
}

// report shows the tally; begun is when the sending began.
func (a *app) report(t *tally, begun time.Time) error {
	t.Seconds = a.now().Sub(begun).Seconds()
	raw, err := json.Marshal(t)
	if err != nil {
		return err
	}
	return a.show(answer{raw: raw, table: func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%d records sent, %d stored, %d refused, in %s\n", t.Sent, t.Stored, t.Refused, duration(&t.Seconds))
		return err
	}})
}

// simulateFlags are those of source simulate.
type simulateFlags struct {
	vehicles int
	rate     float64
	seed     uint64
	streets  string
	prefix   string
	lasts    time.Duration
}

func (a *app) sourceSimulate() *cobra.Command {
	var s simulateFlags
	var to feedFlags
	cmd := leaf("simulate", "Drive simulated vehicles along streets", 0, nil)
	f := cmd.Flags()
	f.IntVar(&s.vehicles, "vehicles", 2000, "how many")
	f.Float64Var(&s.rate, "rate", 0, "records a second of all together; 0: each vehicle every 2 s")
	f.Uint64Var(&s.seed, "seed", 1, "decides everything that is random")
	f.StringVar(&s.streets, "streets", "", "GeoJSON file of LineStrings, with oneway; default: a network like New York's")
	f.StringVar(&s.prefix, "prefix", "sim-", "what vehicles' ids begin with")
	f.DurationVar(&s.lasts, "duration", 0, "end after this; 0: go on until Ctrl-C")
	to.flags(cmd)
	cmd.Example = "  trackctl source simulate --vehicles 500 --rate 1000 --duration 1m"
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if s.rate < 0 || s.vehicles < 1 || s.lasts < 0 {
			return badUsage(cmd, "--vehicles must be at least 1, --rate and --duration not below 0")
		}
		vehicles, err := s.fleet(a.now())
		if err != nil {
			return err
		}
		out, err := to.open(cmd.Context(), a, source.Options{Format: "json"})
		if err != nil {
			return err
		}
		defer out.close()
		return a.simulate(cmd.Context(), vehicles, s.lasts, out)
	}
	return cmd
}

func (s *simulateFlags) fleet(start time.Time) (*fleet.Fleet, error) {
	network, err := s.network()
	if err != nil {
		return nil, err
	}
	opts := fleet.Options{Vehicles: s.vehicles, Seed: s.seed, Start: start, Prefix: s.prefix}
	if s.rate > 0 {
		opts.Interval = time.Duration(float64(s.vehicles) / s.rate * float64(time.Second))
	}
	f, err := fleet.New(network, opts)
	if err != nil {
		return nil, fmt.Errorf("--vehicles, --rate: %w", err)
	}
	return f, nil
}

func (s *simulateFlags) network() (*fleet.Network, error) {
	if s.streets == "" {
		return fleet.NewYork()
	}
	in, err := os.Open(s.streets)
	if err != nil {
		return nil, err
	}
	defer func() { _ = in.Close() }() // it was only read
	network, err := fleet.ReadStreets(in)
	if err != nil {
		return nil, fmt.Errorf("--streets %s: %w", s.streets, err)
	}
	return network, nil
}

// stepEvery is how often the fleet is asked what its vehicles report.
const stepEvery = 100 * time.Millisecond

// maxSend bounds one request.
const maxSend = 5000

func (a *app) simulate(ctx context.Context, vehicles *fleet.Fleet, lasts time.Duration, out feed) error {
	if lasts > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, lasts)
		defer cancel()
	}
	begun := a.now()
	bar := a.countBar("simulating", -1)
	t := &tally{}
	ticker := time.NewTicker(stepEvery)
	defer ticker.Stop()
	var failed error
	for failed == nil && ctx.Err() == nil {
		select {
		case <-ticker.C:
			failed = a.sendObservations(ctx, vehicles.Step(a.now()), out, t, bar)
		case <-ctx.Done():
		}
	}
	bar.done(true)
	if failed != nil && ctx.Err() == nil {
		return fmt.Errorf("after %d records: %w", t.Sent, failed)
	}
	return a.report(t, begun)
}

func (a *app) sendObservations(ctx context.Context, seen []fleet.Observation, out feed, t *tally, bar *progress) error {
	for len(seen) > 0 {
		n := min(len(seen), maxSend)
		values := make([][]byte, n)
		for i := range values {
			values[i] = seen[i].AppendJSON(nil)
		}
		done, err := out.send(ctx, "application/json", values)
		if err != nil {
			return err
		}
		t.add(n, done)
		bar.add(int64(n))
		if done.Refused() > 0 {
			return errors.New("a simulated record was refused: " + done.Errors[0].Reason)
		}
		seen = seen[n:]
	}
	return nil
}
