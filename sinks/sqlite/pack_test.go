package sqlite

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/trackmesh/trackmesh/geo"
)

// numbers that documents have, and others.
func number(scale float64) *rapid.Generator[float64] {
	return rapid.OneOf(
		rapid.Map(rapid.Int64Range(-1e12, 1e12), func(n int64) float64 { return float64(n) / scale }),
		rapid.Float64Range(-1e300, 1e300),
		rapid.SampledFrom([]float64{0, 1, -1, math.MaxFloat64, math.SmallestNonzeroFloat64, 1e22, 0.1}),
	)
}

func anyPosition(t *rapid.T) position {
	text := rapid.SliceOfN(rapid.Byte(), 0, 40)
	p := position{
		has:  rapid.Uint64Range(0, hasExtra<<1-1).Draw(t, "has"),
		time: rapid.Int64().Draw(t, "time"), offset: rapid.Int64().Draw(t, "offset"), ingested: rapid.Int64().Draw(t, "ingested"), lag: rapid.Int64().Draw(t, "lag"),
		at: geo.Point{Lon: number(degreeScale).Draw(t, "lon"), Lat: number(degreeScale).Draw(t, "lat")},
		id: string(text.Draw(t, "id")),
	}
	for i := range p.numbers {
		if p.has&(hasSpeed<<i) != 0 {
			p.numbers[i] = number(numberScale).Draw(t, "number")
		}
	}
	for has, into := range map[uint64]*[]byte{hasFences: &p.fences, hasAttributes: &p.attributes, hasExtra: &p.extra} {
		if p.has&has != 0 {
			*into = rapid.SampledFrom([][]byte{{}, []byte(`["a"]`), text.Draw(t, "text")}).Draw(t, "bytes")
		}
	}
	return p
}

func TestPackingLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		positions := rapid.SliceOfN(rapid.Custom(anyPosition), 0, 20).Draw(t, "positions")
		var in, out packer
		var data []byte
		for i := range positions {
			data = in.pack(data, &positions[i], positions[i].id == "")
		}
		for i := range positions {
			want := &positions[i]
			var got position
			var err error
			data, err = out.unpack(data, &got)
			require.NoError(t, err)
			require.Equal(t, want.has, got.has)
			require.Equal(t, want.id, got.id)
			require.Equal(t, []int64{want.time, want.offset, want.ingested, want.lag}, []int64{got.time, got.offset, got.ingested, got.lag})
			require.Equal(t, want.at, got.at)
			require.Equal(t, want.numbers, got.numbers)
			for has, pair := range map[uint64][2][]byte{
				hasFences: {want.fences, got.fences}, hasAttributes: {want.attributes, got.attributes}, hasExtra: {want.extra, got.extra},
			} {
				if want.has&has != 0 {
					require.Equal(t, string(pair[0]), string(pair[1]))
				}
			}
		}
		require.Empty(t, data)
	})
}

func FuzzUnpack(f *testing.F) {
	var k packer
	p := position{
		has: hasSpeed | hasFences | hasAttributes | hasExtra | hasSource, time: someDay, ingested: someDay + 5, offset: 7,
		at: geo.Point{Lon: -73.98, Lat: 40.75}, fences: []byte(`["a"]`), attributes: []byte(`{"b":1}`), extra: []byte(`"c":2`),
	}
	data := k.pack(nil, &p, true)
	p.time += 1000
	f.Add(k.pack(data, &p, false))
	f.Add([]byte{})
	f.Add([]byte{0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		n := 0
		err := unpackAll(&position{}, "x", data, func(*position) error { n++; return nil })
		require.LessOrEqual(t, n, len(data), "each takes at least a byte")
		if err != nil {
			require.ErrorIs(t, err, errDamaged)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, d := range fixes(0, 1, 2, someDay, 1000) {
		f.Add(d.Body)
	}
	f.Add([]byte(`{"@timestamp":"2026-03-01T12:00:00Z","vehicle":"a","location":[0,0],"x":{"y":[]},"flags":["jump","late"]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var p, again position
		d := fixes(0, 1, 1, someDay, 1000)[0]
		d.Body = body
		if p.parse(&d) != nil {
			return
		}
		made := p.appendJSON(nil)
		d.Body = made
		if p.time < -62135596800000 || p.time > 253402300799999 || p.ingested < -62135596800000 || p.ingested > 253402300799999 {
			return // RFC 3339 has no years before 0 or after 9999
		}
		require.NoError(t, again.parse(&d), string(made))
		require.Equal(t, string(made), string(again.appendJSON(nil)))
	})
}
