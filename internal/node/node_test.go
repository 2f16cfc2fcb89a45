package node

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/trackmesh/trackmesh/broker"
	"github.com/trackmesh/trackmesh/internal/casecmp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func testOptions(t testing.TB) Options {
	t.Helper()
	o := DefaultOptions()
	o.HTTPAddr, o.DataDir, o.Demo, o.NodeName = "127.0.0.1:0", t.TempDir(), "off", "test"
	o.CommitInterval = 10 * time.Millisecond
	return o
}

func startNode(t testing.TB, o Options) *Node {
	t.Helper()
	n, err := Start(context.Background(), o, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, n.Stop(context.Background())) })
	return n
}

func (n *Node) request(t testing.TB, method, path, contentType, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, "http://"+n.Addr()+path, strings.NewReader(body))
	require.NoError(t, err)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(answer)
}

// committed returns the committed records of a stream of partition 0.
func committed(t *testing.T, log broker.Log, s broker.Stream) []broker.Record {
	t.Helper()
	return committedOf(t, log, s, 0)
}

func committedOf(t *testing.T, log broker.Log, s broker.Stream, partition int32) []broker.Record {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	_, end, err := log.Bounds(ctx, s, partition)
	require.NoError(t, err)
	r, err := log.NewReader(broker.ReaderOptions{Name: "test"})
	require.NoError(t, err)
	defer r.Close()
	r.Add(s, partition, 0)
	var all []broker.Record
	for next := int64(0); next < end; {
		fetches, err := r.Poll(ctx)
		require.NoError(t, err)
		for _, f := range fetches {
			require.NoError(t, f.Err)
			all, next = append(all, f.Records...), f.Next
		}
	}
	return all
}

// TestSharedCasesEndToEnd produces each worked case through the broker and compares everything that was committed.
func TestSharedCasesEndToEnd(t *testing.T) {
	t.Parallel()
	dirs, err := filepath.Glob("../../track/testdata/cases/*/flags.txt")
	require.NoError(t, err)
	require.NotEmpty(t, dirs)
	for _, d := range dirs {
		dir := filepath.Dir(d)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			runCase(t, dir)
		})
	}
}

func runCase(t *testing.T, dir string) {
	t.Helper()
	o := testOptions(t)
	o.Partitions, o.QuietClock = 1, false
	flags, err := os.ReadFile(filepath.Join(dir, "flags.txt"))
	require.NoError(t, err)
	for line := range strings.Lines(string(flags)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch name {
		case "--forget-after":
			o.ForgetAfter, err = time.ParseDuration(value)
		case "--reorder-window":
			o.ReorderWindow, err = time.ParseDuration(value)
		}
		require.NoError(t, err)
	}
	n := startNode(t, o)
	fences, err := os.ReadFile(filepath.Join(dir, "fences.geojson"))
	require.NoError(t, err)
	code, answer := n.request(t, http.MethodPost, "/api/v1/fences/import?wait=10s", "application/geo+json", string(fences))
	require.Equal(t, http.StatusOK, code, answer)

	records := caseRecords(t, filepath.Join(dir, "positions.jsonl"))
	_, err = n.log.Produce(context.Background(), records)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return n.host.Status()[0].InputOffset == int64(len(records)) }, 30*time.Second, 5*time.Millisecond)
	require.NoError(t, n.host.Stop(context.Background(), 0)) // commits what is pending

	var got [][]byte
	for _, s := range []broker.Stream{broker.Enriched, broker.Events} {
		for _, r := range committed(t, n.log, s) {
			got = append(got, r.Value)
		}
	}
	for _, r := range committed(t, n.log, broker.Dead) {
		offset, _ := r.Header("source_offset")
		reason, _ := r.Header("reason")
		got = append(got, fmt.Appendf(nil, `{"source":{"offset":%s},"reason":%q}`, offset, reason))
	}
	require.Empty(t, casecmp.Differences(lines(t, filepath.Join(dir, "expected.jsonl")), got))
}

func caseRecords(t *testing.T, file string) []broker.Record {
	t.Helper()
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	var records []broker.Record
	for line := range strings.SplitSeq(strings.TrimSuffix(string(raw), "\n"), "\n") {
		var head struct {
			Vehicle   string
			KafkaTime int64 `json:"kafka_time"`
		}
		_ = json.Unmarshal([]byte(line), &head) // some are bad on purpose
		records = append(records, broker.Record{Stream: broker.Input, Key: []byte(head.Vehicle), Value: []byte(line), Timestamp: head.KafkaTime})
	}
	return records
}

func lines(t *testing.T, file string) [][]byte {
	t.Helper()
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	return bytes.Split(bytes.TrimSpace(raw), []byte("\n"))
}

