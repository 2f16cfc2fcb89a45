package api

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/broker"
	"github.com/trackmesh/trackmesh/geo"
	"github.com/trackmesh/trackmesh/history"
	"github.com/trackmesh/trackmesh/track"
)

func TestEveryRouteIsDescribedAndEveryDescriptionIsARoute(t *testing.T) {
	b := start(t)
	doc, err := openapi3.NewLoader().LoadFromData(openAPI)
	require.NoError(t, err)
	described := map[string]bool{}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			described[method+" "+path] = true
			require.NotEmpty(t, op.OperationID, path)
		}
	}
	routed := map[string]bool{}
	for _, r := range b.server.routes {
		if !strings.Contains(r.pattern, "/trackmesh.v1.") { // their description is the .proto
			routed[r.pattern] = true
		}
	}
	require.Equal(t, routed, described)
}

func TestATrackAnswersWithItsState(t *testing.T) {
	b := start(t)
	b.put(cab("cab 1/ü", -73.98, 40.75))
	a := b.get("/api/v1/tracks/" + url.PathEscape("cab 1/ü"))
	require.Equal(t, http.StatusOK, a.StatusCode)
	require.JSONEq(t, fmt.Sprintf(`{
		"vehicle": "cab 1/ü", "time": "2023-11-14T22:13:20.000Z", "position": [-73.98, 40.75], "speed_mps": 8.25, "heading_degrees": null,
		"status": "moving", "odometer_metres": 1200, "fences": ["jfk"], "attributes": {"driver": "Ann"},
		"last_offset": {"topic": "positions", "partition": %d, "offset": 41}, "node": "n1"}`, b.home("cab 1/ü")), string(a.body))
}

func TestAnUnknownVehicleIsNotFoundOnlyWhenAllPartitionsWereAsked(t *testing.T) {
	b := start(t)
	b.get("/api/v1/tracks/nobody").problem(t, http.StatusNotFound, "vehicle")
	b.fleet.Drop(3)
	a := b.get("/api/v1/tracks/nobody")
	p := a.problem(t, http.StatusServiceUnavailable, "partitions-missing")
	require.Equal(t, "1", a.Header.Get("Retry-After"))
	require.Equal(t, map[string]any{"asked": 4.0, "answered": 3.0, "missing": []any{3.0}}, p["partitions"])
}

func ids(t *testing.T, a answer) []string {
	t.Helper()
	require.Equal(t, http.StatusOK, a.StatusCode, "%s", a.body)
	all := []string{}
	for _, f := range a.json(t)["features"].([]any) {
		all = append(all, f.(map[string]any)["id"].(string))
	}
	return all
}

func TestLiveSearches(t *testing.T) {
	b := start(t)
	b.put(cab("a", -73.98, 40.75))
	b.put(cab("b", -73.99, 40.75))
	stopped := cab("c", 179.9, 10)
	stopped.Status, stopped.Fences = track.Stopped, []string{"fiji"}
	b.put(stopped)
	b.put(cab("d", -179.9, 10))
	_, err := b.fences.Put(t.Context(), "fiji", []byte(circle(179.9, 10)), nil)
	require.NoError(t, err)

	require.Equal(t, []string{"a", "b"}, ids(t, b.get("/api/v1/tracks?bbox=-75,40,-73,41")))
	require.Equal(t, []string{"c", "d"}, ids(t, b.get("/api/v1/tracks?bbox=179,0,-179,20")), "across the antimeridian")
	require.Equal(t, []string{"c", "d"}, ids(t, b.get("/api/v1/tracks?bbox=179,0,181,20")), "as a map writes it")
	require.Equal(t, []string{"c"}, ids(t, b.get("/api/v1/tracks?fence=fiji")))
	require.Equal(t, []string{"c"}, ids(t, b.get("/api/v1/tracks?status=stopped,silent")))
	require.Equal(t, []string{"b", "a"}, ids(t, b.get("/api/v1/tracks?near=-73.991,40.75&k=2")))
	require.Equal(t, []string{"d", "c"}, ids(t, b.get("/api/v1/tracks?near=-179.99,10&radius_metres=50000")))
	require.Equal(t, []string{"a"}, ids(t, b.do(http.MethodPost, "/api/v1/tracks/search",
		`{"polygon":{"type":"Polygon","coordinates":[[[-73.985,40],[-73,40],[-73,41],[-73.985,41],[-73.985,40]]]}}`, "Content-Type", "application/json")))

	near := b.get("/api/v1/tracks?near=-73.991,40.75&k=1").json(t)["features"].([]any)[0].(map[string]any)["properties"].(map[string]any)
	require.InDelta(t, geo.Distance(geo.Point{Lon: -73.991, Lat: 40.75}, geo.Point{Lon: -73.99, Lat: 40.75}), near["distance_metres"], 1e-6)

	cut := b.get("/api/v1/tracks?limit=1").json(t)
	require.Equal(t, true, cut["truncated"])
	require.EqualValues(t, 1, cut["limit"])
	b.fleet.Drop(0)
	partial := b.get("/api/v1/tracks").json(t)
	require.Equal(t, []any{0.0}, partial["partitions"].(map[string]any)["missing"])
	b.get("/api/v1/tracks?fence=nowhere").problem(t, http.StatusNotFound, "fence")
}

