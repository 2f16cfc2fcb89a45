package api

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/trackmesh/trackmesh/geo"
	"github.com/trackmesh/trackmesh/history"
)

var update = flag.Bool("update", false, "write the golden files anew")

// readReplay is the frame undone, as web/src/wire/replay.ts does it.
func readReplay(t require.TestingT, b []byte) (fixes []history.Position, from, to, next int64) {
	le := binary.LittleEndian
	require.Equal(t, []byte{frameReplay, replayVersion, 0, 0}, b[:4])
	vehicles, rows, names := int(le.Uint32(b[4:])), int(le.Uint32(b[8:])), b[replayHeader:replayHeader+int(le.Uint32(b[12:]))]
	from, to, next = int64(le.Uint64(b[16:])), int64(le.Uint64(b[24:])), int64(le.Uint64(b[32:]))
	rest := b[replayHeader+len(names):]
	require.Len(t, rest, 4*vehicles+13*rows)
	take := func(n int) (column []uint32) {
		for i := range n {
			column = append(column, uint32(rest[i])|uint32(rest[n+i])<<8|uint32(rest[2*n+i])<<16|uint32(rest[3*n+i])<<24)
		}
		rest = rest[4*n:]
		return column
	}
	signed := func(v uint32) int64 { return int64(int32(v>>1) ^ -int32(v&1)) }
	counts, times, lons, lats := take(vehicles), take(rows), take(rows), take(rows)
	var name string
	var firstLon, firstLat int64
	row := 0
	for _, count := range counts {
		shared, more := int(names[0]), int(names[1])
		name = name[:shared] + string(names[2:2+more])
		names = names[2+more:]
		at, lon, lat := int64(0), firstLon, firstLat
		for i := range count {
			at, lon, lat = at+signed(times[row]), lon+signed(lons[row]), lat+signed(lats[row])
			if i == 0 {
				firstLon, firstLat = lon, lat
			}
			status := []string{"moving", "stopped", "silent"}[rest[row]]
			fixes = append(fixes, history.Position{
				Vehicle: name, Time: from + at*replayTickMS, Location: geo.Point{Lon: float64(lon) / replayUnits, Lat: float64(lat) / replayUnits}, Status: status,
			})
			row++
		}
	}
	return fixes, from, to, next
}

func TestAReplayFrameHoldsEveryFix(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from := rapid.Int64Range(0, 2e12).Draw(t, "from") / replayTickMS * replayTickMS
		var fixes []history.Position
		for range rapid.IntRange(0, 60).Draw(t, "rows") {
			fixes = append(fixes, history.Position{
				Vehicle:  rapid.StringOfN(rapid.RuneFrom([]rune("abö")), 1, 40, 128).Draw(t, "vehicle"),
				Time:     from + rapid.Int64Range(-18_000, 36_000).Draw(t, "tenths")*replayTickMS,
				Location: geo.Point{Lon: float64(rapid.Int64Range(-180e6, 180e6).Draw(t, "lon")) / 1e6, Lat: float64(rapid.Int64Range(-90e6, 90e6).Draw(t, "lat")) / 1e6},
				Status:   rapid.SampledFrom([]string{"moving", "stopped"}).Draw(t, "status"),
			})
		}
		got, gotFrom, to, next := readReplay(t, replayFrame(fixes, from, from+60_000, 7))
		require.Equal(t, []int64{from, from + 60_000, 7}, []int64{gotFrom, to, next})
		require.Equal(t, fixes, got, "sorted by vehicle and time in place")
	})
}

// cruise is a fleet that drives for a minute, a fix every some seconds.
func cruise(vehicles, everySeconds int) []history.Position {
	random := rand.New(rand.NewPCG(3, 4)) //nolint:gosec // a fixed seed
	var fixes []history.Position
	for v := range vehicles {
		lon, lat, speed := -74.05+random.Float64()*0.3, 40.6+random.Float64()*0.3, random.Float64()*16
		heading, at := random.Float64()*2*math.Pi, int64(random.IntN(everySeconds*1000))
		for ; at < 60_000; at += int64(everySeconds)*1000 + int64(random.IntN(40)) {
			f := history.Position{Vehicle: fmt.Sprintf("taxi-%05d", v), Time: 1_700_000_000_000 + at, Location: geo.Point{Lon: lon, Lat: lat}, Status: "moving"}
			if v%3 == 0 {
				f.Status = "stopped"
			} else {
				metres := speed * float64(everySeconds)
				lon, lat = lon+metres*math.Sin(heading)/84_000, lat+metres*math.Cos(heading)/111_000
				heading, speed = heading+random.NormFloat64()*0.3, max(0, speed+random.NormFloat64()*2)
			}
			fixes = append(fixes, f)
		}
	}
	return fixes
}

func TestTheGoldenReplayFrameIsTheOneThatTheMapReads(t *testing.T) {
	path := filepath.Join("testdata", "replay.bin")
	frame := replayFrame(cruise(5, 20), 1_700_000_000_000, 1_700_000_060_000, 1_700_000_050_000)
	if *update {
		require.NoError(t, os.WriteFile(path, frame, 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, want, frame)
}

func TestAMinuteOfFiftyThousandVehiclesIsAtMostAMebibyte(t *testing.T) {
	frame := replayFrame(cruise(50_000, 15), 1_700_000_000_000, 1_700_000_060_000, 0)
	require.LessOrEqual(t, len(zipped(t, frame)), 1<<20)
}

func zipped(t testing.TB, raw []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, 5) // gzhttp's default
	require.NoError(t, err)
	_, err = w.Write(raw)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return out.Bytes()
}

// BenchmarkReplayFrame encodes a minute of 50,000 vehicles with a fix every 15 s.
func BenchmarkReplayFrame(b *testing.B) {
	fixes := cruise(50_000, 15)
	var frame []byte
	b.ReportAllocs()
	for b.Loop() {
		frame = replayFrame(fixes, 1_700_000_000_000, 1_700_000_060_000, 0)
	}
	b.ReportMetric(float64(len(fixes)), "rows")
	b.ReportMetric(float64(len(zipped(b, frame)))/1024, "KiB-gzip")
}
