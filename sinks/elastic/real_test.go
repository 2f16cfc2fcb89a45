//go:build real

package elastic

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/history"
	"github.com/trackmesh/trackmesh/history/historytest"
	"github.com/trackmesh/trackmesh/sinks"
	"github.com/trackmesh/trackmesh/test/servers"
)

// realServer asks a real Elasticsearch what the sink does not.
type realServer struct {
	testing.TB
	url, user, password string
}

// do makes a request and decodes its reply.
func (r realServer) do(method, path, body string, into any) int {
	r.Helper()
	req, err := http.NewRequestWithContext(r.Context(), method, r.url+path, strings.NewReader(body))
	require.NoError(r, err)
	req.Header.Set("Content-Type", "application/json")
	if r.user != "" {
		req.SetBasicAuth(r.user, r.password)
	}
	res, err := http.DefaultClient.Do(req)
	require.NoError(r, err)
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	require.NoError(r, err)
	if into != nil {
		require.NoError(r, json.Unmarshal(raw, into), string(raw))
	}
	return res.StatusCode
}

func (r realServer) count(index string) int {
	r.Helper()
	var answer struct {
		Count int `json:"count"`
	}
	require.Equal(r, http.StatusOK, r.do(http.MethodPost, "/"+index+"/_refresh", "", nil))
	require.Equal(r, http.StatusOK, r.do(http.MethodGet, "/"+index+"/_count", "", &answer))
	return answer.Count
}

func sinkFor(t testing.TB, opts Options) *Sink {
	t.Helper()
	opts.Logger, opts.Registerer = slog.New(slog.DiscardHandler), prometheus.NewRegistry()
	s, err := New(opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close(context.Background())) }) // the test's context has ended
	return s
}

func TestOnARealElasticsearch(t *testing.T) {
	e := servers.Elasticsearch(t, servers.ElasticsearchOptions{Config: map[string]string{"cluster.max_shards_per_node": "40"}})
	server := func(t *testing.T) realServer { return realServer{TB: t, url: e.URL} }
	t.Run("history", func(t *testing.T) { realHistory(t, server(t)) })
	t.Run("what Kibana's data views and users ask works without set-up", func(t *testing.T) { realMapping(t, server(t)) })
	t.Run("a document that does not fit is rejected with the reason", func(t *testing.T) { realRejection(t, server(t)) })
	t.Run("a blocked index is tried again", func(t *testing.T) { realBlock(t, server(t)) })
	t.Run("the shard limit is tried again", func(t *testing.T) { realShardLimit(t, server(t)) })
	t.Run("indices that do not come by themselves are made", func(t *testing.T) { realNoAutoCreate(t, server(t)) })
	t.Run("a lost template is back before the next index", func(t *testing.T) { realLostTemplate(t, server(t)) })
	t.Run("old indices are deleted", func(t *testing.T) { realRetention(t, server(t)) })
	t.Run("a kill in the middle neither loses nor doubles", func(t *testing.T) { realKill(t, server(t), e) })
}

func realHistory(t *testing.T, r realServer) {
	historytest.Run(t, func(t *testing.T) historytest.Subject {
		s := sinkFor(t, Options{URLs: []string{r.url}, IndexPrefix: "history"})
		return historytest.Subject{Writer: s, Store: s, Settle: func(context.Context) error {
			require.Equal(t, http.StatusOK, r.do(http.MethodPost, "/history-*/_refresh", "", nil))
			return nil
		}}
	})
}

// realDocument is a position as track writes it, dated at, of a vehicle with attributes.
func realDocument(n int, at time.Time, attributes string) sinks.Document {
	stamp := at.UTC().Format("2006-01-02T15:04:05.000Z")
	return sinks.Document{
		Kind: sinks.Position, ID: fmt.Sprintf("00c0ffee-0-%d", n), Offset: int64(n), Timestamp: at.UnixMilli(),
		Body: fmt.Appendf(nil, `{"@timestamp":%q,"vehicle":"taxi-%d","location":[-73.98,40.75],"geohash":"dr5ru7","speed_mps":3.5,"status":"moving","flags":[],`+
			`"fences":["manhattan"],"attributes":%s,"source":{"topic":"positions","partition":0,"offset":%d},"ingested_at":%q,"lag_ms":0}`,
			stamp, n%7, attributes, n, stamp),
	}
}

