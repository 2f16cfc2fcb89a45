package actors

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/fence"
	"github.com/trackmesh/trackmesh/geo"
)

func TestAMoveIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	for _, want := range []fence.Move{
		{Vehicle: "bus \"1\"", Partition: 3, At: geo.Point{Lon: -73.98, Lat: 40.75}},
		{Vehicle: "b", Withdrawn: true},
	} {
		r, err := newMove("con/voy", want)
		require.NoError(t, err)
		id, moved := movedFence(r.Key)
		require.True(t, moved)
		require.Equal(t, "con/voy", id)
		got, err := parseMove(r.Value)
		require.NoError(t, err)
		require.Equal(t, want, *got)
	}
	_, moved := movedFence([]byte("con/voy"))
	require.False(t, moved)
	gone, err := parseMove(nil)
	require.NoError(t, err)
	require.True(t, gone.Withdrawn)
}

func FuzzParseMove(f *testing.F) {
	f.Add([]byte(`{"vehicle":"v","partition":1,"position":[1,2]}`))
	f.Add([]byte(`{"position":[181,2]}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := parseMove(raw)
		if err != nil {
			return
		}
		require.True(t, geo.World.Contains(m.At))
		again, err := newMove("x", *m)
		require.NoError(t, err)
		back, err := parseMove(again.Value)
		require.NoError(t, err)
		require.Equal(t, m, back)
	})
}
