package embedded

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/broker"
	"github.com/trackmesh/trackmesh/broker/brokertest"
)

func TestConformance(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, opts broker.OpenOptions) brokertest.Deployment {
		t.Helper()
		opts.Topic, opts.Group = "positions", "trackmesh"
		dir := t.TempDir()
		return brokertest.Deployment{
			Open: func(t *testing.T) broker.Log {
				t.Helper()
				l, err := Open(t.Context(), Options{OpenOptions: opts, Dir: dir})
				require.NoError(t, err)
				return l
			},
			Trim: func(t *testing.T, l broker.Log, s broker.Stream, p int32, below int64) {
				t.Helper()
				require.NoError(t, l.(*Log).trim(t.Context(), s, p, below))
			},
		}
	})
}