func TestWrongParametersAreRefusedByName(t *testing.T) {
	b := start(t)
	for path, parameter := range map[string]string{
		"/api/v1/tracks?bbox=1,2,3":                                       "bbox",
		"/api/v1/tracks?bbox=1,50,3,40":                                   "bbox",
		"/api/v1/tracks?bbox=1,NaN,3,40":                                  "bbox",
		"/api/v1/tracks?near=200,1":                                       "near",
		"/api/v1/tracks?near=1,1&k=0":                                     "k",
		"/api/v1/tracks?near=1,1&bbox=1,1,2,2":                            "bbox",
		"/api/v1/tracks?near=1,1&radius_metres=-1":                        "radius_metres",
		"/api/v1/tracks?limit=0":                                          "limit",
		"/api/v1/tracks?status=flying":                                    "status",
		"/api/v1/tracks?colour=red":                                       "colour",
		"/api/v1/tracks?at=yesterday":                                     "at",
		"/api/v1/cells":                                                   "precision",
		"/api/v1/cells?precision=10":                                      "precision",
		"/api/v1/tracks/x/path?from=2&to=1":                               "to",
		"/api/v1/tracks/x/path?simplify_metres=x":                         "simplify_metres",
		"/api/v1/events?type=bang":                                        "type",
		"/api/v1/events/stream?type=bang":                                 "type",
		"/api/v1/replay":                                                  "from",
		"/api/v1/replay?from=0&to=3600001":                                "to",
		"/api/v1/replay/histogram?from=0&to=99999999999&interval_ms=1000": "interval_ms",
		"/api/v1/log/positions":                                           "partition",
		"/api/v1/log/positions?partition=4":                               "partition",
		"/api/v1/fences/x?wait=1":                                         "",
	} {
		if parameter == "" {
			continue
		}
		p := b.get(path).problem(t, http.StatusBadRequest, "parameter")
		require.Equal(t, parameter, p["errors"].([]any)[0].(map[string]any)["parameter"], path)
	}
	p := b.do(http.MethodPost, "/api/v1/tracks/search", `{"polygon":{"type":"Polygon","coordinates":[[[0,0],[1,1]]]}}`).problem(t, http.StatusBadRequest, "body")
	require.Contains(t, p["errors"].([]any)[0].(map[string]any)["pointer"], "/polygon")
}

func TestWhatIsNotThereIsAProblemDocument(t *testing.T) {
	b := start(t)
	b.get("/api/v1/nothing").problem(t, http.StatusNotFound, "")
	b.do(http.MethodPut, "/nothing", "").problem(t, http.StatusNotFound, "")
	a := b.do(http.MethodDelete, "/api/v1/tracks/x", "")
	a.problem(t, http.StatusMethodNotAllowed, "")
	require.Equal(t, "GET, HEAD", a.Header.Get("Allow"))
	b.do(http.MethodPut, "/api/v1/fences/x", "{}", "Content-Type", "text/csv").problem(t, http.StatusUnsupportedMediaType, "media-type")
	b.do(http.MethodPost, "/api/v1/positions", "x", "Content-Type", "application/zip").problem(t, http.StatusUnsupportedMediaType, "media-type")
	b.do(http.MethodPost, "/api/v1/positions", "x", "Content-Encoding", "br").problem(t, http.StatusUnsupportedMediaType, "media-type")
	b.get("/api/v1/tracks/"+strings.Repeat("x", 129)).problem(t, http.StatusBadRequest, "")
	b.get("/api/v1/tracks/a%00b").problem(t, http.StatusBadRequest, "")
	b.get("/api/v1/log/secrets?partition=0").problem(t, http.StatusNotFound, "")
	b.get("/api/v1/live").problem(t, http.StatusUpgradeRequired, "upgrade")
	b.get("/api/v1/live", "Upgrade", "websocket", "Connection", "Upgrade", "Origin", "https://evil.example").problem(t, http.StatusForbidden, "origin")
	require.Equal(t, http.StatusMethodNotAllowed, b.do(http.MethodHead, "/api/v1/events/stream", "").StatusCode)
}

