//go:build real && linux

package cluster

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestFigures measures how long vehicles cannot be asked for. FIGURES_RUNS is how often each (default 3; docs/benchmarks.md has 10). The bounds
// are three times what is promised: a shared machine is slow now and then.
func TestFigures(t *testing.T) {
	runs := int(number(t, "FIGURES_RUNS", 3)) //nolint:gosec // small
	w := newWorld(t, false)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	r, err := w.newRun(ctx, nodes)
	require.NoError(t, err)
	t.Cleanup(r.close)
	three := r.nodes[:initial]
	require.NoError(t, r.each(three, (*node).start))
	require.NoError(t, r.owned(ctx))
	l := newLoad(1, 2, 4)
	vehicles := r.oneEach(ctx, t, l)

	measured := map[string][]time.Duration{}
	note := func(what string, took time.Duration) {
		measured[what] = append(measured[what], took)
		t.Logf("%s: %s", what, took.Round(time.Millisecond))
	}
	for i := range runs {
		victim := three[i%len(three)]
		victim.kill()
		note("crash of 1 of 3", r.answering(ctx, t, vehicles))
		require.NoError(t, victim.start())
		require.NoError(t, r.owned(ctx))

		note("planned move, longest question", r.longest(ctx, t, vehicles, func() {
			require.NoError(t, victim.term())
			require.NoError(t, victim.start())
			require.NoError(t, r.owned(ctx))
		}))

		require.NoError(t, r.each(r.nodes, (*node).start))
		require.NoError(t, r.owned(ctx))
		require.NoError(t, r.each(r.nodes[2:], func(n *node) error { n.kill(); return nil }))
		note("6 to 2, killed", r.answering(ctx, t, vehicles))

		require.NoError(t, r.each(r.nodes, func(n *node) error { n.kill(); return nil }))
		began := time.Now()
		require.NoError(t, r.each(three, (*node).start))
		require.NoError(t, r.owned(ctx))
		note("cold start after all were killed", time.Since(began))
	}
	for what, promised := range map[string]time.Duration{
		"crash of 1 of 3": 5 * time.Second, "planned move, longest question": 2 * time.Second,
		"6 to 2, killed": 5 * time.Second, "cold start after all were killed": 5 * time.Second,
	} {
		took := slices.Sorted(slices.Values(measured[what]))
		t.Logf("FIGURE %s: min %s, median %s, max %s of %d", what, took[0].Round(time.Millisecond),
			took[len(took)/2].Round(time.Millisecond), took[len(took)-1].Round(time.Millisecond), len(took))
		require.Less(t, took[len(took)/2], 3*promised, what)
	}
}

// oneEach feeds a few records and returns a vehicle of each partition.
func (r *run) oneEach(ctx context.Context, t *testing.T, l load) []string {
	t.Helper()
	require.NoError(t, fences(ctx, r.insist))
	require.NoError(t, r.feed(ctx, l, time.Second))
	require.NoError(t, r.settled(ctx))
	found := map[int32]string{}
	for _, rec := range append(slices.Clone(l.kafka), l.http...) {
		found[home(rec.Vehicle)] = rec.Vehicle
	}
	for _, s := range l.script {
		found[home(s.Vehicle)] = s.Vehicle
	}
	vehicles := make([]string, 0, len(found))
	for _, v := range found {
		vehicles = append(vehicles, v)
	}
	require.Len(t, vehicles, partitions)
	return vehicles
}

// answering is how long it takes until a running node has answered for every vehicle. Each vehicle is asked for by itself.
func (r *run) answering(ctx context.Context, t *testing.T, vehicles []string) time.Duration {
	t.Helper()
	began := time.Now()
	asked := r.running()
	errs := make([]error, len(vehicles))
	var all sync.WaitGroup
	for i, v := range vehicles {
		all.Go(func() {
			errs[i] = until(ctx, 10*time.Millisecond, func() error { return track(ctx, asked[i%len(asked)], v, time.Second) })
		})
	}
	all.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	return time.Since(began)
}

func track(ctx context.Context, n *node, vehicle string, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_, err := n.ask(ctx, http.MethodGet, "/api/v1/tracks/"+vehicle, "", "", nil)
	return err
}

// longest is the longest time for which a vehicle could not be asked for while do runs, over all vehicles: from a question to the first answer.
// Questions go to nodes that do not stop.
func (r *run) longest(ctx context.Context, t *testing.T, vehicles []string, do func()) time.Duration {
	t.Helper()
	done := make(chan struct{})
	slowest := make([]time.Duration, len(vehicles))
	var all sync.WaitGroup
	for i, v := range vehicles {
		all.Go(func() {
			for {
				select {
				case <-done:
					return
				case <-time.After(10 * time.Millisecond):
				}
				began := time.Now()
				if err := until(ctx, 5*time.Millisecond, func() error { return track(ctx, r.any(), v, 5*time.Second) }); err != nil {
					slowest[i] = time.Hour
					return
				}
				slowest[i] = max(slowest[i], time.Since(began))
			}
		})
	}
	do()
	close(done)
	all.Wait()
	require.NoError(t, ctx.Err(), fmt.Sprint(slowest))
	return slices.Max(slowest)
}
