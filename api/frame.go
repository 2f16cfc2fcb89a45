package api

import (
	"encoding/binary"
	"math"

	"github.com/trackmesh/trackmesh/geo"
	"github.com/trackmesh/trackmesh/live"
)

// The binary frames of /api/v1/live, little-endian: a header of 24 bytes, then columns back to back.
//
//	u8 kind · u8 version · u8 precision · u8 flags · u32 count · i64 server time (ms) · u32 in view · u32 zero
//	points:     slot u32[] · lonE7 i32[] · latE7 i32[] · dt_ms u16[] · speed u16[] · heading u8[] · status u8[]
//	cells:      geohash u64[] (integer form, 5 × precision bits) · count u32[]
//	dictionary: slot u32[] · length u16[] · the names' bytes
const (
	framePoints     = 1
	frameCells      = 2
	frameDictionary = 3
	frameVersion    = 1
	frameHeader     = 24

	flagPartial = 1
	flagCut     = 2

	absentSpeed   = math.MaxUint16
	absentHeading = math.MaxUint8
)

// header begins a frame with room for size bytes of columns.
func header(kind, precision, flags uint8, count int, now int64, inView, size int) []byte {
	b := make([]byte, frameHeader, frameHeader+size)
	b[0], b[1], b[2], b[3] = kind, frameVersion, precision, flags
	binary.LittleEndian.PutUint32(b[4:], uint32(count))   //nolint:gosec // bounded by the limit
	binary.LittleEndian.PutUint64(b[8:], uint64(now))     //nolint:gosec // bits
	binary.LittleEndian.PutUint32(b[16:], uint32(inView)) //nolint:gosec // a fleet has less than 2^32
	return b
}

// pointsFrame draws tracks, 18 bytes each.
func pointsFrame(items []live.Item, flags uint8, now int64, inView int) []byte {
	b := header(framePoints, 0, flags, len(items), now, inView, 18*len(items))
	le := binary.LittleEndian
	for i := range items {
		b = le.AppendUint32(b, items[i].Slot)
	}
	for i := range items {
		b = le.AppendUint32(b, uint32(degreesE7(items[i].View.Position.Lon))) //nolint:gosec // bits
	}
	for i := range items {
		b = le.AppendUint32(b, uint32(degreesE7(items[i].View.Position.Lat))) //nolint:gosec // bits
	}
	for i := range items {
		b = le.AppendUint16(b, uint16(min(max(0, now-items[i].View.Time), math.MaxUint16))) //nolint:gosec // just bounded
	}
	for i := range items {
		b = le.AppendUint16(b, speedCode(items[i].View.SpeedMPS))
	}
	for i := range items {
		b = append(b, headingCode(items[i].View.HeadingDegrees))
	}
	for i := range items {
		b = append(b, uint8(items[i].View.Status))
	}
	return b
}

// cellsFrame draws counts by cell, 12 bytes each.
func cellsFrame(cells []live.Cell, precision int, flags uint8, now int64, inView int) []byte {
	b := header(frameCells, uint8(precision), flags, len(cells), now, inView, 12*len(cells)) //nolint:gosec // 1..9
	for i := range cells {
		b = binary.LittleEndian.AppendUint64(b, cells[i].Geohash)
	}
	for i := range cells {
		b = binary.LittleEndian.AppendUint32(b, cells[i].Count)
	}
	return b
}

// dictionaryFrame names slots.
func dictionaryFrame(items []live.Item, now int64) []byte {
	size := 6 * len(items)
	for i := range items {
		size += len(items[i].View.Vehicle)
	}
	b := header(frameDictionary, 0, 0, len(items), now, 0, size)
	for i := range items {
		b = binary.LittleEndian.AppendUint32(b, items[i].Slot)
	}
	for i := range items {
		b = binary.LittleEndian.AppendUint16(b, uint16(len(items[i].View.Vehicle))) //nolint:gosec // at most 128
	}
	for i := range items {
		b = append(b, items[i].View.Vehicle...)
	}
	return b
}

func degreesE7(degrees float64) int32 { return int32(math.Round(degrees * 1e7)) }

// speedCode is decimetres a second; 65535 when absent.
func speedCode(mps float64) uint16 {
	if math.IsNaN(mps) {
		return absentSpeed
	}
	return uint16(math.Round(min(max(0, mps*10), absentSpeed-1)))
}

// headingCode is 255ths of the circle, 0 to 254; 255 when absent.
func headingCode(degrees float64) uint8 {
	if math.IsNaN(degrees) {
		return absentHeading
	}
	return uint8(min(max(0, degrees*255/360), absentHeading-1))
}

// cellsPerFrame is about how many cells a frame should show: as many as can be told apart with a number in each.
const cellsPerFrame = 2000

// autoPrecision is the finest precision at which a box has not more than cellsPerFrame cells.
func autoPrecision(b geo.Box) int {
	best := 1
	for precision := 2; precision <= 9; precision++ {
		bits := 5 * precision
		columns := math.Ceil(b.Width() / math.Ldexp(360, -(bits+1)/2))
		rows := math.Ceil((b.North - b.South) / math.Ldexp(180, -bits/2))
		if columns*rows > cellsPerFrame {
			break
		}
		best = precision
	}
	return best
}