func TestAPathJoinsMemoryAndHistoryWithoutASeam(t *testing.T) {
	b := start(t)
	b.put(cab("cab 1", 0, 0))
	b.paths.since = 5000
	for ms := int64(0); ms < 10_000; ms += 1000 {
		at := geo.Point{Lon: float64(ms) / 1000, Lat: 0}
		if ms >= 5000 {
			b.paths.points = append(b.paths.points, track.PathPoint{Time: ms, Position: at, SpeedMPS: 1, HeadingDegrees: math.NaN()})
		}
		if ms < 8000 { // history lags, and overlaps memory
			b.history.positions = append(b.history.positions, history.Position{Vehicle: "cab 1", Time: ms, Location: at, SpeedMPS: math.NaN(), HeadingDegrees: 90})
		}
	}
	line := func(query string) []float64 {
		f := b.get("/api/v1/tracks/cab%201/path" + query).json(t)
		lons := []float64{}
		if f["geometry"] == nil {
			return lons
		}
		for _, c := range f["geometry"].(map[string]any)["coordinates"].([]any) {
			if pair, ok := c.([]any); ok {
				lons = append(lons, pair[0].(float64))
			}
		}
		require.Len(t, f["properties"].(map[string]any)["times"], len(lons))
		return lons
	}
	require.Equal(t, []float64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, line(""))
	require.Equal(t, []float64{3, 4, 5, 6}, line("?from=3000&to=7000"))
	require.Equal(t, []float64{6, 7, 8}, line("?from=6000&to=9000"))
	require.Equal(t, []float64{1, 2}, line("?from=1000&to=3000"))
	require.Equal(t, []float64{3, 4, 5, 6, 7, 8, 9}, line("?limit=7"))
	require.Equal(t, []float64{0, 9}, line("?simplify_metres=5"))
	require.Empty(t, line("?from=20000"))
	b.get("/api/v1/tracks/nobody/path").problem(t, http.StatusNotFound, "vehicle")
}

func TestWithHistoryOffAnswersSaySo(t *testing.T) {
	b := start(t, func(o *Options) { o.History = nil })
	b.put(cab("cab 1", 0, 0))
	b.paths.since = 5000
	b.paths.points = []track.PathPoint{{Time: 5000}, {Time: 6000, Position: geo.Point{Lon: 1}}}
	properties := b.get("/api/v1/tracks/cab%201/path").json(t)["properties"].(map[string]any)
	require.Equal(t, "off", properties["history"])
	require.Equal(t, "1970-01-01T00:00:05.000Z", properties["complete_from"])
	for _, path := range []string{
		"/api/v1/events", "/api/v1/events/x", "/api/v1/tracks?at=0", "/api/v1/cells?precision=3&from=0", "/api/v1/replay?from=0&to=1000",
		"/api/v1/tracks/x/trips", "/api/v1/tracks/x/events", "/api/v1/replay/histogram?from=0&to=1000",
	} {
		b.get(path).problem(t, http.StatusNotImplemented, "history-off")
	}
}

