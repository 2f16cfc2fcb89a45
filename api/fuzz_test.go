package api

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/broker"
)

func FuzzBox(f *testing.F) {
	for _, s := range []string{"1,2,3,4", "-180,-90,180,90", "179,0,-179,1", "170,0,190,1", "1e300,0,0,0", "NaN,0,1,1", ",,,", "-540,0,540,0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		b, err := parseBox(s)
		if err != nil {
			return
		}
		require.LessOrEqual(t, b.South, b.North)
		for _, lon := range []float64{b.West, b.East} {
			require.True(t, lon >= -180 && lon <= 180, "%q: %+v", s, b)
		}
		require.True(t, b.South >= -90 && b.North <= 90)
		require.True(t, autoPrecision(b) >= 1 && autoPrecision(b) <= 9)
	})
}

func FuzzPoint(f *testing.F) {
	f.Add("1,2")
	f.Add("-180,90")
	f.Add("1,2,3")
	f.Fuzz(func(t *testing.T, s string) {
		p, err := parsePoint(s)
		if err == nil {
			require.True(t, math.Abs(p.Lon) <= 180 && math.Abs(p.Lat) <= 90)
		}
	})
}

func FuzzTime(f *testing.F) {
	for _, s := range []string{"0", "1700000000000", "2026-01-02T03:04:05Z", "2026-01-02T03:04:05.123+02:00", "-1", "99999999999999999", "0000-01-01T00:00:00Z"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		at, err := parseTime(s)
		if err != nil {
			return
		}
		again, err := parseTime(at.Format(time.RFC3339Nano))
		require.NoError(t, err, "%q", s)
		require.True(t, at.Equal(again))
		_, err = json.Marshal(formatTime(at))
		require.NoError(t, err)
	})
}

func FuzzCursor(f *testing.F) {
	f.Add(cursor{1, 2, 3}.encode(7), 3)
	f.Add("AQ", 0)
	f.Add("////", 64)
	f.Fuzz(func(t *testing.T, s string, partitions int) {
		if partitions < 0 || partitions > 1000 {
			return
		}
		c, err := decodeCursor(s, 7, partitions)
		if err != nil {
			return
		}
		require.Len(t, c, partitions)
		back, err := decodeCursor(c.encode(7), 7, partitions)
		require.NoError(t, err)
		require.Equal(t, c, back)
	})
}

func FuzzView(f *testing.F) {
	f.Add([]byte(`{"type":"view","bbox":[-75,40,-73,41],"look":"auto","precision":0,"limit":50000}`))
	f.Add([]byte(`{"type":"view","bbox":[170,-90,190,90],"look":"cells","precision":9}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		v, err := parseView(raw)
		if err != nil {
			return
		}
		require.True(t, v.limit > 0 && v.limit <= maxPoints)
		require.True(t, v.precision >= 0 && v.precision <= 9)
		require.LessOrEqual(t, v.box.South, v.box.North)
	})
}

func FuzzFeatures(f *testing.F) {
	one := withID("a", circle(1, 1))
	f.Add("application/x-ndjson", []byte(one+"\n\x1e"+one+"\r\n\n"))
	f.Add("application/geo+json", []byte(`{"type":"FeatureCollection","features":[`+one+`,`+one+`],"x":[1]}`))
	f.Add("application/json", []byte(one))
	f.Add("", []byte(`{"features":[{`))
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		const most = 300
		last := 0
		_ = features(contentType, bytes.NewReader(body), most, func(line int, raw []byte, err error) error {
			require.Greater(t, line, last)
			last = line
			if err != nil {
				return nil //nolint:nilerr // reported
			}
			if strings.Contains(contentType, "ndjson") {
				require.LessOrEqual(t, len(raw), most)
				return nil
			}
			require.True(t, json.Valid(raw) || !json.Valid(body), "%q", raw)
			id, err := featureID(raw)
			require.True(t, err != nil || (id != "" && len(id) <= 128))
			return nil
		})
	})
}

func FuzzMessage(f *testing.F) {
	f.Add([]byte(`{"annotate":{"a":"b","c":null}}`))
	f.Add([]byte(`{"configure":{"stop_radius_metres":1e300}}`))
	f.Add([]byte(`{"forget":{}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var b messageBody
		if decodeStrictly(raw, &b) != nil {
			return
		}
		cmd, err := b.command()
		if err != nil {
			return
		}
		require.NotNil(t, cmd.GetBody())
		require.GreaterOrEqual(t, cmd.GetConfigure().GetStopAfterMs(), int64(0))
	})
}

func FuzzTokens(f *testing.F) {
	f.Add("ann read " + hashOf("x"))
	f.Fuzz(func(t *testing.T, s string) {
		tokens, err := ReadTokens(strings.NewReader(s))
		require.Equal(t, err == nil, tokens != nil && len(tokens.byHash) > 0)
	})
}

func FuzzStreamedEvent(f *testing.F) {
	f.Add([]byte(`{"type":"enter","vehicle":"v","location":[1,2],"fence":{"id":"f"}}`))
	f.Add([]byte("{\n\"location\": null}"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		e := parseStreamed(&broker.Record{Value: raw})
		require.False(t, bytes.ContainsAny(oneLine(e.body), "\r\n"))
	})
}
