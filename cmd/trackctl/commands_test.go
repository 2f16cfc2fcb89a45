package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	trackBody = `{"vehicle":"bus/7","time":"2026-03-04T11:59:58.000Z","speed_mps":12.34,"heading_degrees":null,"status":"moving","odometer_metres":15234.5,` +
		`"fences":["depot","east"],"attributes":{"driver":"Ana","seats":4},"last_offset":{"topic":"positions","partition":3,"offset":17},"position":[-73.98,40.75],"node":"one"}`
	nearBody = `{"type":"FeatureCollection","features":[{"type":"Feature","id":"a","geometry":{"type":"Point","coordinates":[-73.98,40.75]},"properties":` +
		`{"vehicle":"a","time":"2026-03-04T11:59:58.500Z","speed_mps":1,"heading_degrees":90,"status":"stopped","odometer_metres":1,"fences":[],"distance_metres":12.4}},` +
		`{"type":"Feature","id":"b","geometry":{"type":"Point","coordinates":[-73.97,40.75]},"properties":{"vehicle":"b\u001b[31m","time":"2026-03-04T11:59:58.000Z",` +
		`"speed_mps":null,"heading_degrees":null,"status":"silent","odometer_metres":1,"fences":["x"],"distance_metres":12345}}],` +
		`"limit":2,"truncated":true,"partitions":{"asked":8,"answered":7,"missing":[5]}}`
	pathBody = `{"type":"Feature","id":"a","geometry":{"type":"LineString","coordinates":[[1,2],[1.5,2.5]]},"properties":{"vehicle":"a","times":["2026-03-04T11:00:00.000Z",` +
		`"2026-03-04T11:00:02.000Z"],"speeds_mps":[null,3],"headings_degrees":[null,45],"limit":1000,"truncated":false,"history":"off","complete_from":"2026-03-04T11:00:00.000Z"}}`
	eventsBody = `{"events":[{"id":"e2","type":"exit","cause":"fix","@timestamp":"2026-03-04T11:00:02.000Z","vehicle":"a","sequence":2,"location":[1,2],"fence":{"id":"depot","name":"Depot","version":3}},` +
		`{"id":"e1","type":"trip_ended","cause":"fix","@timestamp":"2026-03-04T11:00:00.000Z","vehicle":"a","sequence":1,"location":[1,2],"trip":{"distance_metres":1500,"duration_seconds":600}}],"limit":100,"next":""}`
	tripsBody = `{"trips":[{"open":true,"start":{"time":"2026-03-04T11:30:00.000Z","location":[1,2]}},{"open":false,"start":{"time":"2026-03-04T10:00:00.000Z","location":[1,2]},` +
		`"end":{"time":"2026-03-04T10:20:00.000Z","location":[3,4]},"duration_seconds":1200,"distance_metres":9000,"max_speed_mps":20,"mean_speed_mps":7.5}],"limit":100,"next":""}`
	stopsBody  = `{"stops":[{"open":false,"started":"2026-03-04T10:00:00.000Z","ended":"2026-03-04T10:05:00.000Z","duration_seconds":300,"location":[1,2]}],"limit":100,"next":""}`
	fenceBody  = `{"type":"Feature","id":"depot","version":3,"geometry":{"type":"Point","coordinates":[1,2]},"properties":{"name":"Depot","radius_metres":300,"dwell_seconds":120,"events":["enter"]}}`
	fencesBody = `{"type":"FeatureCollection","features":[` + fenceBody + `,{"type":"Feature","id":"plain","version":4,"geometry":{"type":"Polygon","coordinates":[]},"properties":null}],"limit":1000,"truncated":false}`
	cellsBody  = `{"type":"FeatureCollection","features":[{"type":"Feature","id":"dr5","geometry":{"type":"Polygon","coordinates":[[[0,0],[2,0],[2,2],[0,2],[0,0]]]},"properties":{"cell":"dr5","count":3}},` +
		`{"type":"Feature","id":"dr7","geometry":{"type":"Polygon","coordinates":[[[0,0],[2,0],[2,2],[0,2],[0,0]]]},"properties":{"cell":"dr7","count":9}}],"limit":1000,"truncated":false}`
	webhookBody = `{"id":"ops","version":4,"url":"https://example.org/hook","filter":{"types":["enter","exit"],"bbox":[-74,40,-73,41]},"created":"2026-03-04T11:00:00.000Z",` +
		`"state":{"state":"failing","lag":17,"delivered":3,"last_delivered":"2026-03-04T11:30:00.000Z","last_error":"server: the receiver answered 500","last_error_at":"2026-03-04T11:59:00.000Z"}}`
	clusterBody = `{"node":"one","version":"v1","log":"embedded","topic":"positions","members":[{"name":"one","address":"127.0.0.1:1","state":"alive","since":"2026-03-04T11:00:00.000Z"}],` +
		`"partitions":[{"partition":0,"owner":"one","term":2,"state":"running","input_offset":17,"lag":3,"tracks":5,"event_clock_ms":1772625600000},` +
		`{"partition":1,"owner":"","term":0,"state":"failed","input_offset":0,"lag":0,"tracks":0,"event_clock_ms":0,"error":"fenced"}],` +
		`"sinks":[{"name":"sqlite","lag":4,"state":"running"}],"moves":[{"partition":1,"from":"one","to":"two"}],"fences":{"count":2,"version":4},"tracks":5,"records":{"accepted":9,"dead":1}}`
)

