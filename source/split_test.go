package source_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/source"
)

func split(tb testing.TB, contentType, body string) (values []string, lines []source.Line, err error) {
	tb.Helper()
	err = source.Split(contentType, strings.NewReader(body), func(l source.Line) error {
		values, lines = append(values, string(l.Value)), append(lines, l)
		return nil
	})
	return values, lines, err
}

func TestSplitCutsEveryKindOfBody(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		contentType, body string
		want              []string
	}{
		"object":     {"application/json", " {\"a\":1}\n", []string{`{"a":1}`}},
		"pretty":     {"application/json", "{\n \"a\": 1\n}\n{\"b\":2}", []string{"{\n \"a\": 1\n}", `{"b":2}`}},
		"array":      {"application/json; charset=utf-8", "\xef\xbb\xbf[{\"a\":1}, {\"b\":2}]", []string{`{"a":1}`, `{"b":2}`}},
		"ndjson":     {"application/x-ndjson", "{\"a\":1}\r\n\nnot json\n{\"b\":2}", []string{`{"a":1}`, "not json", `{"b":2}`}},
		"collection": {"application/geo+json", `{"type":"FeatureCollection","features":[{"id":1},{"id":2}]}`, []string{`{"id":1}`, `{"id":2}`}},
		"feature":    {"application/geo+json", `{"type":"Feature","id":1}`, []string{`{"type":"Feature","id":1}`}},
		"csv":        {"text/csv", "a,1\nb,2\n", []string{"a,1", "b,2"}},
		"header":     {"text/csv; header=present", "vehicle,time\nb,2\n", []string{"b,2"}},
		"empty":      {"application/json", " \n", nil},
	} {
		values, _, err := split(t, c.contentType, c.body)
		require.NoError(t, err, name)
		require.Equal(t, c.want, values, name)
	}
}

func TestSplitKeepsLineNumbersAndTheColumnsOfAHeader(t *testing.T) {
	t.Parallel()
	_, lines, err := split(t, "text/csv; header=present", "car,time,longitude,latitude\nb,1767600000,1,2\n\nc,1767600000,3,4\n")
	require.NoError(t, err)
	require.Equal(t, 2, lines[0].Number)
	require.Equal(t, 4, lines[1].Number)
	vehicle, r := decoder(t, source.Options{Map: []string{"vehicle=car"}}).VehicleOf(lines[1].ContentType, lines[1].Value)
	require.Nil(t, r)
	require.Equal(t, "c", vehicle)
}

func TestATooLongLineIsReportedAndTheRestGoesOn(t *testing.T) {
	t.Parallel()
	values, lines, err := split(t, "application/x-ndjson", "{}\n"+strings.Repeat("x", source.MaxLineBytes+10)+"\n{\"b\":2}\n")
	require.NoError(t, err)
	require.Equal(t, []string{"{}", "", `{"b":2}`}, values)
	require.Error(t, lines[1].Err)
	require.Equal(t, 3, lines[2].Number)
}

func TestSplitSaysWhereABodyEndsToBeJSON(t *testing.T) {
	t.Parallel()
	values, _, err := split(t, "application/json", `[{"a":1},{"b":`)
	require.ErrorContains(t, err, "after element 1")
	require.Len(t, values, 1)
	_, _, err = split(t, "image/png", "")
	require.ErrorIs(t, err, source.ErrMediaType)
}

func FuzzSplit(f *testing.F) {
	for _, media := range []string{"application/json", "application/x-ndjson", "application/geo+json", "text/csv; header=present", "text/csv; layout=taxi"} {
		f.Add(media, "[{\"a\":1}]\nx,\"y\nz\"")
	}
	f.Fuzz(func(t *testing.T, contentType, body string) {
		last := 0
		_ = source.Split(contentType, strings.NewReader(body), func(l source.Line) error {
			require.Greater(t, l.Number, last)
			last = l.Number
			return nil
		})
	})
}
