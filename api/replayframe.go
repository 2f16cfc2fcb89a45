package api

import (
	"encoding/binary"
	"math"
	"net/http"
	"slices"
	"strconv"

	"github.com/trackmesh/trackmesh/history"
)

// The binary form of /api/v1/replay, for the map's player, little-endian. It is made to be small under gzip: numbers of a column are
// cut into planes (all lowest bytes, then all second ones, and so on), since the high bytes of differences hardly vary.
//
//	header:   u8 kind (4) · u8 version (1) · u16 zero · u32 vehicles · u32 rows · u32 bytes of names · i64 from · i64 to · i64 next (UTC ms; 0: whole)
//	names:    for each vehicle, in order: u8 bytes shared with the name before · u8 further bytes · those bytes
//	vehicles: rows u32 planes[4]
//	rows:     time u32 planes[4] · lon u32 planes[4] · lat u32 planes[4] · status u8[]
//
// time is in tenths of a second and lon, lat in 1e-6 degrees; each is the zigzag-coded difference to the vehicle's row before, the
// first row's to from and to the place of the first row of the vehicle before. Speed and heading are left to the player: it has
// the way.
const (
	frameReplay       = 4
	replayVersion     = 1
	replayHeader      = 40
	replayType        = "application/vnd.trackmesh.replay"
	replayTickMS      = 100
	replayUnits       = 1e6 // a degree
	longestSharedName = math.MaxUint8
)

// replayFrame encodes fixes, in any order.
func replayFrame(fixes []history.Position, from, to, next int64) []byte {
	byVehicle(fixes)
	n := len(fixes)
	var vehicles int
	names, counts := []byte(nil), []uint32(nil)
	times, lons, lats, status := make([]uint32, n), make([]uint32, n), make([]uint32, n), make([]byte, n)
	var firstLon, firstLat, lastTime, lastLon, lastLat int64
	for i := range fixes {
		f := &fixes[i]
		at, lon, lat := floorDiv(f.Time-from, replayTickMS), int64(math.Round(f.Location.Lon*replayUnits)), int64(math.Round(f.Location.Lat*replayUnits))
		if i == 0 || fixes[i-1].Vehicle != f.Vehicle {
			before := ""
			if i > 0 {
				before = fixes[i-1].Vehicle
			}
			names = appendName(names, before, f.Vehicle)
			counts = append(counts, 0)
			vehicles++
			lastTime, lastLon, lastLat = 0, firstLon, firstLat
			firstLon, firstLat = lon, lat
		}
		counts[vehicles-1]++
		times[i], lons[i], lats[i] = zigzag(at-lastTime), zigzag(lon-lastLon), zigzag(lat-lastLat)
		status[i] = byte(statusByName[f.Status])
		lastTime, lastLon, lastLat = at, lon, lat
	}
	b := make([]byte, 0, replayHeader+len(names)+4*vehicles+13*n)
	b = append(b, frameReplay, replayVersion, 0, 0)
	b = binary.LittleEndian.AppendUint32(b, uint32(vehicles))   //nolint:gosec // at most the rows
	b = binary.LittleEndian.AppendUint32(b, uint32(n))          //nolint:gosec // bounded by the limit
	b = binary.LittleEndian.AppendUint32(b, uint32(len(names))) //nolint:gosec // 257 bytes a vehicle at most
	for _, t := range []int64{from, to, next} {
		b = binary.LittleEndian.AppendUint64(b, uint64(t)) //nolint:gosec // bits
	}
	b = append(b, names...)
	for _, column := range [][]uint32{counts, times, lons, lats} {
		b = appendPlanes(b, column)
	}
	return append(b, status...)
}

// appendName writes a name by what it shares with the one before.
func appendName(b []byte, before, name string) []byte {
	shared := 0
	for shared < len(before) && shared < len(name) && shared < longestSharedName && before[shared] == name[shared] {
		shared++
	}
	b = append(b, byte(shared), byte(len(name)-shared)) //nolint:gosec // a vehicle's name has at most 128 bytes
	return append(b, name[shared:]...)
}

// appendPlanes writes all lowest bytes, then all second ones, and so on.
func appendPlanes(b []byte, column []uint32) []byte {
	b = slices.Grow(b, 4*len(column))
	for shift := 0; shift < 32; shift += 8 {
		for _, v := range column {
			b = append(b, byte(v>>shift))
		}
	}
	return b
}

// zigzag makes small numbers of small differences of either sign. Those of a replay fit: an hour and a day, a full circle.
func zigzag(v int64) uint32 { return uint32(v<<1 ^ v>>63) } //nolint:gosec // see above

// floorDiv rounds towards the past.
func floorDiv(a, b int64) int64 { return history.Floor(a, b) / b }

func writeReplayFrame(w http.ResponseWriter, frame []byte) error {
	h := w.Header()
	h.Set("Content-Type", replayType)
	h.Set("Content-Length", strconv.Itoa(len(frame)))
	_, _ = w.Write(frame) // a client that left cannot be told
	return nil
}
