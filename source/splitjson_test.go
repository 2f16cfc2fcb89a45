package source

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

func splitAll(contentType string, body io.Reader) (lines []Line, err error) {
	err = Split(contentType, body, func(l Line) error {
		lines = append(lines, l)
		return nil
	})
	return lines, err
}

// FuzzSplitJSON compares with encoding/json, however the body arrives.
func FuzzSplitJSON(f *testing.F) {
	for _, seed := range []string{
		`[{"a":1},{"b":"]}\""}, 3 , null]`, `{"a":1}{"b":2}`, "{\n}\n[]", `{"type":"FeatureCollection","x":[1],"features":[{"id":1},{}],"y":2}`, `{"features":3}`, `[1,`, `"a"1`,
	} {
		f.Add(seed, true)
		f.Add(seed, false)
	}
	f.Fuzz(func(t *testing.T, body string, collections bool) {
		contentType := typeJSON
		if collections {
			contentType = typeGeoJSON
		}
		got, err := splitAll(contentType, strings.NewReader(body))
		slow, slowErr := splitAll(contentType, iotest.OneByteReader(strings.NewReader(body)))
		require.Equal(t, got, slow)
		require.Equal(t, err == nil, slowErr == nil)
		var all []json.RawMessage
		if collections || json.Unmarshal([]byte(body), &all) != nil || len(all) == 0 || body[0] == '\xef' {
			return
		}
		require.NoError(t, err, "%q", body)
		require.Len(t, got, len(all))
		for i := range all {
			require.Equal(t, string(all[i]), string(got[i].Value))
			require.Equal(t, i+1, got[i].Number)
		}
	})
}

func TestFeaturesAreTakenAsTheyCome(t *testing.T) {
	t.Parallel()
	for body, want := range map[string][]string{
		`{"type":"FeatureCollection","bbox":[1,2],"features":[{"id":1}, {"id":2}],"z":{}}`: {`{"id":1}`, `{"id":2}`},
		"{\"type\": \"Feature\",\n \"id\": 1} {\"id\":2}":                                  {"{\"type\": \"Feature\",\n \"id\": 1}", `{"id":2}`},
		`[{"id":1}]`:        {`{"id":1}`},
		`{"features":null}`: {`{"features":null}`},
		`{"features":[]}`:   nil,
		`{}`:                {`{}`},
	} {
		lines, err := splitAll("application/geo+json", strings.NewReader(body))
		require.NoError(t, err, body)
		var got []string
		for _, l := range lines {
			got = append(got, string(l.Value))
			require.Equal(t, "application/geo+json", l.ContentType)
		}
		require.Equal(t, want, got, body)
	}
}

func TestTooLongValuesAreReportedAndPassedOver(t *testing.T) {
	t.Parallel()
	long := `{"x":"` + strings.Repeat("]", 3*MaxLineBytes) + `"}`
	for contentType, body := range map[string]string{
		"application/json":     `[{"a":1},` + long + `,{"b":2}]`,
		"application/geo+json": `{"a":1}` + long + `{"b":2}`,
		"text/csv":             "{\"a\":1}\n" + strings.Repeat("x", 2*MaxLineBytes) + "\n{\"b\":2}",
	} {
		lines, err := splitAll(contentType, strings.NewReader(body))
		require.NoError(t, err, contentType)
		require.Len(t, lines, 3, contentType)
		require.Nil(t, lines[1].Value)
		require.ErrorIs(t, lines[1].Err, errTooLong)
		require.Equal(t, []byte(`{"b":2}`), lines[2].Value)
	}
}

