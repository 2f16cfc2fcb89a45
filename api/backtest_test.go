package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/geo"
	"github.com/trackmesh/trackmesh/history"
)

// youngHistory knows nothing from before.
type youngHistory struct{ *fakeHistory }

func (youngHistory) At(context.Context, history.AtQuery) ([]history.Position, error) { return nil, nil }

// startWithDrive has a car in history that drives through 0, 0 from the west, a fix a second.
func startWithDrive(t *testing.T, vehicles ...string) *bundle {
	t.Helper()
	b := start(t, func(o *Options) { o.History = youngHistory{o.History.(*fakeHistory)} })
	for s := range int64(20) {
		for _, v := range vehicles {
			b.history.positions = append(b.history.positions, history.Position{
				Vehicle: v, Time: 1_700_000_000_000 + 1000*s, Location: geo.Point{Lon: float64(s-10) * 0.0005}, SpeedMPS: math.NaN(), HeadingDegrees: math.NaN(),
			})
		}
	}
	return b
}

const (
	crossing = `{"type":"Feature","geometry":{"type":"Point","coordinates":[0,0]},"properties":{"name":"Null","radius_metres":150}}`
	spanned  = `"from":"2023-11-14T22:13:20Z","to":1700000060000`
)

func TestABacktestSaysWhatAFenceWouldHaveMade(t *testing.T) {
	b := startWithDrive(t, "cab 1", "cab 2")
	require.Equal(t, http.StatusOK, b.do(http.MethodPut, "/api/v1/fences/null", crossing, "Content-Type", "application/geo+json").StatusCode)
	post := func(id, query, body string, headers ...string) answer {
		return b.do(http.MethodPost, "/api/v1/fences/"+id+"/backtest"+query, body, append(headers, "Content-Type", "application/json")...)
	}
	kinds := func(doc map[string]any) []string {
		var all []string
		for _, e := range doc["events"].([]any) {
			m := e.(map[string]any)
			all = append(all, fmt.Sprint(m["vehicle"], " ", m["type"], " ", m["fence"].(map[string]any)["id"]))
			require.NotContains(t, m, "source")
			require.NotContains(t, m["evidence"].(map[string]any)["after"], "offset")
		}
		return all
	}
	doc := post("null", "", "{"+spanned+"}").json(t)
	require.ElementsMatch(t, []string{"cab 1 enter null", "cab 1 exit null", "cab 2 enter null", "cab 2 exit null"}, kinds(doc))
	require.Equal(t, []any{40.0, 2.0, 1000.0, false}, []any{doc["fixes"], doc["vehicles"], doc["limit"], doc["truncated"]})

	doc = post("null", "?limit=1", "{"+spanned+`,"vehicles":["cab 2"]}`).json(t)
	require.Equal(t, []string{"cab 2 enter null"}, kinds(doc))
	require.Equal(t, true, doc["truncated"])

	doc = post("new", "", "{"+spanned+`,"vehicles":["cab 2"],"feature":`+crossing+"}").json(t)
	require.Equal(t, []string{"cab 2 enter new", "cab 2 exit new"}, kinds(doc))

	lines := post("null", "", "{"+spanned+`,"vehicles":["cab 1"]}`, "Accept", "application/x-ndjson")
	require.Equal(t, "application/x-ndjson", lines.Header.Get("Content-Type"))
	parts := bytes.Split(bytes.TrimSpace(lines.body), []byte("\n"))
	require.Len(t, parts, 3)
	require.JSONEq(t, `{"fixes":20,"vehicles":1,"limit":1000,"truncated":false}`, string(parts[2]))
	require.True(t, json.Valid(parts[0]))

	post("nobody", "", "{"+spanned+"}").problem(t, http.StatusNotFound, "fence")
	for body, pointer := range map[string]string{
		`{"to":1}`:           "/from",
		`{"from":1,"to":""}`: "/to",
		"{" + spanned + `,"feature":{"type":"Feature"}}`:                                                     "/feature/geometry",
		"{" + spanned + `,"vehicles":[` + strings.Repeat(`"v",`, 1000) + `"v"]}`:                             "/vehicles",
		"{" + spanned + `,"feature":` + strings.Replace(crossing, `"name"`, `"follows":"v","name"`, 1) + "}": "",
		`{"from":2,"to":1}`: "",
	} {
		p := post("null", "", body).problem(t, http.StatusBadRequest, "body")
		got := p["errors"].([]any)[0].(map[string]any)["pointer"]
		if pointer != "" {
			require.Equal(t, pointer, got, body)
		}
	}
}

func TestWithoutHistoryThereIsNoBacktest(t *testing.T) {
	b := start(t, func(o *Options) { o.History = nil })
	b.do(http.MethodPost, "/api/v1/fences/new/backtest", "{"+spanned+`,"feature":`+crossing+"}", "Content-Type", "application/json").problem(t, http.StatusNotImplemented, "history-off")
}
