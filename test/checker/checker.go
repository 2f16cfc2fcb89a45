package checker

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
	found := differences("document", Counted(undisturbed.Documents), Counted(run.Documents))
	found = append(found, differences("event", Counted(undisturbed.Events), Counted(run.Events))...)
	found = append(found, differences("dead letter", letters(undisturbed), letters(run))...)
	seen := map[string]int{}
	for _, id := range run.IDs {
		if seen[id]++; seen[id] == 2 {
			found = append(found, "id given twice: "+id)
		}
	}
	return found
}

func letters(o Outcome) map[string]int {
	m := map[string]int{}
	for _, d := range o.Dead {
		m[d.Reason+" "+d.Value]++
	}
	return m
}

// differences are what is there another number of times than it should be.
func differences(kind string, want, got map[string]int) (found []string) {
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
	return found
}

// Counted is how often each record is there, by what it says.
func Counted(records [][]byte) map[string]int {
	m := map[string]int{}
	for _, r := range records {
		m[Canonical(r)]++
	}
	return m
}

// Canonical is the record without what depends on when and where it was read, its members in order.
func Canonical(record []byte) string {
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
