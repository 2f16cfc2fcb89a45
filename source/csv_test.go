package source

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/broker"
	"github.com/trackmesh/trackmesh/track"
)

// FuzzSplitCells compares with encoding/csv.
func FuzzSplitCells(f *testing.F) {
	for _, seed := range []string{`a,b`, `"a,b",c`, `"a""b"`, `a"b`, `"a"b`, `,`, `""`, `"`, `"a`, `,"",`, `"a""",x`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		var scratch []byte
		got, err := splitCells(nil, &scratch, line)
		if bytes.ContainsAny(line, "\r\n") || len(line) == 0 {
			return // readCSV and Split take line breaks away
		}
		r := csv.NewReader(bytes.NewReader(line))
		r.FieldsPerRecord = -1
		want, wantErr := r.Read()
		if _, more := r.Read(); wantErr == nil && !errors.Is(more, io.EOF) {
			return
		}
		require.Equal(t, wantErr == nil, err == nil, "%q: %v, %v", line, wantErr, err)
		if err != nil {
			return
		}
		require.Len(t, got, len(want))
		for i := range want {
			require.Equal(t, want[i], string(got[i]))
		}
		again, err := splitCells(nil, nil, joinCells(want))
		require.NoError(t, err)
		require.Len(t, again, len(want))
		for i := range want {
			require.Equal(t, want[i], string(again[i]))
		}
	})
}

func TestCSVRecordsOfTheLog(t *testing.T) {
	t.Parallel()
	const data = "v1,1767600000,-73.98,40.75"
	byNumber := []string{"vehicle=4", "time=1", "longitude=3", "latitude=2"}
	for name, c := range map[string]struct {
		opts        Options
		contentType string
		value       string
		reason      Reason
		attributes  string
	}{
		"default columns":       {Options{Format: "csv"}, "", data + ",1,2,3,4,x", "", `{"column_9":"x"}`},
		"line end":              {Options{Format: "csv"}, "", data + "\r\n", "", ``},
		"own header":            {Options{Format: "csv"}, "", "latitude,longitude,time,vehicle,k\n40.75,-73.98,1767600000,v1,\"a,b\"", "", `{"k":"a,b"}`},
		"own header, wanted":    {Options{Format: "csv", Header: true}, "", "latitude,longitude,time,vehicle\n40.75,-73.98,1767600000,v1", "", ``},
		"own header, mapped":    {Options{Format: "csv", Header: true, Map: []string{"vehicle=car", "longitude=x"}}, "", "latitude,x,time,car\n40.75,-73.98,1767600000,v1", "", ``},
		"no header, wanted":     {Options{Format: "csv", Header: true}, "", data, Unparsable, ""},
		"header by number":      {Options{Format: "csv", Header: true, Map: byNumber}, "", "1767600000,40.75,-73.98,v1", "", ``},
		"header alone":          {Options{Format: "csv"}, "", "vehicle,time,longitude,latitude", Unparsable, ""},
		"two lines":             {Options{Format: "csv"}, "", data + "\n" + data, Unparsable, ""},
		"header and two lines":  {Options{Format: "csv"}, "", "vehicle,time,longitude,latitude\n" + data + "\n" + data, Unparsable, ""},
		"empty":                 {Options{Format: "csv"}, "", "", Unparsable, ""},
		"quotes":                {Options{Format: "csv"}, "", `v1,17676"00000,-73.98,40.75`, Unparsable, ""},
		"columns by type":       {Options{}, `text/csv; columns="latitude,longitude,time,vehicle"`, "40.75,-73.98,1767600000,v1", "", ``},
		"absent header by type": {Options{Format: "csv", Header: true}, `text/csv; header=absent`, data, "", ``},
		"taxi by type":          {Options{}, `text/csv; layout=taxi`, "v1,2026-01-05 03:00:00,-73.98,40.75,2", "", `{"passengerCount":"2"}`},
		"json by type":          {Options{Format: "csv"}, `application/json`, `{"vehicle":"v1","time":1767600000,"longitude":-73.98,"latitude":40.75}`, "", ``},
		"unknown type":          {Options{Format: "csv"}, `image/png`, data, "", ``},
		"doubled column":        {Options{}, `text/csv; columns="vehicle,time,longitude,latitude,k,k"`, data + ",1,2", "", `{"k":"2"}`},
		"nameless column":       {Options{}, `text/csv; columns="vehicle,time,longitude,latitude,,k"`, data + ",1,2", "", `{"column_5":"1","k":"2"}`},
		"too many columns":      {Options{Format: "csv"}, "", data + strings.Repeat(",", 1000), Unparsable, ""},
	} {
		d := newTestDecoder(t, c.opts)
		rec := &broker.Record{Value: []byte(c.value), Timestamp: 1767700000000}
		if c.contentType != "" {
			rec.Headers = []broker.Header{{Key: "content-type", Value: []byte(c.contentType)}}
		}
		for range 2 { // the second time from what the decoder remembers
			var fix track.Fix
			r := d.Decode(rec, 1767700000000, &fix)
			if c.reason != "" {
				require.NotNil(t, r, name)
				require.Equal(t, c.reason, r.Reason, name)
				continue
			}
			require.Nil(t, r, name)
			require.Equal(t, "v1", fix.Vehicle, name)
			require.Equal(t, int64(1767600000000), fix.Time, name)
			require.InDelta(t, -73.98, fix.Position.Lon, 0, name)
			require.InDelta(t, 40.75, fix.Position.Lat, 0, name)
			require.Equal(t, c.attributes, string(fix.Attributes), name)
		}
	}
}

func TestADecoderRemembersFewContentTypes(t *testing.T) {
	t.Parallel()
	d := newTestDecoder(t, Options{Format: "csv"})
	for i := range 1000 {
		value := "vehicle,time,longitude,latitude,k" + strings.Repeat("x", i) + "\nv,1767600000,1,2,3"
		var fix track.Fix
		require.Nil(t, d.Decode(&broker.Record{Value: []byte(value)}, 1767700000000, &fix))
		require.Contains(t, string(fix.Attributes), `"k`+strings.Repeat("x", i)+`":"3"`)
		require.LessOrEqual(t, len(d.types), maxTypes)
	}
}