func TestCommandsShowWhatTheNodeAnswers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, question, body, asks string
		args                       []string
	}{
		{"tracks-get", "GET /api/v1/tracks/bus%2F7", trackBody, "", []string{"tracks", "get", "bus/7"}},
		{"tracks-get-json", "GET /api/v1/tracks/bus%2F7", trackBody, "", []string{"tracks", "get", "bus/7", "-o", "json"}},
		{"tracks-get-geojson", "GET /api/v1/tracks/bus%2F7", trackBody, "", []string{"tracks", "get", "bus/7", "--output", "geojson"}},
		{"tracks-near", "GET /api/v1/tracks", nearBody, "k=5&near=-73.98%2C40.75", []string{"tracks", "near", "-73.98,40.75", "--k", "5"}},
		{"tracks-near-json", "GET /api/v1/tracks", nearBody, "near=-73.98%2C40.75&radius_metres=500", []string{"tracks", "near", "--radius", "500", "-73.98,40.75", "-o", "json"}},
		{"tracks-search", "GET /api/v1/tracks", nearBody, "bbox=-74%2C40%2C-73%2C41&limit=100&status=moving%2Csilent", []string{"tracks", "search", "--bbox", "-74,40,-73,41", "--status", "moving,silent"}},
		{"tracks-search-at", "GET /api/v1/tracks", nearBody, "at=2026-03-04T10%3A00%3A00.000Z&limit=100", []string{"tracks", "search", "--at", "2h"}},
		{"tracks-path", "GET /api/v1/tracks/a/path", pathBody, "from=2026-03-04T11%3A00%3A00.000Z&limit=1000", []string{"tracks", "path", "a", "--from", "1h"}},
		{"tracks-events", "GET /api/v1/tracks/a/events", eventsBody, "limit=100&type=exit%2Center", []string{"tracks", "events", "a", "--type", "exit,enter"}},
		{"tracks-trips", "GET /api/v1/tracks/a/trips", tripsBody, "limit=100", []string{"tracks", "trips", "a"}},
		{"tracks-stops", "GET /api/v1/tracks/a/stops", stopsBody, "limit=100", []string{"tracks", "stops", "a"}},
		{"fences-list", "GET /api/v1/fences", fencesBody, "limit=1000", []string{"fences", "list"}},
		{"fences-get", "GET /api/v1/fences/depot", fenceBody, "", []string{"fences", "get", "depot"}},
		{"fences-get-geojson", "GET /api/v1/fences/depot", fenceBody, "", []string{"fences", "get", "depot", "-o", "geojson"}},
		{"webhooks-list", "GET /api/v1/webhooks", `{"webhooks":[` + webhookBody + `]}`, "", []string{"webhooks", "list"}},
		{"webhooks-get", "GET /api/v1/webhooks/ops", webhookBody, "", []string{"webhooks", "get", "ops"}},
		{"webhooks-put", "PUT /api/v1/webhooks/ops", strings.Replace(webhookBody, `"created"`, `"secret":"s3cret","created"`, 1), "", []string{"webhooks", "put", "ops", "https://example.org/hook", "--type", "enter,exit"}},
		{"webhooks-delete", "DELETE /api/v1/webhooks/ops", "", "", []string{"webhooks", "delete", "ops"}},
		{"cells", "GET /api/v1/cells", cellsBody, "limit=1000&precision=3", []string{"cells", "--precision", "3"}},
		{"events-list", "GET /api/v1/events", eventsBody, "fence=depot&limit=100", []string{"events", "list", "--fence", "depot"}},
		{"events-list-geojson", "GET /api/v1/events", eventsBody, "limit=100", []string{"events", "list", "-o", "geojson"}},
		{"cluster-status", "GET /api/v1/cluster", clusterBody, "", []string{"cluster", "status"}},
		{"cluster-watch", "GET /api/v1/cluster", clusterBody, "", []string{"cluster", "watch", "--count", "2", "--every", "100ms"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			node := newScripted(t).on(c.question, ok(c.body))
			got := call(t, node.URL, "", c.args...)
			require.Equal(t, 0, got.code, got.err)
			require.Equal(t, c.asks, node.last(t).query)
			golden(t, c.name, got.script(node.URL))
		})
	}
}