func TestThePastIsAsked(t *testing.T) {
	b := start(t)
	b.put(cab("a", 1, 1))
	b.history.events = []json.RawMessage{
		[]byte(`{"id":"e3","type":"trip_started","vehicle":"a","sequence":3,"location":[1,2],"trip":{"start":{"time":"2026-01-01T00:10:00.000Z","location":[1,2]}}}`),
		[]byte(`{"id":"e2","type":"trip_ended","vehicle":"a","sequence":2,"location":[1,2],"trip":{"distance_metres":12.5}}`),
		[]byte(`{"id":"e1","type":"enter","vehicle":"a","sequence":1,"cause":"fix","location":[1,2],"fence":{"id":"jfk","version":0},` +
			`"evidence":{"before":{"time":"2026-01-01T00:00:00.000Z","location":[1,1],"offset":4},"after":{"time":"2026-01-01T00:00:10.000Z","location":[1,3],"offset":5}}}`),
	}
	b.history.positions = []history.Position{
		{Vehicle: "b", Time: 1000, Location: geo.Point{Lon: 1, Lat: 2}, SpeedMPS: 3, HeadingDegrees: 180, Status: "stopped"},
		{Vehicle: "a", Time: 3000, Location: geo.Point{Lon: 1.5, Lat: 2}, SpeedMPS: math.NaN(), HeadingDegrees: math.NaN(), Status: "moving"},
		{Vehicle: "a", Time: 2000, Location: geo.Point{Lon: 1, Lat: 2}, SpeedMPS: 1, HeadingDegrees: 359.9, Status: "moving"},
	}
	list := b.get("/api/v1/events?limit=2").json(t)
	require.Len(t, list["events"], 2)
	require.Equal(t, "more", list["next"])
	require.Len(t, b.get("/api/v1/tracks/a/events?type=enter,exit").json(t)["events"], 1)
	b.get("/api/v1/tracks/nobody/events").problem(t, http.StatusNotFound, "vehicle")

	trips := b.get("/api/v1/tracks/a/trips").json(t)["trips"].([]any)
	require.Len(t, trips, 2)
	require.Equal(t, true, trips[0].(map[string]any)["open"])
	require.Equal(t, 12.5, trips[1].(map[string]any)["distance_metres"]) //nolint:testifylint // the same number
	require.Empty(t, b.get("/api/v1/tracks/a/stops").json(t)["stops"])

	require.Equal(t, "e2", b.get("/api/v1/events/e2").json(t)["id"])
	b.get("/api/v1/events/e9").problem(t, http.StatusNotFound, "")
	_, err := b.fences.Put(t.Context(), "jfk", []byte(circle(1, 2)), nil)
	require.NoError(t, err)
	require.Len(t, b.get("/api/v1/events/e1?explain=true").json(t)["features"], 5)

	require.Equal(t, []string{"b", "a", "a"}, ids(t, b.get("/api/v1/tracks?at=5000")))
	require.Equal(t, []string{"dr5q", "dr5r"}, ids(t, b.get("/api/v1/cells?precision=4&from=0&limit=2")), "the fullest, by name")
	require.EqualValues(t, []any{3.0}, b.get("/api/v1/replay/histogram?from=0&to=60000").json(t)["counts"])

	replay := b.get("/api/v1/replay?from=500&to=60000").json(t)
	require.Equal(t, []any{"a", "b"}, replay["vehicles"])
	require.Equal(t, []any{2.0, 1.0}, replay["rows"])
	require.Equal(t, []any{1500.0, 1000.0, 500.0}, replay["dt_ms"])
	require.Equal(t, []any{1e7, 5e6, 1e7}, replay["lon_e7"])
	require.Equal(t, []any{2e7, 0.0, 2e7}, replay["lat_e7"])
	require.Equal(t, []any{10.0, 65535.0, 30.0}, replay["speed_dms"])
	require.Equal(t, []any{254.0, 255.0, 127.0}, replay["heading"])
	require.Equal(t, []any{0.0, 0.0, 1.0}, replay["status"])
	require.EqualValues(t, 2, b.get("/api/v1/replay?from=500&to=60000&step_ms=5000").json(t)["count"])
}

func TestAReplayInBinaryHoldsTheSameAndBeginsWithWhereTheFleetWas(t *testing.T) {
	b := start(t)
	b.history.positions = []history.Position{
		{Vehicle: "a", Time: 1000, Location: geo.Point{Lon: 1, Lat: 2}, Status: "moving"},
		{Vehicle: "a", Time: 6000, Location: geo.Point{Lon: 1.5, Lat: 2}, Status: "stopped"},
	}
	got := b.get("/api/v1/replay?from=5000&to=65000&carry=true&limit=1&format=binary")
	require.Equal(t, replayType, got.Header.Get("Content-Type"))
	fixes, from, to, next := readReplay(t, got.body)
	require.Equal(t, []int64{5000, 65_000, 0}, []int64{from, to, next})
	require.Equal(t, b.history.positions, fixes)
	b.get("/api/v1/replay?from=0&to=1&format=xml").problem(t, http.StatusBadRequest, "parameter")
}

