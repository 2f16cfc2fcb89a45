package live

import (
	"context"
	"encoding/binary"
	"hash/fnv"
	"math"
	"time"

	"github.com/trackmesh/trackmesh/track"
)

// look is how often a watched vehicle is looked at: somewhat more often than partitions publish.
const look = 50 * time.Millisecond

// Changed waits until the selection knows a state of the vehicle whose Mark is another one than seen (0: none was seen), until a
// partition is missing, or until ctx ends; v is nil then.
func (s Selection) Changed(ctx context.Context, vehicle string, seen uint64) (v *track.View, c Coverage) {
	clock := time.NewTicker(look)
	defer clock.Stop()
	var last *track.View
	for {
		v, c = s.Track(vehicle)
		if v != nil && v != last && Mark(v) != seen {
			return v, c
		}
		last = v
		if !c.Whole() {
			return nil, c
		}
		select {
		case <-ctx.Done():
			return nil, c
		case <-clock.C:
		}
	}
}

// Mark is a fingerprint of a state, the same on every node, never 0.
func Mark(v *track.View) uint64 {
	h := fnv.New64a()
	number := func(n uint64) {
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], n)
		_, _ = h.Write(b[:]) // never fails
	}
	text := func(s string) {
		number(uint64(len(s)))
		_, _ = h.Write([]byte(s))
	}
	text(v.Vehicle)
	number(uint64(v.Time)) //nolint:gosec // bits
	for _, f := range [...]float64{v.Position.Lon, v.Position.Lat, v.SpeedMPS, v.HeadingDegrees, v.OdometerMetres} {
		if math.IsNaN(f) {
			f = math.Inf(-1) // NaNs differ in bits
		}
		number(math.Float64bits(f))
	}
	number(uint64(v.Status))
	number(uint64(len(v.Fences)))
	for _, id := range v.Fences {
		text(id)
	}
	text(string(v.Attributes))
	number(uint64(uint32(v.Partition))) //nolint:gosec // bits
	number(uint64(v.Offset))            //nolint:gosec // bits
	return max(1, h.Sum64())
}
