package api

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/trackmesh/trackmesh/broker"
	"github.com/trackmesh/trackmesh/geo"
	"github.com/trackmesh/trackmesh/live"
	"github.com/trackmesh/trackmesh/track"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bundle is a server over fakes, listening on a free port.
type bundle struct {
	t        *testing.T
	url      string
	server   *Server
	log      *memoryLog
	fleet    *live.Fleet
	paths    *fakePaths
	messages *fakeMessages
	fences   *fakeFences
	history  *fakeHistory
	ready    *fakeReady
	client   *http.Client
	router   routers.Router
}

func start(t *testing.T, change ...func(*Options)) *bundle {
	t.Helper()
	b := &bundle{
		t: t, log: newMemoryLog(4), fleet: live.NewFleet(4), paths: &fakePaths{vehicle: "cab 1"}, messages: &fakeMessages{applied: true},
		fences: newFakeFences(), history: &fakeHistory{}, ready: &fakeReady{Readiness{Ready: true}}, router: description(t),
	}
	for p := range int32(4) {
		b.fleet.Open(p)
	}
	registry := prometheus.NewRegistry()
	o := Options{
		Node: "n1", Live: LocalLive{Fleet: b.fleet, Home: b.home}, Paths: b.paths, Messages: b.messages, Fences: b.fences, Webhooks: &fakeWebhooks{all: map[string]Webhook{}}, Log: b.log, Split: splitLines,
		Partitioner: broker.Murmur2, Cluster: fakeCluster{}, Ready: b.ready, History: b.history,
		Web: fstest.MapFS{
			"index.html":            {Data: []byte("<!doctype html><title>map</title>")},
			"assets/main-abc123.js": {Data: []byte("export {}")},
		},
		FrameInterval: 20 * time.Millisecond, StreamHeartbeat: 50 * time.Millisecond, QueryTimeout: 5 * time.Second,
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)), Registerer: registry, Gatherer: registry,
	}
	for _, fn := range change {
		fn(&o)
	}
	var err error
	b.server, err = New(o)
	require.NoError(t, err)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	b.url = "http://" + ln.Addr().String()
	served := make(chan error, 1)
	go func() { served <- b.server.Serve(ln) }()
	b.client = &http.Client{Transport: &http.Transport{}, Timeout: 2 * time.Minute}
	t.Cleanup(func() {
		b.client.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		require.NoError(t, b.server.Stop(ctx))
		require.NoError(t, <-served)
	})
	return b
}

func (b *bundle) home(vehicle string) int32 { return broker.Murmur2([]byte(vehicle), 4) }

// put makes a vehicle live.
func (b *bundle) put(v *track.View) {
	v.Partition = b.home(v.Vehicle)
	b.fleet.Partition(v.Partition).Apply([]live.Change{{Vehicle: v.Vehicle, View: v}})
}

func cab(name string, lon, lat float64) *track.View {
	return &track.View{
		Vehicle: name, Time: 1_700_000_000_000, Position: geo.Point{Lon: lon, Lat: lat}, SpeedMPS: 8.25, HeadingDegrees: math.NaN(),
		OdometerMetres: 1200, Fences: []string{"jfk"}, Attributes: []byte(`{"driver":"Ann"}`), Offset: 41,
	}
}

func description(t *testing.T) routers.Router {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(openAPI)
	require.NoError(t, err)
	require.NoError(t, doc.Validate(context.Background()))
	doc.Servers = nil
	router, err := gorillamux.NewRouter(doc)
	require.NoError(t, err)
	return router
}

// answer is what came back, checked against the description.
type answer struct {
	*http.Response
	body []byte
}

func (a answer) json(t *testing.T) map[string]any {
	t.Helper()
	var doc map[string]any
	require.NoError(t, json.Unmarshal(a.body, &doc), "%s", a.body)
	return doc
}

// do sends a request; headers are pairs of name and value.
func (b *bundle) do(method, path, body string, headers ...string) answer {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.url+path, strings.NewReader(body))
	require.NoError(b.t, err)
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
			continue
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := b.client.Do(req)
	require.NoError(b.t, err)
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	require.NoError(b.t, err)
	if res.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(bytes.NewReader(raw))
		require.NoError(b.t, err)
		raw, err = io.ReadAll(z)
		require.NoError(b.t, err)
	}
	b.check(req, res, raw)
	return answer{res, raw}
}

func (b *bundle) get(path string, headers ...string) answer {
	b.t.Helper()
	return b.do(http.MethodGet, path, "", headers...)
}

// check holds an answer against the description. Answers of paths that are not in it must be problem documents or pages.
func (b *bundle) check(req *http.Request, res *http.Response, body []byte) {
	b.t.Helper()
	if req.Method == http.MethodHead {
		return
	}
	if res.StatusCode >= 400 && res.StatusCode != http.StatusServiceUnavailable {
		require.Equal(b.t, "application/problem+json", res.Header.Get("Content-Type"), "%s %s: %s", req.Method, req.URL, body)
		var p map[string]any
		require.NoError(b.t, json.Unmarshal(body, &p))
		require.EqualValues(b.t, res.StatusCode, p["status"])
	}
	bare := req.Clone(context.Background())
	bare.URL.Scheme, bare.URL.Host = "", ""
	route, pathParams, err := b.router.FindRoute(bare)
	if err != nil {
		return
	}
	err = openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: bare, PathParams: pathParams, Route: route},
		Status:                 res.StatusCode, Header: res.Header, Body: io.NopCloser(bytes.NewReader(body)),
		Options: &openapi3filter.Options{IncludeResponseStatus: true, MultiError: true},
	})
	require.NoError(b.t, err, "%s %s answered %d: %s", req.Method, req.URL, res.StatusCode, body)
}

// problem asserts a problem document of a status and type.
func (a answer) problem(t *testing.T, status int, name string) map[string]any {
	t.Helper()
	require.Equal(t, status, a.StatusCode, "%s", a.body)
	doc := a.json(t)
	if name != "" {
		require.Equal(t, typePrefix+name, doc["type"], "%s", a.body)
	}
	return doc
}

func init() {
	text := func(body io.Reader, _ http.Header, _ *openapi3.SchemaRef, _ openapi3filter.EncodingFn) (any, error) {
		raw, err := io.ReadAll(body)
		return string(raw), err
	}
	for _, t := range []string{"text/html", "text/event-stream", "application/x-ndjson", "application/yaml", "text/plain"} {
		openapi3filter.RegisterBodyDecoder(t, text)
	}
	openapi3filter.RegisterBodyDecoder("application/geo+json", openapi3filter.RegisteredBodyDecoder("application/json"))
}