func TestATruncatedReplayGoesOnWithoutLossOrDouble(t *testing.T) {
	b := start(t)
	for i := range int64(30) {
		b.history.positions = append(b.history.positions, history.Position{Vehicle: fmt.Sprint("v", i%3), Time: 1000 + i/4})
	}
	from, rows := "0", 0.0
	for from != "" {
		page := b.get("/api/v1/replay?from=" + from + "&to=2000&limit=6").json(t)
		rows += page["count"].(float64)
		require.LessOrEqual(t, page["count"], 6.0)
		from, _ = page["next"].(string)
		require.Equal(t, from != "", page["truncated"])
	}
	require.InDelta(t, 30, rows, 0)
}

func TestLiveCellsCountTheFleet(t *testing.T) {
	b := start(t)
	for i := range 5 {
		b.put(cab(fmt.Sprint("v", i), -73.98+float64(i)*1e-5, 40.75))
	}
	b.put(cab("far", 10, 10))
	cells := b.get("/api/v1/cells?precision=5&bbox=-80,30,-70,50").json(t)
	f := cells["features"].([]any)[0].(map[string]any)
	require.Equal(t, map[string]any{"cell": geo.Geohash(geo.Point{Lon: -73.98, Lat: 40.75}, 5), "count": 5.0}, f["properties"])
	require.Len(t, cells["features"], 1)
	require.EqualValues(t, 4, cells["partitions"].(map[string]any)["answered"])
}

func circle(lon, lat float64) string {
	return fmt.Sprintf(`{"type":"Feature","geometry":{"type":"Point","coordinates":[%v,%v]},"properties":{"name":"C","radius_metres":500}}`, lon, lat)
}

func TestFencesAreChangedUnderTheirVersion(t *testing.T) {
	b := start(t)
	put := func(body string, headers ...string) answer {
		return b.do(http.MethodPut, "/api/v1/fences/jfk%2F1?wait=1s", body, append(headers, "Content-Type", "application/geo+json")...)
	}
	a := put(circle(1, 2), "If-None-Match", "*")
	require.JSONEq(t, `{"id":"jfk/1","version":0,"live":true}`, string(a.body))
	require.Equal(t, `"0"`, a.Header.Get("ETag"))
	put(circle(1, 2), "If-None-Match", "*").problem(t, http.StatusPreconditionFailed, "version")
	put(circle(1, 3), "If-Match", `"7"`).problem(t, http.StatusPreconditionFailed, "version")
	put(circle(1, 3), "If-Match", `7`).problem(t, http.StatusBadRequest, "parameter")
	require.Equal(t, http.StatusOK, put(circle(1, 3), "If-Match", `"0"`).StatusCode)
	require.Equal(t, http.StatusOK, put(circle(1, 3), "If-Match", `*`).StatusCode)
	p := put(`{"type":"Feature","geometry":{"type":"Polygon","coordinates":[[[0,0],[1,0],[0,0]]]},"properties":{}}`).problem(t, http.StatusBadRequest, "body")
	require.Contains(t, p["errors"].([]any)[0].(map[string]any)["pointer"], "/geometry")

	got := b.get("/api/v1/fences/jfk%2F1")
	require.Equal(t, `"2"`, got.Header.Get("ETag"))
	require.Equal(t, "jfk/1", got.json(t)["id"])
	require.EqualValues(t, 2, got.json(t)["version"])
	require.Equal(t, http.StatusNotModified, b.get("/api/v1/fences/jfk%2F1", "If-None-Match", `"2"`).StatusCode)
	require.Equal(t, []string{"jfk/1"}, ids(t, b.get("/api/v1/fences?bbox=0,0,5,5")))
	require.Empty(t, ids(t, b.get("/api/v1/fences?bbox=50,0,55,5")))

	b.fences.liveAt = 2
	slow := b.do(http.MethodDelete, "/api/v1/fences/jfk%2F1?wait=50ms", "")
	require.JSONEq(t, `{"id":"jfk/1","version":3,"live":false}`, string(slow.body))
	b.do(http.MethodDelete, "/api/v1/fences/jfk%2F1", "").problem(t, http.StatusNotFound, "fence")
	b.get("/api/v1/fences/jfk%2F1").problem(t, http.StatusNotFound, "fence")
	b.do(http.MethodPut, "/api/v1/fences/x", circle(1, 1), "If-Match", "*").problem(t, http.StatusPreconditionFailed, "version")
}

func withID(id, f string) string { return strings.Replace(f, `{`, `{"id":"`+id+`",`, 1) }

