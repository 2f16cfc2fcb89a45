package webhook

import (
	"context"
	"maps"
	"math"

	"github.com/trackmesh/trackmesh/broker"
	"github.com/trackmesh/trackmesh/sinks"
)

// cursors are those of one webhook: under the name that its definition gives, and from where it was made while there is none.
type cursors struct {
	sinks.Cursors
	def *Definition
}

func (c *cursors) name() string { return sinks.CursorPrefix + c.def.Cursor }

func (c *cursors) LoadCursors(ctx context.Context, _ string, s broker.Stream) (map[int32]int64, error) {
	stored, err := c.Cursors.LoadCursors(ctx, c.name(), s)
	if err != nil {
		return nil, err
	}
	at := map[int32]int64{}
	maps.Copy(at, c.def.Start)
	maps.Copy(at, stored)
	return at, nil
}

func (c *cursors) StoreCursors(ctx context.Context, _ string, s broker.Stream, at map[int32]int64) error {
	return c.Cursors.StoreCursors(ctx, c.name(), s, at)
}

// retired is a cursor that waits for nothing: an embedded log keeps what cursors wait for longest.
const retired = math.MaxInt64 / 2

// retire gives up the cursors of a webhook that was deleted.
func (c *cursors) retire(ctx context.Context, partitions int32) error {
	at := make(map[int32]int64, partitions)
	for p := range partitions {
		at[p] = retired
	}
	return c.StoreCursors(ctx, "", broker.Events, at)
}