func TestListsGoOnWithNext(t *testing.T) {
	t.Parallel()
	page := func(id, next string) reply {
		return ok(`{"events":[{"id":"` + id + `","type":"enter","vehicle":"a","@timestamp":"2026-03-04T11:00:00.000Z"}],"limit":1,"next":"` + next + `"}`)
	}
	node := newScripted(t).on("GET /api/v1/events", page("e2", "c1"), page("e1", ""))
	got := call(t, node.URL, "", "events", "list", "--limit", "0", "-o", "json")
	require.Equal(t, 0, got.code, got.err)
	require.Equal(t, "after=c1&limit=1000", node.last(t).query)
	require.Contains(t, got.out, `"e2"`)
	require.Contains(t, got.out, `"e1"`)
}

func TestBadUsageIsTwo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"no such command":     {[]string{"trakcs"}, `there is no command "trakcs"`},
		"no such subcommand":  {[]string{"tracks", "foo"}, "Run 'trackctl tracks --help'"},
		"an argument too few": {[]string{"tracks", "near"}, "trackctl tracks near LON,LAT"},
		"unknown flag":        {[]string{"cells", "--nope"}, "unknown flag: --nope"},
		"bad output":          {[]string{"cells", "-o", "xml"}, "use table, json, geojson"},
		"coordinates turned":  {[]string{"tracks", "near", "40.75,-173.98"}, "longitude is from -180 to 180"},
		"no place":            {[]string{"tracks", "near", "here"}, "write it as longitude,latitude"},
		"two messages":        {[]string{"tracks", "send", "a", "--forget", "--reset-odometer"}, "give one of"},
		"no JSON":             {[]string{"tracks", "send", "a", "{"}, "is no JSON"},
		"bad letter":          {[]string{"dead", "show", "7"}, "partition/offset"},
		"requeue of nothing":  {[]string{"dead", "requeue"}, "--reason"},
		"pace of two kinds":   {[]string{"source", "replay", "f", "--by-time", "--step", "1s", "--rate", "3"}, "--by-time"},
		"unknown format":      {[]string{"source", "replay", "f", "--format", "xml"}, "--format"},
		"no vehicles":         {[]string{"source", "simulate", "--vehicles", "0"}, "--vehicles"},
		"no workers":          {[]string{"bench", "query", "--concurrency", "0"}, "--concurrency"},
		"bad token file":      {[]string{"cells", "--token-file", "/nonexistent/token"}, "--token-file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := call(t, "http://127.0.0.1:1", "", c.args...)
			require.Equal(t, 2, got.code, got.err)
			require.Contains(t, got.err, c.says)
			require.Empty(t, got.out)
		})
	}
	require.Equal(t, 2, call(t, "ftp://x", "", "cells").code)
}

