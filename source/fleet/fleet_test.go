package fleet

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTmp(t *testing.T) {
	t0 := time.Now()
	n, err := NewYork()
	require.NoError(t, err)
	t.Log("network", time.Since(t0), n.Nodes(), n.Edges(), len(n.landmarks))
	t0 = time.Now()
	f, err := New(n, Options{Vehicles: 2000, Seed: 1, Start: time.Unix(1_767_600_000, 0)})
	require.NoError(t, err)
	t.Log("fleet", time.Since(t0))
	_ = f
}
