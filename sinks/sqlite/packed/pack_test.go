package packed

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/trackmesh/trackmesh/geo"
	"github.com/trackmesh/trackmesh/sinks"
)

const someDay = 1_764_000_000_000 // UTC ms

// numbers that documents have, and others.
func number(scale float64) *rapid.Generator[float64] {
	return rapid.OneOf(
		rapid.Map(rapid.Int64Range(-1e12, 1e12), func(n int64) float64 { return float64(n) / scale }),
		rapid.Float64Range(-1e300, 1e300),
		rapid.SampledFrom([]float64{0, 1, -1, math.MaxFloat64, math.SmallestNonzeroFloat64, 1e22, 0.1}),
	)
}

func anyPosition(t *rapid.T) Position {
	text := rapid.SliceOfN(rapid.Byte(), 0, 40)
	p := Position{
		Has:  rapid.Uint64Range(0, HasExtra<<1-1).Draw(t, "has"),
		Time: rapid.Int64().Draw(t, "time"), Offset: rapid.Int64().Draw(t, "offset"), Ingested: rapid.Int64().Draw(t, "ingested"), Lag: rapid.Int64().Draw(t, "lag"),
		At: geo.Point{Lon: number(degreeScale).Draw(t, "lon"), Lat: number(degreeScale).Draw(t, "lat")},
		ID: string(text.Draw(t, "id")),
	}
	for i := range p.Numbers {
		if p.Has&(HasSpeed<<i) != 0 {
			p.Numbers[i] = number(numberScale).Draw(t, "number")
		}
	}
	for has, into := range map[uint64]*[]byte{HasFences: &p.Fences, HasAttributes: &p.Attributes, HasExtra: &p.Extra} {
		if p.Has&has != 0 {
			*into = rapid.SampledFrom([][]byte{{}, []byte(`["a"]`), text.Draw(t, "text")}).Draw(t, "bytes")
		}
	}
	return p
}

func TestPackingLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		positions := rapid.SliceOfN(rapid.Custom(anyPosition), 0, 20).Draw(t, "positions")
		var in, out Packer
		var data []byte
		for i := range positions {
			data = in.Pack(data, &positions[i], positions[i].ID == "")
		}
		for i := range positions {
			want := &positions[i]
			var got Position
			var err error
			data, err = out.Unpack(data, &got)
			require.NoError(t, err)
			require.Equal(t, want.Has, got.Has)
			require.Equal(t, want.ID, got.ID)
			require.Equal(t, []int64{want.Time, want.Offset, want.Ingested, want.Lag}, []int64{got.Time, got.Offset, got.Ingested, got.Lag})
			require.Equal(t, want.At, got.At)
			require.Equal(t, want.Numbers, got.Numbers)
			for has, pair := range map[uint64][2][]byte{
				HasFences: {want.Fences, got.Fences}, HasAttributes: {want.Attributes, got.Attributes}, HasExtra: {want.Extra, got.Extra},
			} {
				if want.Has&has != 0 {
					require.Equal(t, string(pair[0]), string(pair[1]))
				}
			}
		}
		require.Empty(t, data)
	})
}

func FuzzUnpack(f *testing.F) {
	var k Packer
	p := Position{
		Has: HasSpeed | HasFences | HasAttributes | HasExtra | HasSource, Time: someDay, Ingested: someDay + 5, Offset: 7,
		At: geo.Point{Lon: -73.98, Lat: 40.75}, Fences: []byte(`["a"]`), Attributes: []byte(`{"b":1}`), Extra: []byte(`"c":2`),
	}
	data := k.Pack(nil, &p, true)
	p.Time += 1000
	f.Add(k.Pack(data, &p, false))
	f.Add([]byte{})
	f.Add([]byte{0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		var k Packer
		var p Position
		for n := len(data); n > 0; {
			rest, err := k.Unpack(data, &p)
			if err != nil {
				require.ErrorIs(t, err, ErrDamaged)
				return
			}
			require.Less(t, len(rest), n, "each takes at least a byte")
			data, n = rest, len(rest)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"@timestamp":"2026-03-01T12:00:00.000Z","vehicle":"a","location":[-73.98,40.75],"geohash":"x","speed_mps":1.5,"status":"moving","flags":[],` +
		`"fences":["m"],"attributes":{"n":1},"source":{"topic":"p","partition":0,"offset":7},"ingested_at":"2026-03-01T12:00:00.700Z","lag_ms":700}`))
	f.Add([]byte(`{"@timestamp":"2026-03-01T12:00:00Z","vehicle":"a","location":[0,0],"x":{"y":[]},"flags":["jump","late"]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var p, again Position
		d := sinks.Document{ID: "0123abcd-0-7", Timestamp: someDay, Body: body}
		if p.Parse(&d) != nil {
			return
		}
		made := p.AppendJSON(nil)
		d.Body = made
		if p.Time < -62135596800000 || p.Time > 253402300799999 || p.Ingested < -62135596800000 || p.Ingested > 253402300799999 {
			return // RFC 3339 has no years before 0 or after 9999
		}
		require.NoError(t, again.Parse(&d), string(made))
		require.Equal(t, string(made), string(again.AppendJSON(nil)))
	})
}