func TestErrorsShowTheProblem(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		reply reply
		says  string
	}{
		"detail": {problem(404, `{"type":"urn:trackmesh:problem:vehicle","title":"Not Found","status":404,"detail":"no vehicle a is known"}`), "trackctl: 404 Not Found: no vehicle a is known\n"},
		"errors": {
			problem(400, `{"title":"Bad Request","status":400,"detail":"two things","errors":[{"pointer":"/a","detail":"is odd"},{"parameter":"limit","detail":"is too high"}]}`),
			"trackctl: 400 Bad Request: two things\n  /a: is odd\n  limit: is too high\n",
		},
		"said once":       {problem(400, `{"title":"Bad Request","status":400,"detail":"is odd","errors":[{"pointer":"/a","detail":"is odd"}]}`), "trackctl: 400 Bad Request: /a: is odd\n"},
		"not one of ours": {reply{502, "text/html", "<html>"}, "trackctl: 502 Bad Gateway: the answer is no problem document: is this a trackmesh node?\n"},
		"plain":           {reply{401, "text/plain", "go away\nplease"}, "trackctl: 401 Unauthorized: go away\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			node := newScripted(t).on("GET /api/v1/tracks/a", c.reply)
			got := call(t, node.URL, "", "tracks", "get", "a")
			require.Equal(t, outcome{1, "", c.says}, got)
		})
	}
	got := call(t, "http://127.0.0.1:1", "", "tracks", "get", "a")
	require.Equal(t, outcome{1, "", "trackctl: nobody listens at http://127.0.0.1:1: start a node there, or name another with --server\n"}, got)
}

func TestWhatHasNoPlaceIsNoGeoJSON(t *testing.T) {
	t.Parallel()
	node := newScripted(t).on("GET /api/v1/cluster", ok(clusterBody))
	got := call(t, node.URL, "", "cluster", "status", "-o", "geojson")
	require.Equal(t, 1, got.code)
	require.Contains(t, got.err, "no geometry")
}

func TestTheTokenGoesAlong(t *testing.T) {
	t.Parallel()
	node := newScripted(t).on("GET /api/v1/cluster", ok(clusterBody))
	file := write(t, "token", "secret\n")
	require.Equal(t, 0, call(t, node.URL, "", "cluster", "status", "--token-file", file).code)
	require.Equal(t, "Bearer secret", node.last(t).header.Get("Authorization"))
}

func TestSendMakesTheMessage(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		`{"annotate":{"driver":"Ana","load":""}}`:                        {"--annotate", "driver=Ana", "--annotate", "load="},
		`{"reset_odometer":{}}`:                                          {"--reset-odometer"},
		`{"configure":{"gap_after_seconds":600,"stop_radius_metres":0}}`: {"--gap-after-seconds", "600", "--stop-radius-metres", "0"},
		`{"forget": {}}`:                                                 {`{"forget": {}}`},
	} {
		node := newScripted(t).on("POST /api/v1/tracks/a/messages", reply{200, "application/json", `{"topic":"positions.commands","partition":3,"offset":17,"applied":true}`})
		got := call(t, node.URL, "", append([]string{"tracks", "send", "a", "--wait", "2s", "--idempotency-key", "k"}, args...)...)
		require.Equal(t, outcome{0, "Message to a applied: positions.commands[3]@17\n", ""}, got)
		last := node.last(t)
		require.Equal(t, want, last.body)
		require.Equal(t, "wait=2s", last.query)
		require.Equal(t, "k", last.header.Get("Idempotency-Key"))
	}
}

func TestFencesPutWrapsAGeometry(t *testing.T) {
	t.Parallel()
	node := newScripted(t).on("PUT /api/v1/fences/a%20b", ok(`{"id":"a b","version":9,"live":false}`))
	got := call(t, node.URL, `{"type":"Point","coordinates":[1,2]}`, "fences", "put", "a b", "-", "--set", "radius_metres=300", "--set", "name=A b", "--if-match", "8")
	require.Equal(t, outcome{0, "Fence a b stored: version 9, not live on every partition after 2s\n", ""}, got)
	last := node.last(t)
	require.JSONEq(t, `{"type":"Feature","geometry":{"type":"Point","coordinates":[1,2]},"properties":{"radius_metres":300,"name":"A b"}}`, last.body)
	require.Equal(t, `"8"`, last.header.Get("If-Match"))
}