func TestAnImportReportsEachBadLineAndStoresTheRest(t *testing.T) {
	b := start(t, func(o *Options) { o.MaxBodyBytes = 2000 })
	lines := []string{
		withID("a", circle(1, 1)), "", "not json", circle(1, 2), withID("bad", strings.Replace(circle(1, 2), "500", "-5", 1)),
		withID("big", strings.Replace(circle(1, 2), "C", strings.Repeat("C", 3000), 1)), withID("z", circle(1, 3)),
	}
	a := b.do(http.MethodPost, "/api/v1/fences/import?wait=1s", strings.Join(lines, "\n"), "Content-Type", "application/x-ndjson")
	report := a.json(t)
	require.EqualValues(t, 2, report["stored"], "%s", a.body)
	require.Equal(t, true, report["live"])
	var bad []float64
	for _, e := range report["errors"].([]any) {
		bad = append(bad, e.(map[string]any)["line"].(float64))
	}
	require.ElementsMatch(t, []float64{3, 4, 5, 6}, bad)

	collection := `{"type":"FeatureCollection","name":"x","features":[` + withID("c1", circle(1, 1)) + `,` + circle(2, 2) + `,` + withID("c2", circle(1, 1)) + `]}`
	a = b.do(http.MethodPost, "/api/v1/fences/import", collection, "Content-Type", "application/geo+json")
	require.EqualValues(t, 2, a.json(t)["stored"], "%s", a.body)
	require.Len(t, a.json(t)["errors"], 1)
	a = b.do(http.MethodPost, "/api/v1/fences/import", withID("single", circle(1, 1)), "Content-Type", "application/json")
	require.EqualValues(t, 1, a.json(t)["stored"], "%s", a.body)

	p := b.do(http.MethodPost, "/api/v1/fences/import", collection[:len(collection)-20], "Content-Type", "application/geo+json").problem(t, http.StatusBadRequest, "")
	require.Contains(t, p, "stored")
	require.Equal(t, []string{"a", "c1", "c2", "single", "z"}, ids(t, b.get("/api/v1/fences")))
	page := b.get("/api/v1/fences?limit=2").json(t)
	require.Equal(t, "c1", page["next"])
	require.Equal(t, []string{"c2", "single"}, ids(t, b.get("/api/v1/fences?limit=2&after=c1")))
}

func TestPositionsAreStoredAsTheyCameWithWhatMakesARepeatHarmless(t *testing.T) {
	b := start(t)
	body := `{"vehicle":"a","n":1}` + "\n" + `{"n":2}` + "\n" + `{"vehicle":"b","n":3}` + "\n" + `{"vehicle":"a","x":"` + strings.Repeat("y", 1000) + `"}`
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err := z.Write([]byte(body))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	a := b.do(http.MethodPost, "/api/v1/positions", packed.String(), "Content-Type", "application/x-ndjson", "Content-Encoding", "gzip",
		"Trackmesh-Producer", "p1", "Trackmesh-Sequence", "100")
	require.JSONEq(t, `{"stored":2,"errors":[{"line":2,"reason":"vehicle"},{"line":4,"reason":"too_large"}]}`, string(a.body))
	rec := b.log.records[broker.Input][b.home("b")][0]
	if b.home("a") == b.home("b") {
		rec = b.log.records[broker.Input][b.home("b")][1]
	}
	require.Equal(t, []byte(`{"vehicle":"b","n":3}`), rec.Value, "byte for byte") //nolint:testifylint // not as JSON
	require.Equal(t, "b", string(rec.Key))
	for name, want := range map[string]string{"content-type": "application/x-ndjson", "producer": "p1", "sequence": "102"} {
		got, _ := rec.Header(name)
		require.Equal(t, want, string(got), name)
	}
	b.do(http.MethodPost, "/api/v1/positions", "{}", "Trackmesh-Producer", "p1").problem(t, http.StatusBadRequest, "parameter")
	b.do(http.MethodPost, "/api/v1/positions", "not gzip", "Content-Encoding", "gzip").problem(t, http.StatusBadRequest, "")
	require.JSONEq(t, `{"stored":0,"errors":[]}`, string(b.do(http.MethodPost, "/api/v1/positions", "").body))
}

