package crash

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// Outcome is everything that a run made.
type Outcome struct {
	Documents, Events [][]byte // JSON
	Dead              []Dead
	IDs               []string // of documents and events: each once
}

// Dead is a dead letter.
type Dead struct{ Reason, Value string }

// Check says what differs between an undisturbed run and another of the same load: each document, event and dead letter must be
// there exactly once and alike, whatever happened in between. Offsets, ids and times of arrival may differ.
func Check(undisturbed, run Outcome) []string {
	var found []string
	report := func(kind string, want, got map[string]int) {
		for _, key := range slices.Sorted(maps.Keys(want)) {
			if n := got[key]; n != want[key] {
				found = append(found, fmt.Sprintf("%s: %d times, expected %d: %.300s", kind, n, want[key], key))
			}
		}
		for _, key := range slices.Sorted(maps.Keys(got)) {
			if want[key] == 0 {
				found = append(found, fmt.Sprintf("%s: unexpected: %.300s", kind, key))
			}
		}
	}
	report("document", counted(undisturbed.Documents), counted(run.Documents))
	report("event", counted(undisturbed.Events), counted(run.Events))
	dead := func(o Outcome) map[string]int {
		m := map[string]int{}
		for _, d := range o.Dead {
			m[d.Reason+" "+d.Value]++
		}
		return m
	}
	report("dead letter", dead(undisturbed), dead(run))
	seen := map[string]int{}
	for _, id := range run.IDs {
		if seen[id]++; seen[id] == 2 {
			found = append(found, "id given twice: "+id)
		}
	}
	return found
}

func counted(records [][]byte) map[string]int {
	m := map[string]int{}
	for _, r := range records {
		m[canonical(r)]++
	}
	return m
}

// canonical is the record without what depends on when and where it was read, its members in order.
func canonical(record []byte) string {
	var o map[string]any
	if err := json.Unmarshal(record, &o); err != nil {
		return "not JSON: " + string(record)
	}
	for _, name := range []string{"id", "source", "ingested_at", "lag_ms"} {
		delete(o, name)
	}
	if evidence, ok := o["evidence"].(map[string]any); ok {
		for _, part := range evidence {
			if fix, ok := part.(map[string]any); ok {
				delete(fix, "offset")
			}
		}
	}
	b, err := json.Marshal(o)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