func TestFencesBacktestShowsWhatAFenceWouldHaveMade(t *testing.T) {
	t.Parallel()
	found := strings.Replace(eventsBody, `"limit":100,"next":""`, `"limit":5,"fixes":70,"vehicles":2,"truncated":true`, 1)
	node := newScripted(t).on("POST /api/v1/fences/a%20b/backtest", ok(found))
	got := call(t, node.URL, `{"type":"Point","coordinates":[1,2]}`, "fences", "backtest", "a b", "--from", "2h", "--vehicle", "v,1", "--feature", "-", "--limit", "5")
	require.Equal(t, 0, got.code, got.err)
	require.Contains(t, got.err, "70 fixes of 2 vehicles")
	require.Contains(t, got.out, "depot (Depot)")
	last := node.last(t)
	require.Equal(t, "limit=5", last.query)
	require.JSONEq(t, `{"from":"2026-03-04T10:00:00.000Z","to":"2026-03-04T12:00:00.000Z","vehicles":["v,1"],"feature":{"type":"Feature","geometry":{"type":"Point","coordinates":[1,2]},"properties":{}}}`, last.body)
	require.Equal(t, 2, call(t, node.URL, "", "fences", "backtest", "a").code, "from when?")
}

func TestFencesDeleteAndRefusals(t *testing.T) {
	t.Parallel()
	node := newScripted(t).on("DELETE /api/v1/fences/a", ok(`{"id":"a","version":9,"live":true}`))
	require.Equal(t, outcome{0, "Fence a deleted: version 9, live on every partition\n", ""}, call(t, node.URL, "", "fences", "delete", "a"))
	got := call(t, node.URL, `{"type":"FeatureCollection","features":[]}`, "fences", "put", "a", "-")
	require.Equal(t, 1, got.code)
	require.Contains(t, got.err, "fences import")
}

func TestImportListsWhatWasRefused(t *testing.T) {
	t.Parallel()
	lines := `{"type":"Feature","id":"a"}` + "\n" + `{"type":"Feature","id":"x"}` + "\n"
	for stdin, contentType := range map[string]string{
		lines: "application/x-ndjson",
		`{"type":"FeatureCollection","features":[]}`:                "application/geo+json",
		"{\n\"type\": \"FeatureCollection\", \"features\": []\n}\n": "application/geo+json",
	} {
		node := newScripted(t).on("POST /api/v1/fences/import", ok(`{"stored":1,"errors":[{"line":2,"id":"x","pointer":"/geometry","reason":"is missing"}],"version":3,"live":true}`))
		got := call(t, node.URL, stdin, "fences", "import", "-")
		require.Equal(t, outcome{1, "1 fences stored, live on every partition; 1 refused\n", "line 2 (x): /geometry: is missing\ntrackctl: 1 lines were refused\n"}, got)
		require.Equal(t, stdin, node.last(t).body)
		require.Equal(t, contentType, node.last(t).header.Get("Content-Type"))
	}
}

func TestImportThatBreaksOffSaysHowFarItCame(t *testing.T) {
	t.Parallel()
	node := newScripted(t).on("POST /api/v1/fences/import", problem(503, `{"title":"Service Unavailable","status":503,"detail":"no answer in time","stored":500,"lines":[{"line":7,"reason":"odd"}]}`))
	got := call(t, node.URL, "{}", "fences", "import", "-")
	require.Equal(t, outcome{1, "", "line 7: odd\ntrackctl: after 500 were stored: 503 Service Unavailable: no answer in time\n"}, got)
}

func TestCompletionIsThereForTheShells(t *testing.T) {
	t.Parallel()
	for _, shell := range []string{"bash", "zsh", "fish"} {
		got := call(t, "http://127.0.0.1:1", "", "completion", shell)
		require.Equal(t, 0, got.code)
		require.Contains(t, strings.ToLower(got.out), shell)
	}
}