var realDay = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func realMapping(t *testing.T, r realServer) {
	s := sinkFor(t, Options{URLs: []string{r.url}, IndexPrefix: "mapping", Compression: On})
	clashing := []string{`{}`, `{"a":1}`, `{"a":"text"}`, `{"a":{"b":[1,{"c":2}]}}`, `{"a.b":"x","date":"2026-01-01"}`, `{"date":"no date","a":null}`}
	docs := make([]sinks.Document, len(clashing))
	for i, attributes := range clashing {
		docs[i] = realDocument(i, realDay, attributes)
	}
	rejections, err := s.Write(t.Context(), docs)
	require.NoError(t, err)
	require.Empty(t, rejections)
	require.Equal(t, len(docs), r.count("mapping-positions-2026.03.01"))

	var caps struct {
		Fields map[string]map[string]any `json:"fields"`
	}
	require.Equal(t, http.StatusOK, r.do(http.MethodGet, "/mapping-*/_field_caps?fields=*", "", &caps))
	for field, kind := range map[string]string{"location": "geo_point", "vehicle": "keyword", "geohash": "keyword", "@timestamp": "date", "fences": "keyword", "attributes": "flattened"} {
		require.Contains(t, caps.Fields[field], kind)
		require.Len(t, caps.Fields[field], 1, "one type only")
	}
	var found struct {
		Hits struct {
			Total struct{ Value int }
		}
		Aggregations struct {
			Cells struct{ Buckets []struct{ Key string } }
		}
	}
	require.Equal(t, http.StatusOK, r.do(http.MethodPost, "/mapping-*/_search", `{"query":{"geo_distance":{"distance":"1km","location":[-73.98,40.751]}},
		"aggs":{"cells":{"geohash_grid":{"field":"location","precision":5}}}}`, &found))
	require.Equal(t, len(docs), found.Hits.Total.Value)
	require.Equal(t, "dr5ru", found.Aggregations.Cells.Buckets[0].Key)
	require.Equal(t, http.StatusOK, r.do(http.MethodPost, "/mapping-*/_search", `{"query":{"term":{"attributes.a":"text"}}}`, &found))
	require.Equal(t, 1, found.Hits.Total.Value)
}

func realRejection(t *testing.T, r realServer) {
	s := sinkFor(t, Options{URLs: []string{r.url}, IndexPrefix: "rejection"})
	docs := []sinks.Document{realDocument(0, realDay, `{}`), realDocument(1, realDay, `{}`), realDocument(2, realDay, `{}`)}
	docs[1].Body = bytes.Replace(docs[1].Body, []byte("[-73.98,40.75]"), []byte("[-73.98,940.75]"), 1)
	rejections, err := s.Write(t.Context(), docs)
	require.NoError(t, err)
	require.Len(t, rejections, 1)
	require.Equal(t, docs[1].ID, rejections[0].Document.ID)
	require.Contains(t, rejections[0].Detail, "940.75")
	require.Equal(t, 2, r.count("rejection-positions-*"))
}

func realBlock(t *testing.T, r realServer) {
	s := sinkFor(t, Options{URLs: []string{r.url}, IndexPrefix: "block"})
	_, err := s.Write(t.Context(), []sinks.Document{realDocument(0, realDay, `{}`)})
	require.NoError(t, err)
	block := func(value string) {
		require.Equal(t, http.StatusOK, r.do(http.MethodPut, "/block-positions-2026.03.01/_settings", `{"index.blocks.write":`+value+`}`, nil))
	}
	block("true")
	_, err = s.Write(t.Context(), []sinks.Document{realDocument(1, realDay, `{}`)})
	require.Equal(t, "blocked", classOf(t, err))
	block("false")
	_, err = s.Write(t.Context(), []sinks.Document{realDocument(1, realDay, `{}`)})
	require.NoError(t, err)
	require.Equal(t, 2, r.count("block-positions-*"))
}

func classOf(t *testing.T, err error) string {
	t.Helper()
	var e *sinks.RetryError
	require.ErrorAs(t, err, &e)
	return e.Class
}

func realShardLimit(t *testing.T, r realServer) {
	s := sinkFor(t, Options{URLs: []string{r.url}, IndexPrefix: "shards"})
	var docs []sinks.Document
	for day := range 60 {
		docs = append(docs, realDocument(day, realDay.AddDate(0, 0, -day), `{}`))
	}
	_, err := s.Write(t.Context(), docs)
	require.Equal(t, "refused", classOf(t, err))
	require.Contains(t, err.Error(), "maximum")
	require.Equal(t, http.StatusOK, r.do(http.MethodPut, "/_cluster/settings", `{"persistent":{"cluster.max_shards_per_node":1000}}`, nil))
	rejections, err := s.Write(t.Context(), docs)
	require.NoError(t, err)
	require.Empty(t, rejections)
	require.Equal(t, len(docs), r.count("shards-positions-*"))
	require.Equal(t, http.StatusOK, r.do(http.MethodGet, "/_cat/indices/shards-*?format=json", "", nil))
}

func realNoAutoCreate(t *testing.T, r realServer) {
	setting := func(value string) {
		require.Equal(t, http.StatusOK, r.do(http.MethodPut, "/_cluster/settings", `{"persistent":{"action.auto_create_index":`+value+`}}`, nil))
	}
	setting(`"false"`)
	defer setting("null")
	s := sinkFor(t, Options{URLs: []string{r.url}, IndexPrefix: "auto"})
	docs := []sinks.Document{realDocument(0, realDay, `{}`)}
	_, err := s.Write(t.Context(), docs)
	require.Equal(t, "missing", classOf(t, err))
	_, err = s.Write(t.Context(), docs)
	require.NoError(t, err)
	require.Equal(t, 1, r.count("auto-positions-2026.03.01"))
}