func TestIngestSaysHowFarItCameWhenItBreaksOff(t *testing.T) {
	b := start(t, func(o *Options) { o.MaxIngestBytes = 300_000 })
	line := `{"vehicle":"a"}` + "\n"
	long := strings.Repeat(line, 30_000)
	p := b.do(http.MethodPost, "/api/v1/positions", long).problem(t, http.StatusRequestEntityTooLarge, "too-large")
	require.Nil(t, p["stored"], "refused before anything was read")
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err := z.Write([]byte(long))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	p = b.do(http.MethodPost, "/api/v1/positions", packed.String(), "Content-Encoding", "gzip").problem(t, http.StatusRequestEntityTooLarge, "too-large")
	require.EqualValues(t, len(b.log.records[broker.Input][b.home("a")]), p["stored"])
	require.NotZero(t, p["stored"])

	b.log.fail = broker.ErrFull
	p = b.do(http.MethodPost, "/api/v1/positions", line).problem(t, http.StatusInsufficientStorage, "log-full")
	require.Contains(t, p["detail"], "--data-dir")
	b.log.fail = errors.New("broker is away")
	a := b.do(http.MethodPost, "/api/v1/positions", line)
	a.problem(t, http.StatusServiceUnavailable, "log")
	require.NotEmpty(t, a.Header.Get("Retry-After"))
}

func TestIngestRequestsOverTheBoundAreToldToComeBack(t *testing.T) {
	b := start(t, func(o *Options) { o.MaxIngests = 1 })
	b.log.block = make(chan struct{})
	first := make(chan answer, 1)
	go func() { first <- b.do(http.MethodPost, "/api/v1/positions", `{"vehicle":"a"}`) }()
	require.Eventually(t, func() bool { return len(b.server.ingests) == 1 }, waitAtMost, pollEvery)
	a := b.do(http.MethodPost, "/api/v1/positions", `{"vehicle":"a"}`)
	a.problem(t, http.StatusServiceUnavailable, "busy")
	require.Equal(t, "1", a.Header.Get("Retry-After"))
	close(b.log.block)
	require.Equal(t, http.StatusOK, (<-first).StatusCode)
}

func TestMessagesGoIntoTheLogOnce(t *testing.T) {
	b := start(t)
	b.put(cab("a", 1, 1))
	send := func(path, body string) answer {
		return b.do(http.MethodPost, path, body, "Content-Type", "application/json", "Idempotency-Key", "k1")
	}
	a := send("/api/v1/tracks/a/messages", `{"annotate":{"driver":"Bo","note":null}}`)
	require.Equal(t, http.StatusAccepted, a.StatusCode)
	require.JSONEq(t, `{"topic":"positions.commands","partition":1,"offset":0,"applied":false}`, string(a.body))
	require.Equal(t, "k1", b.messages.sent[0].GetIdempotencyKey())
	require.Equal(t, map[string]string{"driver": "Bo", "note": ""}, b.messages.sent[0].GetAnnotate().GetAttributes())
	require.Equal(t, http.StatusOK, send("/api/v1/tracks/a/messages?wait=2s", `{"configure":{"stop_after_seconds":90,"path_fixes":0}}`).StatusCode)
	require.EqualValues(t, 90_000, b.messages.sent[1].GetConfigure().GetStopAfterMs())
	require.NotNil(t, b.messages.sent[1].GetConfigure().PathFixes)
	require.Equal(t, http.StatusAccepted, send("/api/v1/tracks/a/messages", `{"forget":{}}`).StatusCode)

	for _, body := range []string{
		``, `{}`, `[]`, `{"annotate":{},"forget":{}}`, `{"forget":null}`, `{"explode":{}}`, `{"annotate":{"a":1}}`,
		`{"configure":{"stop_radius_metres":-1}}`, `{"configure":{"speed":1}}`, `{"forget":{}} {}`,
	} {
		send("/api/v1/tracks/a/messages", body).problem(t, http.StatusBadRequest, "body")
	}
	send("/api/v1/tracks/nobody/messages", `{"forget":{}}`).problem(t, http.StatusNotFound, "vehicle")
	require.Len(t, b.messages.sent, 3)
}