func TestWhatCannotBeReadOnIsAnErrorAfterWhatCould(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`[{"a":1},{"b":`:            "after element 1",
		`[{"a":1} {"b":2}]`:         "after element 1",
		`[{"a":1},]`:                "after element 1",
		`{"a":1}}`:                  "after element 1",
		`[{"a":1}`:                  "unexpected EOF",
		`{"a":1}{"features":[{},{}`: "after element",
		`{"a":1}{"k" 3}`:            "after element 1",
		`{"a":1}{"k":3 "l":2}`:      "after element 1",
	} {
		lines, err := splitAll("application/geo+json", strings.NewReader(body))
		require.ErrorContains(t, err, want, body)
		require.NotEmpty(t, lines, body)
		require.Equal(t, `{"a":1}`, string(lines[0].Value), body)
	}
	broken := errors.New("broken")
	_, err := splitAll("application/json", io.MultiReader(strings.NewReader(`{"a":1} `), iotest.ErrReader(broken)))
	require.ErrorIs(t, err, broken)
}

func TestTheReceiversErrorEndsTheSplitting(t *testing.T) {
	t.Parallel()
	full := errors.New("full")
	for contentType, body := range map[string]string{
		"application/json": `[{},{}]`, "application/geo+json": `{"features":[{},{}]}`, "application/x-ndjson": "{}\n{}", "text/csv": "a\nb",
		"application/x-protobuf": "x",
	} {
		calls := 0
		err := Split(contentType, strings.NewReader(body), func(Line) error { calls++; return full })
		require.Equal(t, full, err, contentType)
		require.Equal(t, 1, calls, contentType)
	}
}

func TestCSVBodiesAreCutAtTheirRecords(t *testing.T) {
	t.Parallel()
	type cut struct {
		number int
		value  string
	}
	for name, c := range map[string]struct {
		contentType, body, stored string
		want                      []cut
	}{
		"lines in a cell":   {"text/csv", "a,\"x\ny\"\"\nz\"\nb,2", "text/csv", []cut{{1, "a,\"x\ny\"\"\nz\""}, {4, "b,2"}}},
		"an open quote":     {"text/csv", "a,\"x\nb,2\nc,3\n", "text/csv", []cut{{1, "a,\"x"}, {2, "b,2"}, {3, "c,3"}}},
		"blank lines":       {"text/csv", "\n\na,1\n\nb,2", "text/csv", []cut{{3, "a,1"}, {5, "b,2"}}},
		"default header":    {"text/csv", "\xef\xbb\xbfvehicle,time,longitude,latitude\na,1,2,3\n", "text/csv; columns=\"vehicle,time,longitude,latitude\"", []cut{{2, "a,1,2,3"}}},
		"no header, said":   {"text/csv; header=absent", "vehicle,time,longitude,latitude\n", "text/csv", []cut{{1, "vehicle,time,longitude,latitude"}}},
		"header, said":      {"text/csv; header=present", "car,\"a,\"\"b\"\"\"\n1,2\n", `text/csv; columns="car,\"a,\"\"b\"\"\""`, []cut{{2, "1,2"}}},
		"columns, said":     {"text/csv; columns=\"a,b\"", "1,2\n", "text/csv", []cut{{1, "1,2"}}},
		"taxi":              {"text/csv; layout=taxi", "1,2\n", "text/csv; layout=taxi", []cut{{1, "1,2"}}},
		"nothing but blank": {"text/csv; header=present", "\n", "", nil},
	} {
		if name == "columns, said" {
			c.stored = `text/csv; columns="a,b"`
		}
		lines, err := splitAll(c.contentType, strings.NewReader(c.body))
		require.NoError(t, err, name)
		var got []cut
		for _, l := range lines {
			got = append(got, cut{l.Number, string(l.Value)})
			require.Equal(t, c.stored, l.ContentType, name)
		}
		require.Equal(t, c.want, got, name)
	}
	_, err := splitAll("text/csv; header=present", strings.NewReader("a\"b\n1\n"))
	require.ErrorContains(t, err, "does not name the columns")
	for _, unknown := range []string{"", "image/png", "text/csv; layout=bus", "text/plain"} {
		_, err = splitAll(unknown, strings.NewReader("x"))
		require.ErrorIs(t, err, ErrMediaType, unknown)
	}
}
