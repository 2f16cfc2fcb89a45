//go:build real && linux

package cluster

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/test/checker"
	"github.com/trackmesh/trackmesh/test/servers"
)

const (
	nodes   = 6
	initial = 3
	// roundTime is how long the schedule of one round is; a round is what is repeated to shrink a schedule that fails.
	roundTime = 30 * time.Second
	// settleWithin is how long a cluster may take after the last fault is healed.
	settleWithin = 90 * time.Second
	// shrinkWithin bounds the tries to make a failing schedule smaller.
	shrinkWithin = 10 * time.Minute
)

// newWorld starts what a test needs, and ends it with the test.
func newWorld(t *testing.T, elastic bool) *world {
	t.Helper()
	w := &world{dir: t.TempDir(), logf: t.Logf}
	w.binary = filepath.Join(w.dir, "trackmesh")
	out, err := exec.Command("go", "build", "-o", w.binary, "../../cmd/node").CombinedOutput()
	require.NoError(t, err, "%s", out)
	w.network, err = newNetwork(nodes)
	require.NoError(t, err)
	t.Cleanup(w.network.remove)
	w.kafka = servers.Kafka(t, servers.KafkaOptions{})
	if elastic {
		w.elastic = servers.Elasticsearch(t, servers.ElasticsearchOptions{})
	}
	return w
}

// round runs a load under a schedule and returns what is wrong with what came out.
func (w *world) round(ctx context.Context, l load, want checker.Outcome, faults []Fault, within time.Duration) (problems []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, within+2*settleWithin)
	defer cancel()
	r, err := w.newRun(ctx, nodes)
	if err != nil {
		return nil, err
	}
	defer r.close()
	defer func() { w.tails = r.tails() }()
	if err := r.each(r.nodes[:initial], (*node).start); err != nil {
		return nil, err
	}
	if err := r.owned(ctx); err != nil {
		return nil, fmt.Errorf("starting: %w", err)
	}
	if err := fences(ctx, r.insist); err != nil {
		return nil, err
	}
	fed := make(chan error, 1)
	go func() { fed <- r.feed(ctx, l, within) }()
	if err := r.disturb(ctx, faults); err != nil {
		problems = append(problems, err.Error())
	}
	if err := r.each(r.nodes[:initial], (*node).start); err != nil {
		return problems, err
	}
	if err := <-fed; err != nil {
		return append(problems, "the load was not taken: "+err.Error()), nil
	}
	for what, wait := range map[string]func(context.Context) error{"owned": r.owned, "settled": r.settled} {
		bounded, cancel := context.WithTimeout(ctx, settleWithin)
		err := wait(bounded)
		cancel()
		if err != nil {
			return append(problems, "not "+what+" after the last fault was healed: "+err.Error()), nil
		}
	}
	got, found, err := r.outcome(ctx)
	if err != nil {
		return append(problems, err.Error()), nil
	}
	w.logf("%d documents, %d events, %d dead letters", len(got.Documents), len(got.Events), len(got.Dead))
	return append(append(problems, found...), checker.Check(want, got)...), nil
}

func number(t *testing.T, name string, otherwise uint64) uint64 {
	t.Helper()
	s := os.Getenv(name)
	if s == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(s, 10, 64)
	require.NoError(t, err, "%s=%s", name, s)
	return n
}

// TestTorture runs rounds of random faults for TORTURE_TIME (default 2 minutes). SEED repeats the rounds from that seed on. A round that
// fails is run again with fewer faults, to find those that matter.
func TestTorture(t *testing.T) {
	lasts := 2 * time.Minute
	if s := os.Getenv("TORTURE_TIME"); s != "" {
		var err error
		lasts, err = time.ParseDuration(s)
		require.NoError(t, err)
	}
	seed := number(t, "SEED", uint64(time.Now().Unix()%100_000)) //nolint:gosec // positive
	t.Logf("SEED=%d TORTURE_TIME=%s", seed, lasts)
	w := newWorld(t, os.Getenv("TORTURE_ELASTICSEARCH") != "off")
	for began := time.Now(); time.Since(began) < lasts; seed++ {
		l := newLoad(seed, 90, 60)
		want, err := w.undisturbed(t.Context(), l)
		require.NoError(t, err)
		require.NotEmpty(t, want.Events)
		require.NotEmpty(t, want.Dead)
		faults := Schedule(seed, roundTime, nodes, initial)
		t.Logf("round of SEED=%d: %d records, %d steps, %d faults", seed, len(l.kafka)+len(l.http), len(l.script), len(faults))
		problems, err := w.round(t.Context(), l, want, faults, roundTime)
		require.NoError(t, err, "SEED=%d\n%s", seed, w.tails)
		if len(problems) > 0 {
			w.shrink(t, seed, l, want, faults, problems)
		}
	}
}

// shrink reports a failing round with the smallest schedule that is found to fail too.
func (w *world) shrink(t *testing.T, seed uint64, l load, want checker.Outcome, faults []Fault, problems []string) {
	t.Helper()
	report := func(what string, faults []Fault, problems []string) {
		var b strings.Builder
		for _, f := range faults {
			fmt.Fprintln(&b, f)
		}
		for _, p := range problems[:min(len(problems), 20)] {
			fmt.Fprintln(&b, "-", p)
		}
		t.Logf("%s, SEED=%d, %d faults, %d problems:\n%s", what, seed, len(faults), len(problems), b.String())
	}
	report("FAILED", faults, problems)
	t.Log(w.tails)
	end := time.Now().Add(shrinkWithin)
	smallest := Shrink(faults, func(fewer []Fault) bool {
		found, err := w.round(t.Context(), l, want, fewer, roundTime)
		if err == nil && len(found) > 0 {
			problems = found
			return true
		}
		return false
	}, func() bool { return time.Now().After(end) || t.Context().Err() != nil })
	report("SMALLEST", smallest, problems)
	t.FailNow()
}
