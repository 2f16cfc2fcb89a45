package peers

import (
	"math"
	"slices"
	"strings"

	"github.com/trackmesh/trackmesh/geo"
	"github.com/trackmesh/trackmesh/live"
	trackmeshv1 "github.com/trackmesh/trackmesh/messages/trackmesh/v1"
	"github.com/trackmesh/trackmesh/track"
)

// visibleToWire makes columns of what a node sees in a box, sorted into runs of one partition. Numbers are as exact as the frames
// that are made of them: places to 1e-7 degrees, times to the millisecond; speeds and headings to the thousandth that a track keeps.
func visibleToWire(seen live.Visible) *trackmeshv1.PeerVisible {
	n := len(seen.Items)
	slices.SortStableFunc(seen.Items, func(a, b live.Item) int { return int(a.View.Partition - b.View.Partition) }) // they come in runs: cheap
	w := &trackmeshv1.PeerVisible{
		InView: uint32(seen.InView), LongitudeE7: make([]int32, n), LatitudeE7: make([]int32, n), BeforeNewestMs: make([]uint64, n), //nolint:gosec // a fleet has less than 2^32
		SpeedMmps: make([]uint32, n), HeadingMillidegrees: make([]uint32, n), Status: make([]byte, n), NameBytes: make([]uint32, n),
	}
	size := 0
	for i := range seen.Items {
		v := seen.Items[i].View
		size += len(v.Vehicle)
		w.NewestMs = max(w.NewestMs, v.Time)
	}
	var names strings.Builder
	names.Grow(size)
	for i := range seen.Items {
		v := seen.Items[i].View
		if last := len(w.Partition) - 1; last >= 0 && w.Partition[last] == v.Partition {
			w.Run[last]++
		} else {
			w.Partition, w.Run = append(w.Partition, v.Partition), append(w.Run, 1)
		}
		w.LongitudeE7[i], w.LatitudeE7[i] = int32(math.Round(v.Position.Lon*1e7)), int32(math.Round(v.Position.Lat*1e7))
		w.BeforeNewestMs[i] = uint64(w.NewestMs - v.Time) //nolint:gosec // the newest is the highest
		w.SpeedMmps[i], w.HeadingMillidegrees[i] = thousandths(v.SpeedMPS), thousandths(v.HeadingDegrees)
		w.Status[i] = byte(v.Status)
		w.NameBytes[i] = uint32(len(v.Vehicle)) //nolint:gosec // at most 128
		names.WriteString(v.Vehicle)
	}
	w.Names = names.String()
	return w
}

// thousandths is a number's code: plus one, so that 0 says absent.
func thousandths(v float64) uint32 {
	if math.IsNaN(v) {
		return 0
	}
	return uint32(math.Round(min(max(0, v*1000), math.MaxUint32-1))) + 1
}

func fromThousandths(code uint32) float64 {
	if code == 0 {
		return math.NaN()
	}
	return float64(code-1) / 1000
}

// visibleFromWire takes at most limit vehicles in, with numbers of this node's. Columns that do not fit each other end it.
func visibleFromWire(w *trackmeshv1.PeerVisible, guests *live.Guests, limit int, into []live.Item) []live.Item {
	n := min(
		len(w.GetLongitudeE7()), len(w.GetLatitudeE7()), len(w.GetBeforeNewestMs()), len(w.GetSpeedMmps()),
		len(w.GetHeadingMillidegrees()), len(w.GetStatus()), len(w.GetNameBytes()), max(0, limit-len(into)),
	)
	views := make([]track.View, n)
	names, row := w.GetNames(), 0
	for run, partition := range w.GetPartition() {
		if run >= len(w.GetRun()) {
			break
		}
		first := row
		for ; row < n && row-first < int(w.GetRun()[run]); row++ {
			length := int(w.GetNameBytes()[row])
			if length > len(names) {
				return into
			}
			views[row] = track.View{
				Vehicle: names[:length], Time: w.GetNewestMs() - int64(w.GetBeforeNewestMs()[row]), //nolint:gosec // bits
				Position: geo.Point{Lon: float64(w.GetLongitudeE7()[row]) / 1e7, Lat: float64(w.GetLatitudeE7()[row]) / 1e7},
				SpeedMPS: fromThousandths(w.GetSpeedMmps()[row]), HeadingDegrees: fromThousandths(w.GetHeadingMillidegrees()[row]),
				Status: status(uint32(w.GetStatus()[row])), OdometerMetres: math.NaN(), Partition: partition,
			}
			names = names[length:]
		}
		into = guests.Items(partition, views[first:row], into)
	}
	return into
}
