package fence_test

import (
	_ "embed"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/fence"
	"github.com/trackmesh/trackmesh/geo"
)

// crossings are the enters, exits and crosses of the worked cases: one a line, with the fence, both fixes and the place.
//
//go:embed testdata/crossings.jsonl
var crossings string

func TestTheWorkedCasesAreCrossedWhereTheySay(t *testing.T) {
	place := func(p [2]float64) geo.Point { return geo.Point{Lon: p[0], Lat: p[1]} }
	lines := strings.Split(strings.TrimSpace(crossings), "\n")
	require.Greater(t, len(lines), 15)
	for _, line := range lines {
		var c struct {
			Case, Type              string
			Fence                   json.RawMessage
			Before, After, Location [2]float64
		}
		require.NoError(t, json.Unmarshal([]byte(line), &c))
		f, err := fence.Parse("", c.Fence, 1)
		require.NoError(t, err)
		before, after := place(c.Before), place(c.After)
		w := f.Traverse(before, after)
		got := before // an exit is dated at the older fix when that was outside already
		switch {
		case c.Type == "enter":
			require.True(t, w.Meets, "%s", line)
			got = geo.Along(before, after, w.First)
		case c.Type == "cross":
			require.True(t, w.Interior, "%s", line)
			got = geo.Along(before, after, w.In)
		case f.Contains(before):
			require.True(t, w.Meets, "%s", line)
			require.True(t, f.OutsideBy(after, 40), "%s", line)
			got = geo.Along(before, after, w.Last)
		}
		require.Less(t, geo.Distance(place(c.Location), got), 0.1, "%s %s", c.Case, c.Type)
	}
}