func realLostTemplate(t *testing.T, r realServer) {
	s := sinkFor(t, Options{URLs: []string{r.url}, IndexPrefix: "lost"})
	_, err := s.Write(t.Context(), []sinks.Document{realDocument(0, realDay, `{}`)})
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, r.do(http.MethodDelete, "/_index_template/lost-positions", "", nil))
	_, err = s.Write(t.Context(), []sinks.Document{realDocument(1, realDay.AddDate(0, 0, 1), `{}`)})
	require.NoError(t, err)
	var mapping map[string]struct {
		Mappings struct {
			Dynamic    string                           `json:"dynamic"`
			Properties map[string]struct{ Type string } `json:"properties"`
		}
	}
	require.Equal(t, http.StatusOK, r.do(http.MethodGet, "/lost-positions-2026.03.02/_mapping", "", &mapping))
	require.Equal(t, "geo_point", mapping["lost-positions-2026.03.02"].Mappings.Properties["location"].Type)
	require.Equal(t, "false", mapping["lost-positions-2026.03.02"].Mappings.Dynamic)
}

func realRetention(t *testing.T, r realServer) {
	now := time.Now()
	s := sinkFor(t, Options{URLs: []string{r.url}, IndexPrefix: "old", MaxAge: 48 * time.Hour, Now: func() time.Time { return now }})
	var docs []sinks.Document
	for day := range 6 {
		docs = append(docs, realDocument(day, now.AddDate(0, 0, -day), `{}`))
	}
	past := realDocument(100, time.Date(2013, 1, 1, 0, 0, 0, 0, time.UTC), `{}`)
	past.Body = bytes.Replace(past.Body, []byte(`"ingested_at":"2013`), []byte(`"ingested_at":"2026`), 1)
	_, err := s.Write(t.Context(), append(docs, past))
	require.NoError(t, err)
	deleted, err := s.DeleteOld(t.Context())
	require.NoError(t, err)
	require.Empty(t, deleted, "they were made just now")
	day := func(n int) string { return "old-positions-" + now.UTC().AddDate(0, 0, -n).Format(dayLayout) }
	now = now.Add(48*time.Hour + time.Minute)
	deleted, err = s.DeleteOld(t.Context())
	require.NoError(t, err)
	require.NotContains(t, deleted, "old-positions-other")
	require.Len(t, deleted, 6-1, "all but today's")
	require.NotContains(t, deleted, day(2))
	require.Equal(t, 2, r.count("old-positions-*"))
}

func realKill(t *testing.T, r realServer, e *servers.ElasticsearchServer) {
	s := sinkFor(t, Options{URLs: []string{r.url}, IndexPrefix: "kill"})
	batch := func(n int) []sinks.Document {
		docs := make([]sinks.Document, 500)
		for i := range docs {
			docs[i] = realDocument(n*500+i, realDay, `{}`)
		}
		return docs
	}
	_, err := s.Write(t.Context(), batch(0))
	require.NoError(t, err)
	killed := make(chan struct{})
	go func() { e.Kill(); close(killed) }()
	var failed int
	for n := 1; ; n++ {
		if _, err = s.Write(t.Context(), batch(n)); err != nil {
			failed = n
			break
		}
	}
	<-killed
	require.Contains(t, []string{"unreachable", "timeout", "malformed", "unavailable", "server"}, classOf(t, err))
	require.NoError(t, e.Start(t.Context()))
	_, err = s.Write(t.Context(), batch(failed))
	require.NoError(t, err)
	require.Equal(t, (failed+1)*500, r.count("kill-positions-*"))
}

func TestARealElasticsearchWithSecurity(t *testing.T) {
	e := servers.Elasticsearch(t, servers.ElasticsearchOptions{Security: true, Roles: map[string]string{
		"writer": `{"cluster":["manage_index_templates"],"indices":[{"names":["trackmesh-*"],"privileges":["create_index","create_doc","read","delete_index","view_index_metadata"]}]}`,
		"reader": `{"cluster":["manage_index_templates"],"indices":[{"names":["trackmesh-*"],"privileges":["read"]}]}`,
	}})
	r := realServer{TB: t, url: e.URL, user: servers.ElasticsearchUser, password: servers.ElasticsearchPassword}
	docs := []sinks.Document{realDocument(0, realDay, `{}`)}
	for name, opts := range map[string]Options{
		"nobody": {}, "another password": {Username: "writer", Password: "wrong"}, "a wrong key": {APIKey: "d3Jvbmc6a2V5"},
		"a user who may only read": {Username: "reader", Password: r.password},
	} {
		opts.URLs = []string{e.URL}
		_, err := sinkFor(t, opts).Write(t.Context(), docs)
		require.Equal(t, "unauthorized", classOf(t, err), name)
	}
	s := sinkFor(t, Options{URLs: []string{e.URL}, Username: "writer", Password: r.password, MaxAge: time.Hour})
	_, err := s.Write(t.Context(), docs)
	require.NoError(t, err, "the documented privileges are enough")
	require.Equal(t, 1, r.count("trackmesh-positions-*"))
	_, err = s.Path(t.Context(), history.PathQuery{Vehicle: "taxi-0"})
	require.NoError(t, err)
	_, err = s.DeleteOld(t.Context())
	require.NoError(t, err)
}