func TestTheLogIsDumpedUpToTheEndThatItHad(t *testing.T) {
	b := start(t)
	var records []broker.Record
	for i := range 20 {
		records = append(records, broker.Record{Stream: broker.Events, Partition: 2, Key: []byte("a"), Value: fmt.Appendf(nil, `{"n":%d}`, i)})
	}
	records[3].Value, records[4].Value, records[5].Key = []byte{0xff}, nil, []byte{0xfe}
	records[6].Headers = []broker.Header{{Key: "id", Value: []byte("x")}, {Key: "raw", Value: []byte{0xff}}}
	_, err := b.log.Produce(t.Context(), records)
	require.NoError(t, err)
	read := func(query string) (lines []map[string]any) {
		scan := bufio.NewScanner(bytes.NewReader(b.get("/api/v1/log/positions.events?partition=2" + query).body))
		for scan.Scan() {
			var line map[string]any
			require.NoError(t, json.Unmarshal(scan.Bytes(), &line))
			lines = append(lines, line)
		}
		return lines
	}
	all := read("")
	require.Len(t, all, 21)
	require.Equal(t, map[string]any{"next": 20.0, "end": 20.0}, all[20])
	require.Equal(t, map[string]any{"n": 7.0}, all[7]["value"])
	require.Equal(t, "/w==", all[3]["value_base64"])
	require.Contains(t, all[4], "value")
	require.Nil(t, all[4]["value"])
	require.Nil(t, all[5]["key"])
	require.Equal(t, map[string]any{"id": "x", "raw_base64": "/w=="}, all[6]["headers"])
	some := read("&from=5&limit=9")
	require.Len(t, some, 10)
	require.Equal(t, map[string]any{"next": 14.0, "end": 20.0}, some[9])
	require.Equal(t, []map[string]any{{"next": 20.0, "end": 20.0}}, read("&from=20"))
	b.get("/api/v1/log/positions.events?partition=2&from=21").problem(t, http.StatusGone, "offset")
}

func TestHealthClusterAndMetrics(t *testing.T) {
	b := start(t)
	require.Equal(t, http.StatusOK, b.get("/healthz").StatusCode)
	require.Equal(t, http.StatusOK, b.get("/readyz").StatusCode)
	require.Equal(t, []any{}, b.get("/readyz").json(t)["warnings"])
	b.ready.state = Readiness{Ready: true, Warnings: []string{"sink elasticsearch: away"}}
	warned := b.get("/readyz")
	require.Equal(t, http.StatusOK, warned.StatusCode)
	require.Equal(t, []any{"sink elasticsearch: away"}, warned.json(t)["warnings"])
	b.ready.state = Readiness{Reasons: []string{"partition 3 is recovering"}}
	b.log.sick = broker.ErrFull
	a := b.get("/readyz")
	require.Equal(t, http.StatusServiceUnavailable, a.StatusCode)
	require.Equal(t, []any{"partition 3 is recovering", "the log: no space left for the log"}, a.json(t)["reasons"])
	require.Equal(t, []any{}, b.get("/api/v1/cluster").json(t)["moves"])
	require.Contains(t, string(b.get("/metrics").body), `trackmesh_http_requests_total{code="200",route="GET /api/v1/cluster"} 1`)
	require.Equal(t, http.StatusOK, b.get("/openapi.yaml").StatusCode)
	docs := b.get("/docs")
	require.Contains(t, docs.Header.Get("Content-Security-Policy"), "default-src 'none'")
	require.NotContains(t, string(docs.body), "http://")
	require.NotContains(t, string(docs.body), "https://")
}

func TestPagesOfTheMapAreServed(t *testing.T) {
	b := start(t)
	index := b.get("/")
	require.Contains(t, string(index.body), "<title>map</title>")
	require.Contains(t, index.Header.Get("Content-Security-Policy"), "default-src 'self'")
	require.Equal(t, "no-cache", index.Header.Get("Cache-Control"))
	require.Equal(t, index.body, b.get("/vehicle/cab").body, "an address of the page's own")
	require.Contains(t, b.get("/assets/main-abc123.js").Header.Get("Cache-Control"), "immutable")
	require.Equal(t, http.StatusNotModified, b.get("/", "If-None-Match", index.Header.Get("ETag")).StatusCode)
	b.get("/assets/gone.js").problem(t, http.StatusNotFound, "")
	require.JSONEq(t, `{}`, string(b.get("/config.json").body))
	bare := start(t, func(o *Options) { o.Web = nil })
	require.Contains(t, bare.get("/").problem(t, http.StatusNotFound, "")["detail"], "make web")
}

func TestAnswersAreCompressedForWhoAsks(t *testing.T) {
	b := start(t)
	for i := range 200 {
		b.put(cab(fmt.Sprint("v", i), 1, 1))
	}
	a := b.get("/api/v1/tracks", "Accept-Encoding", "gzip")
	require.Equal(t, "gzip", a.Header.Get("Content-Encoding"))
}
