package api

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/track"
)

// explained are the features of an explanation by role; the fence has none.
func explained(t *testing.T, b *bundle, event string) map[string]map[string]any {
	t.Helper()
	b.history.events = []json.RawMessage{json.RawMessage(event)}
	all := map[string]map[string]any{}
	for _, f := range b.get("/api/v1/events/e1?explain=true").json(t)["features"].([]any) {
		properties := f.(map[string]any)["properties"].(map[string]any)
		role, ok := properties["role"].(string)
		if !ok {
			role = "fence"
		}
		all[role] = properties
	}
	return all
}

// eventAt has a vehicle that comes from the west into a circle of 150 m round 0, 0, ten seconds a fix.
func eventAt(kind, cause string, more string) string {
	return fmt.Sprintf(`{"id":"e1","type":%q,"cause":%q,"@timestamp":"2026-01-01T00:00:05.000Z","vehicle":"a","sequence":1,"location":[-0.00134747,0]%s}`, kind, cause, more)
}

const (
	inNull     = `,"fence":{"id":"null","name":"Null","version":0}`
	twoFixes   = `,"evidence":{"before":{"time":"2026-01-01T00:00:00.000Z","location":[-0.002,0],"offset":4},"after":{"time":"2026-01-01T00:00:10.000Z","location":[0,0],"offset":5}}`
	onlyBefore = `,"evidence":{"before":{"time":"2026-01-01T00:00:00.000Z","location":[-0.001,0],"offset":4}}`
	onlyAfter  = `,"evidence":{"after":{"time":"2026-01-01T00:00:05.000Z","location":[-0.001,0],"offset":4}}`
	farApart   = `,"evidence":{"before":{"time":"2025-12-31T00:00:00.000Z","location":[-0.002,0],"offset":4},"after":{"time":"2026-01-01T00:00:05.000Z","location":[0,0],"offset":5}}`
	sameTime   = `,"evidence":{"before":{"time":"2026-01-01T00:00:05.000Z","location":[-0.0015,0],"offset":4},"after":{"time":"2026-01-01T00:00:10.000Z","location":[-0.003,0],"offset":5}}`
	aStop      = `,"stop":{"started":"2026-01-01T00:00:05.000Z","location":[-0.0013,0.0001]}`
	aTrip      = `,"trip":{"start":{"time":"2026-01-01T00:00:05.000Z","location":[0,0]}}`
	aGap       = `,"gap":{"since":"2026-01-01T00:00:00.000Z"}`
)

func TestEachTypeOfEventIsExplained(t *testing.T) {
	b := start(t)
	_, err := b.fences.Put(t.Context(), "null", []byte(crossing), nil)
	require.NoError(t, err)
	for _, c := range []struct {
		kind, cause, more, rule string
		roles                   []string
	}{
		{"enter", "fix", inNull + twoFixes, "first meets the boundary", []string{"event", "before", "after", "segment", "fence"}},
		{"enter", "fix", inNull + onlyAfter, "first fix ever", []string{"event", "after", "fence"}},
		{"enter", "fix", inNull + farApart, "nobody knows the way", []string{"event", "before", "after", "segment", "fence"}},
		{"enter", "fence_changed", inNull + onlyBefore, "put, changed or moved", []string{"event", "before", "fence"}},
		{"enter", "schedule", inNull + onlyBefore, "opened", []string{"event", "before", "fence"}},
		{"exit", "fix", inNull + twoFixes, "more than the margin", []string{"event", "before", "after", "segment", "fence"}},
		{"exit", "fix", inNull + sameTime, "outside already", []string{"event", "before", "after", "segment", "fence"}},
		{"exit", "fence_changed", inNull + onlyBefore, "deleted", []string{"event", "before", "fence"}},
		{"exit", "schedule", inNull + onlyBefore, "closed", []string{"event", "before", "fence"}},
		{"exit", "clock", inNull + onlyBefore, "forget-after", []string{"event", "before", "fence"}},
		{"exit", "command", inNull + onlyBefore, "message", []string{"event", "before", "fence"}},
		{"cross", "fix", inNull + twoFixes, "meets the interior", []string{"event", "before", "after", "segment", "fence"}},
		{"dwell", "clock", inNull + onlyBefore, "dwell_seconds", []string{"event", "before", "fence"}},
		{"stop_started", "fix", aStop + twoFixes, "stop radius", []string{"event", "before", "after", "segment", "stop"}},
		{"stop_ended", "fix", aStop + twoFixes, "two fixes in a row", []string{"event", "before", "after", "segment", "stop"}},
		{"trip_started", "fix", aTrip + twoFixes, "stop before it ended", []string{"event", "before", "after", "segment"}},
		{"trip_ended", "fix", aTrip + twoFixes, "next stop started", []string{"event", "before", "after", "segment"}},
		{"gap_started", "clock", aGap + onlyBefore, "gap-after", []string{"event", "before"}},
		{"gap_ended", "fix", aGap + twoFixes, "after a gap", []string{"event", "before", "after", "segment"}},
	} {
		got := explained(t, b, eventAt(c.kind, c.cause, c.more))
		roles := []string{}
		for role := range got {
			roles = append(roles, role)
		}
		require.ElementsMatch(t, c.roles, roles, "%s %s", c.kind, c.cause)
		require.Contains(t, got["event"]["rule"], c.rule, "%s %s", c.kind, c.cause)
	}
	for kind := range track.NumEventTypes {
		require.NotEmpty(t, rules[kind.String()])
	}
}

func TestAnExplanationGivesTheDistances(t *testing.T) {
	b := start(t)
	_, err := b.fences.Put(t.Context(), "null", []byte(crossing), nil)
	require.NoError(t, err)
	got := explained(t, b, eventAt("enter", "fix", inNull+twoFixes))
	require.Equal(t, []any{true, 0.0, 40.0}, []any{got["event"]["fence_unchanged"], got["event"]["fence_version"], got["event"]["exit_margin_metres"]})
	require.Equal(t, []any{false, true}, []any{got["before"]["inside"], got["after"]["inside"]})
	require.InDelta(t, 72.6, got["before"]["metres_outside"], 0.1)
	require.InDelta(t, 0, got["after"]["metres_outside"], 0)
	require.InDelta(t, 72.6, got["before"]["metres_to_event"], 0.1)
	require.InDelta(t, 150, got["after"]["metres_to_event"], 0.1)
	require.InDelta(t, 222.6, got["segment"]["length_metres"], 0.1)
	require.InDelta(t, 22.26, got["segment"]["speed_mps"], 0.01)

	_, err = b.fences.Put(t.Context(), "null", []byte(circle(1, 2)), nil)
	require.NoError(t, err)
	got = explained(t, b, eventAt("enter", "fix", inNull+twoFixes))
	require.Equal(t, false, got["event"]["fence_unchanged"])
	require.NotContains(t, got, "fence", "it is another one by now")
	require.NotContains(t, got["before"], "inside")
}
