//go:build real && linux

package cluster

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestEachFaultByItself is the fault table's cluster rows, one after the other, each with a load of its own.
func TestEachFaultByItself(t *testing.T) {
	const s = time.Second
	w := newWorld(t, false)
	l := newLoad(7, 60, 40)
	want, err := w.undisturbed(t.Context(), l)
	require.NoError(t, err)
	for _, row := range []struct {
		what   string
		faults []Fault
	}{
		{"kill -9 of one", []Fault{{At: 3 * s, For: 4 * s, Kind: Kill, Nodes: []int{0}}}},
		{"kill -9 of most", []Fault{{At: 3 * s, For: 4 * s, Kind: Kill, Nodes: []int{0, 1}}}},
		{"kill -9 of all at once", []Fault{{At: 3 * s, For: s, Kind: Kill, Nodes: []int{0, 1, 2}}}},
		{"SIGTERM", []Fault{{At: 3 * s, For: 3 * s, Kind: Term, Nodes: []int{1}}}},
		{"rolling restart", []Fault{{At: 2 * s, For: s, Kind: Rolling}}},
		{"3, 6, and four killed at once", []Fault{
			{At: s, For: 12 * s, Kind: Join, Nodes: []int{3}},
			{At: s, For: 12 * s, Kind: Join, Nodes: []int{4}},
			{At: s, For: 12 * s, Kind: Join, Nodes: []int{5}},
			{At: 8 * s, For: 8 * s, Kind: Kill, Nodes: []int{2, 3, 4, 5}},
		}},
		{"SIGSTOP past detection, SIGCONT", []Fault{{At: 3 * s, For: 8 * s, Kind: Pause, Nodes: []int{0}}}},
		{"gossip cut, Kafka reachable", []Fault{{At: 3 * s, For: 8 * s, Kind: CutGossip, Nodes: []int{0}}}},
		{"a node cut off from Kafka", []Fault{{At: 3 * s, For: 10 * s, Kind: CutKafka, Nodes: []int{0}}}},
		{"a node that Kafka refuses", []Fault{{At: 3 * s, For: 6 * s, Kind: ResetKafka, Nodes: []int{2}}}},
		{"the broker killed", []Fault{{At: 3 * s, For: 2 * s, Kind: KillBroker}}},
		{"the broker hung", []Fault{{At: 3 * s, For: 5 * s, Kind: PauseBroker}}},
	} {
		t.Run(row.what, func(t *testing.T) {
			w.logf = t.Logf
			problems, err := w.round(t.Context(), l, want, row.faults, 12*s)
			require.NoError(t, err, "%s", w.tails)
			require.Empty(t, problems, "%s", w.tails)
		})
	}
}