func TestAUserPostsPositionsAndAsksForThem(t *testing.T) {
	t.Parallel()
	n := startNode(t, testOptions(t))
	code, answer := n.request(t, http.MethodPut, "/api/v1/fences/yard?wait=5s", "application/geo+json",
		`{"type":"Feature","geometry":{"type":"Point","coordinates":[-73.98,40.75]},"properties":{"name":"Yard","radius_metres":500}}`)
	require.Contains(t, []int{http.StatusOK, http.StatusCreated}, code, answer)
	now := time.Now()
	var body strings.Builder
	for i := range 4 {
		fmt.Fprintf(&body, `{"vehicle":"v1","time":%d,"longitude":-73.98,"latitude":%.4f}`+"\n", now.UnixMilli()-60_000+int64(i)*10_000, 40.743+float64(i)*0.001)
	}
	code, answer = n.request(t, http.MethodPost, "/api/v1/positions", "application/x-ndjson", body.String())
	require.Equal(t, http.StatusOK, code, answer)
	require.JSONEq(t, `{"stored":4,"errors":[]}`, answer)
	require.Eventually(t, func() bool {
		_, answer := n.request(t, http.MethodGet, "/api/v1/events", "", "")
		return strings.Contains(answer, `"enter"`)
	}, 20*time.Second, 20*time.Millisecond)
	_, answer = n.request(t, http.MethodGet, "/api/v1/tracks/v1", "", "")
	require.Contains(t, answer, `"fences":["yard"]`)
	_, answer = n.request(t, http.MethodGet, "/api/v1/tracks?near=-73.98,40.75&k=1", "", "")
	require.Contains(t, answer, `"v1"`)
	_, answer = n.request(t, http.MethodGet, "/readyz", "", "")
	require.Contains(t, answer, `"ready":true`)
	code, answer = n.request(t, http.MethodGet, "/api/v1/tracks/nobody", "", "")
	require.Equal(t, http.StatusNotFound, code)
	require.Contains(t, answer, `"title"`)
}

func TestAHistoryThatWasStoredIsThereAfterARestart(t *testing.T) {
	t.Parallel()
	o := testOptions(t)
	n, err := Start(context.Background(), o, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	at := time.Now().Add(-time.Minute).UnixMilli()
	n.request(t, http.MethodPost, "/api/v1/positions", "application/json", fmt.Sprintf(`{"vehicle":"v1","time":%d,"longitude":-73.98,"latitude":40.75}`, at))
	require.NoError(t, n.Stop(context.Background()))
	n = startNode(t, o)
	require.Eventually(t, func() bool {
		_, answer := n.request(t, http.MethodGet, "/api/v1/tracks/v1/path?from=0", "", "")
		return strings.Contains(answer, `[[-73.98,40.75]]`) || strings.Contains(answer, `"coordinates":[-73.98,40.75]`)
	}, 20*time.Second, 20*time.Millisecond)
}

func TestANodeWhoseElasticsearchIsDownIsReadyAndWarns(t *testing.T) {
	t.Parallel()
	o := testOptions(t)
	o.ElasticsearchURLs = []string{"http://127.0.0.1:1"}
	n := startNode(t, o)
	code, answer := n.request(t, http.MethodPost, "/api/v1/positions", "application/json", fmt.Sprintf(`{"vehicle":"v1","time":%d,"longitude":-73.98,"latitude":40.75}`, time.Now().UnixMilli()))
	require.Equal(t, http.StatusOK, code, answer)
	require.Eventually(t, func() bool {
		_, answer = n.request(t, http.MethodGet, "/readyz", "", "")
		return strings.Contains(answer, `"warnings":["sink elasticsearch: the store takes nothing`)
	}, 20*time.Second, 20*time.Millisecond, "%s", answer)
	code, answer = n.request(t, http.MethodGet, "/readyz", "", "")
	require.Equal(t, http.StatusOK, code, answer)
	require.Contains(t, answer, `"ready":true`)
	require.Eventually(t, func() bool {
		code, _ := n.request(t, http.MethodGet, "/api/v1/tracks/v1", "", "")
		return code == http.StatusOK
	}, 20*time.Second, 20*time.Millisecond, "the map goes on")
}

func TestWhatCannotStartSaysWhatToDoInOneLine(t *testing.T) {
	t.Parallel()
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { busy.Close() })
	used := testOptions(t)
	startNode(t, used)
	newer := testOptions(t)
	for name, c := range map[string]struct {
		change func(*Options)
		want   string
	}{
		"busy port":         {func(o *Options) { o.HTTPAddr = busy.Addr().String() }, "choose another port"},
		"data dir in use":   {func(o *Options) { o.DataDir = used.DataDir }, "use"},
		"unreachable kafka": {func(o *Options) { o.KafkaBrokers = []string{"127.0.0.1:1"} }, "127.0.0.1:1"},
		"bad unit":          {func(o *Options) { o.Map = []string{"speed=v:furlongs"} }, "--map"},
		"no token file":     {func(o *Options) { o.AuthTokensFile = "/no/such/file" }, "--auth-tokens-file"},
		"no base map":       {func(o *Options) { o.MapPMTiles = "/no/such/city.pmtiles" }, "--map-pmtiles"},
		"no data dir":       {func(o *Options) { o.DataDir = "/dev/null/data" }, "/dev/null"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newer
			o.DataDir = t.TempDir()
			c.change(&o)
			_, err := Start(context.Background(), o, slog.New(slog.DiscardHandler))
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, err.Error(), "goroutine")
			require.NotContains(t, err.Error(), "\n", "one line")
		})
	}
}
