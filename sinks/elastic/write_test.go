package elastic

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/sinks"
)

func retryOf(t *testing.T, err error) *sinks.RetryError {
	t.Helper()
	var e *sinks.RetryError
	require.ErrorAs(t, err, &e)
	return e
}

func TestWriteCreatesDocumentsByTheirID(t *testing.T) {
	s := newStandIn(t)
	docs := positionsOn("2026-03-01", 0, 3)
	docs[1].Body = []byte("{\"@timestamp\":\"2026-03-02T00:00:00.000Z\",\r\n \"attributes\": {\n\"a\":\"x\\ny\"},\"ingested_at\":\"2026-03-02T00:00:00.000Z\"}")
	rejections, err := s.sink(nil).Write(t.Context(), docs)
	require.NoError(t, err)
	require.Empty(t, rejections)
	require.Len(t, s.bulks, 1)
	require.JSONEq(t, string(docs[1].Body), s.stored["trackmesh-positions-2026.03.02/00c0ffee-0-1"])
	require.JSONEq(t, string(docs[2].Body), s.stored["trackmesh-positions-2026.03.01/00c0ffee-0-2"])
	require.Equal(t, map[string]int{"trackmesh-positions": templateVersion, "trackmesh-events": templateVersion}, s.templates)
}

func TestWritingAgainIsTheSame(t *testing.T) {
	s := newStandIn(t)
	sink := s.sink(nil)
	for range 3 {
		rejections, err := sink.Write(t.Context(), positionsOn("2026-03-01", 0, 10))
		require.NoError(t, err)
		require.Empty(t, rejections)
	}
	require.Equal(t, 10, s.count())
}

// What Elasticsearch, or what stands before it, may answer to a whole request.
func TestAFailedRequestIsTriedAgain(t *testing.T) {
	reset := func(w http.ResponseWriter, _ *http.Request, _ *bulk) bool {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			_ = conn.Close()
		}
		return true
	}
	half := func(w http.ResponseWriter, _ *http.Request, _ *bulk) bool {
		w.Header().Set("Content-Length", "1000")
		fmt.Fprint(w, `{"errors":false,"items":[{"create":{"status":201}},`)
		return true
	}
	for name, c := range map[string]struct {
		step  func(w http.ResponseWriter, r *http.Request, b *bulk) bool
		class string
		says  string
	}{
		"429":                     {status(429, `{"error":{"type":"es_rejected_execution_exception","reason":"queue is full"},"status":429}`), "overloaded", "queue is full"},
		"401":                     {status(401, `{"error":{"type":"security_exception","reason":"missing credentials"},"status":401}`), "unauthorized", "missing credentials"},
		"403 for this user":       {status(403, `{"error":{"type":"security_exception","reason":"not allowed"},"status":403}`), "unauthorized", "not allowed"},
		"403 block":               {status(403, `{"error":{"type":"cluster_block_exception","reason":"index read-only"},"status":403}`), "blocked", "read-only"},
		"404":                     {status(404, `{"error":"no handler","status":404}`), "missing", "no handler"},
		"400 of the whole":        {status(400, `{"error":{"type":"illegal_argument_exception","reason":"odd"},"status":400}`), "refused", "odd"},
		"500":                     {status(500, `{"error":{"type":"boom","reason":"a","caused_by":{"type":"x","reason":"b"}}}`), "server", "a: b"},
		"502 of a proxy, in HTML": {status(502, `<html>Bad Gateway</html>`), "server", "Bad Gateway"},
		"503":                     {status(503, `{"error":{"type":"cluster_block_exception","reason":"no master"},"status":503}`), "unavailable", "no master"},
		"reset":                   {reset, "unreachable", ""},
		"half a reply":            {half, "malformed", ""},
		"no JSON":                 {status(200, `pong`), "malformed", ""},
		"another JSON":            {status(200, `{"items":[{"create":{"status":"ok"}}]}`), "malformed", ""},
		"no items":                {status(200, `{}`), "malformed", "0 documents, 5 were sent"},
		"too few items":           {status(200, `{"items":[{"create":{"status":201}}]}`), "malformed", "1 documents, 5 were sent"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStandIn(t)
			s.script = append(s.script, c.step)
			sink := s.sink(nil)
			docs := positionsOn("2026-03-01", 0, 5)
			rejections, err := sink.Write(t.Context(), docs)
			require.Empty(t, rejections)
			retry := retryOf(t, err)
			require.Equal(t, c.class, retry.Class)
			require.ErrorContains(t, err, c.says)
			if name == "429" {
				require.Equal(t, 7*time.Second, retry.After)
			}
			rejections, err = sink.Write(t.Context(), docs)
			require.NoError(t, err)
			require.Empty(t, rejections)
			require.Equal(t, 5, s.count())
		})
	}
}

func TestATimeOutInTheMiddleLosesAndDoublesNothing(t *testing.T) {
	s := newStandIn(t)
	release := make(chan struct{})
	s.script = append(s.script, func(_ http.ResponseWriter, r *http.Request, b *bulk) bool {
		var stored strings.Builder
		s.answer(&stored, &bulk{indices: b.indices[:2], ids: b.ids[:2], bodies: b.bodies[:2]}, nil) // and then it hangs
		select {
		case <-r.Context().Done():
		case <-release:
		}
		return true
	})
	defer close(release)
	sink := s.sink(nil)
	docs := positionsOn("2026-03-01", 0, 5)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := sink.Write(ctx, docs)
	require.Equal(t, "timeout", retryOf(t, err).Class)
	require.Equal(t, 2, s.count())
	_, err = sink.Write(t.Context(), docs)
	require.NoError(t, err)
	require.Equal(t, 5, s.count())
}

func TestItemsAreJudgedOneByOne(t *testing.T) {
	const mapping = `{"status":400,"error":{"type":"document_parsing_exception","reason":"[1:5] failed to parse field [location]","caused_by":{"type":"x","reason":"latitude is 940"}}}`
	for name, c := range map[string]struct {
		item     string
		rejected string // why; empty: tried again
		class    string
	}{
		"mapping":           {mapping, "document_parsing_exception: [1:5] failed to parse field [location]: latitude is 940", ""},
		"old mapping":       {`{"status":400,"error":{"type":"mapper_parsing_exception","reason":"r"}}`, "mapper_parsing_exception: r", ""},
		"strict mapping":    {`{"status":400,"error":{"type":"strict_dynamic_mapping_exception","reason":"r"}}`, "strict_dynamic_mapping_exception: r", ""},
		"shard limit":       {`{"status":400,"error":{"type":"validation_exception","reason":"maximum shards open"}}`, "", "refused"},
		"other 400":         {`{"status":400,"error":{"type":"illegal_argument_exception","reason":"r"}}`, "", "refused"},
		"mapping type, 500": {`{"status":500,"error":{"type":"mapper_parsing_exception","reason":"r"}}`, "", "server"},
		"429":               {`{"status":429,"error":{"type":"es_rejected_execution_exception","reason":"full"}}`, "", "overloaded"},
		"403":               {`{"status":403,"error":{"type":"cluster_block_exception","reason":"r"}}`, "", "blocked"},
		"404":               {`{"status":404,"error":{"type":"index_not_found_exception","reason":"r"}}`, "", "missing"},
		"503":               {`{"status":503,"error":{"type":"unavailable_shards_exception","reason":"r"}}`, "", "unavailable"},
		"no status":         {`{"error":"odd"}`, "", "refused"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStandIn(t)
			fails := func(w http.ResponseWriter, _ *http.Request, b *bulk) bool {
				s.answer(w, b, map[string]string{"00c0ffee-0-3": c.item})
				return true
			}
			for range partialRounds {
				s.script = append(s.script, fails)
			}
			docs := positionsOn("2026-03-01", 0, 6)
			rejections, err := s.sink(nil).Write(t.Context(), docs)
			require.Equal(t, 5, s.count(), "the others are stored whatever becomes of one")
			if c.rejected == "" {
				require.Equal(t, c.class, retryOf(t, err).Class)
				require.ErrorContains(t, err, "00c0ffee-0-3")
				return
			}
			require.NoError(t, err)
			require.Equal(t, []sinks.Rejection{{Document: docs[3], Detail: c.rejected}}, rejections)
			require.Len(t, s.bulks, 1)
		})
	}
}

func TestOnlyWhatFailedForNowIsSentAgain(t *testing.T) {
	s := newStandIn(t)
	s.script = append(s.script, func(w http.ResponseWriter, _ *http.Request, b *bulk) bool {
		s.answer(w, b, map[string]string{
			"00c0ffee-0-1": `{"status":429,"error":{"type":"es_rejected_execution_exception","reason":"full"}}`,
			"00c0ffee-0-2": `{"status":400,"error":{"type":"document_parsing_exception","reason":"no"}}`,
		})
		return true
	})
	rejections, err := s.sink(nil).Write(t.Context(), positionsOn("2026-03-01", 0, 4))
	require.NoError(t, err)
	require.Len(t, rejections, 1)
	require.Len(t, s.bulks, 2)
	require.Equal(t, []string{"00c0ffee-0-1"}, s.bulks[1].ids)
	require.Equal(t, 3, s.count())
}

func TestATooLargeRequestIsHalved(t *testing.T) {
	s := newStandIn(t)
	docs := positionsOn("2026-03-01", 0, 20)
	docs[7].Body = slices.Concat([]byte(`{"@timestamp":"2026-03-01T12:00:00.000Z","ingested_at":"2026-03-01T12:00:00.000Z","a":"`), []byte(strings.Repeat("x", 5000)), []byte(`"}`))
	for range 100 {
		s.script = append(s.script, func(w http.ResponseWriter, r *http.Request, b *bulk) bool {
			return b.raw > 1500 && status(http.StatusRequestEntityTooLarge, "nginx")(w, r, b)
		})
	}
	rejections, err := s.sink(nil).Write(t.Context(), docs)
	require.NoError(t, err)
	require.Equal(t, 19, s.count())
	require.Len(t, rejections, 1)
	require.Equal(t, docs[7].ID, rejections[0].Document.ID)
	require.Contains(t, rejections[0].Detail, "more than Elasticsearch takes")
}

func TestRequestsAreBoundedInBytes(t *testing.T) {
	s := newStandIn(t)
	_, err := s.sink(func(o *Options) { o.MaxRequestBytes = 1000 }).Write(t.Context(), positionsOn("2026-03-01", 0, 50))
	require.NoError(t, err)
	require.Equal(t, 50, s.count())
	require.Greater(t, len(s.bulks), 5)
}

func TestBodiesAreCompressedForOtherMachines(t *testing.T) {
	s := newStandIn(t)
	_, err := s.sink(func(o *Options) { o.Compression = On }).Write(t.Context(), positionsOn("2026-03-01", 0, 50))
	require.NoError(t, err)
	require.Equal(t, "gzip", s.bulks[0].header.Get("Content-Encoding"))
	require.Equal(t, 50, s.count())
	for urls, want := range map[string]bool{
		"http://127.0.0.1:9200": false, "http://localhost:9200": false, "http://[::1]:9200": false, "https://es.example:9200": true,
		"http://127.0.0.1:9200,http://10.0.0.1:9200": true,
	} {
		o := Options{URLs: strings.Split(urls, ",")}
		require.Equal(t, want, o.compress(), urls)
	}
}

func TestCredentialsAreSent(t *testing.T) {
	for want, change := range map[string]func(o *Options){
		"ApiKey c2VjcmV0":    func(o *Options) { o.APIKey = "c2VjcmV0" },
		"Basic dXNlcjpwYXNz": func(o *Options) { o.Username, o.Password = "user", "pass" },
		"":                   func(*Options) {},
	} {
		s := newStandIn(t)
		_, err := s.sink(change).Write(t.Context(), positionsOn("2026-03-01", 0, 1))
		require.NoError(t, err)
		got := s.bulks[0].header.Get("Authorization")
		require.True(t, strings.EqualFold(want, got), got) // the scheme's case is the client's
	}
}

func TestTheCAFileIsTrustedAndNoOther(t *testing.T) {
	s := newStandIn(t)
	tls := httptest.NewUnstartedServer(s)
	tls.Config.ErrorLog = log.New(io.Discard, "", 0) // the client that distrusts it
	tls.StartTLS()
	defer tls.Close()
	docs := positionsOn("2026-03-01", 0, 1)
	_, err := s.sink(func(o *Options) { o.URLs = []string{tls.URL} }).Write(t.Context(), docs)
	require.Equal(t, "unreachable", retryOf(t, err).Class)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: tls.Certificate().Raw})
	_, err = s.sink(func(o *Options) { o.URLs, o.CACert = []string{tls.URL}, ca }).Write(t.Context(), docs)
	require.NoError(t, err)
}

func TestTheOtherNodesTakeOver(t *testing.T) {
	s := newStandIn(t)
	gone := httptest.NewServer(s)
	gone.Close()
	sink := s.sink(func(o *Options) { o.URLs = []string{gone.URL, s.URL} })
	var err error
	for range 4 { // the first attempts may meet the one that is gone
		if _, err = sink.Write(t.Context(), positionsOn("2026-03-01", 0, 3)); err == nil {
			break
		}
		require.Equal(t, "unreachable", retryOf(t, err).Class)
	}
	require.NoError(t, err)
	require.Equal(t, 3, s.count())
}

func TestTemplatesAreInstalledBeforeTheyAreNeeded(t *testing.T) {
	now := time.Now()
	s := newStandIn(t)
	sink := s.sink(func(o *Options) { o.Now = func() time.Time { return now } })
	write := func(day string, first int) {
		t.Helper()
		_, err := sink.Write(t.Context(), positionsOn(day, first, 1))
		require.NoError(t, err)
	}
	write("2026-03-01", 0)
	require.Equal(t, 2, s.puts)
	write("2026-03-01", 1)
	require.Equal(t, 2, s.puts, "they are there")

	lose := func() { s.mu.Lock(); clear(s.templates); s.mu.Unlock() }
	lose()
	write("2026-03-02", 2)
	require.Equal(t, 4, s.puts, "before a new index")
	lose()
	now = now.Add(checkEvery)
	write("2026-03-02", 3)
	require.Equal(t, 6, s.puts, "once a minute")
	lose()
	s.script = append(s.script, status(503, "{}"))
	_, err := sink.Write(t.Context(), positionsOn("2026-03-02", 4, 1))
	require.Error(t, err)
	write("2026-03-02", 4)
	require.Equal(t, 8, s.puts, "after a failure")
}

func TestAnOlderTemplateIsReplacedAndANewerOneKept(t *testing.T) {
	s := newStandIn(t)
	s.templates["trackmesh-positions"], s.templates["trackmesh-events"] = templateVersion-1, templateVersion+1
	_, err := s.sink(nil).Write(t.Context(), positionsOn("2026-03-01", 0, 1))
	require.NoError(t, err)
	require.Equal(t, map[string]int{"trackmesh-positions": templateVersion, "trackmesh-events": templateVersion + 1}, s.templates)
}

func TestAnIndexThatDoesNotComeByItselfIsMade(t *testing.T) {
	s := newStandIn(t)
	for range partialRounds {
		s.script = append(s.script, func(w http.ResponseWriter, _ *http.Request, b *bulk) bool {
			s.answer(w, b, map[string]string{b.ids[0]: `{"status":404,"error":{"type":"index_not_found_exception","reason":"no such index"}}`})
			return true
		})
	}
	sink := s.sink(nil)
	_, err := sink.Write(t.Context(), positionsOn("2026-03-01", 0, 1))
	require.Equal(t, "missing", retryOf(t, err).Class)
	_, err = sink.Write(t.Context(), positionsOn("2026-03-01", 0, 1))
	require.NoError(t, err)
	require.Equal(t, []string{"trackmesh-positions-2026.03.01"}, s.created)
}

func TestTheIndexDependsOnTheDocumentOnly(t *testing.T) {
	sink := newStandIn(t).sink(func(o *Options) { o.IndexPrefix = "fleet" })
	ingested := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	stamp := func(t time.Time) string { return t.Format("2006-01-02T15:04:05.000Z07:00") }
	for _, c := range []struct {
		at   time.Time
		want string
	}{
		{ingested, "2026.03.01"},
		{ingested.Add(-400 * 24 * time.Hour), "2025.01.25"},
		{ingested.Add(-400*24*time.Hour - time.Millisecond), "other"},
		{ingested.Add(24 * time.Hour), "2026.03.02"},
		{ingested.Add(24*time.Hour + time.Millisecond), "other"},
		{time.Date(2026, 3, 1, 1, 0, 0, 0, time.FixedZone("", 2*3600)), "2026.02.28"},
	} {
		position := sinks.Document{Kind: sinks.Position, Timestamp: 1, Body: fmt.Appendf(nil, `{"a":{"@timestamp":"x","ingested_at":"y"},"@timestamp":%q,"ingested_at":%q}`, stamp(c.at), stamp(ingested))}
		require.Equal(t, "fleet-positions-"+c.want, sink.indexOf(&position))
		event := sinks.Document{Kind: sinks.Event, Timestamp: ingested.UnixMilli(), Body: fmt.Appendf(nil, `{"id":"x","@timestamp":%q}`, stamp(c.at))}
		require.Equal(t, "fleet-events-"+c.want, sink.indexOf(&event))
	}
	for _, body := range []string{``, `{}`, `[]`, `{"@timestamp":7}`, `{"@timestamp":"soon"}`, `{"@timestamp`} {
		require.Equal(t, "fleet-positions-other", sink.indexOf(&sinks.Document{Body: []byte(body)}), body)
	}
}

func TestOldIndicesAreDeleted(t *testing.T) {
	s := newStandIn(t)
	now := time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)
	entry := func(name string, created time.Time) string {
		return fmt.Sprintf(`%q:{"settings":{"index":{"creation_date":"%d"}}}`, name, created.UnixMilli())
	}
	longAgo := now.AddDate(0, -3, 0)
	s.settings = "{" + strings.Join([]string{
		entry("trackmesh-positions-2026.02.28", longAgo), entry("trackmesh-positions-2026.03.01", longAgo), entry("trackmesh-events-2026.02.27", longAgo),
		entry("trackmesh-positions-2026.01.01", now.AddDate(0, 0, -2)), // a replay of the day before yesterday
		entry("trackmesh-positions-other", longAgo), entry("trackmesh-positions-2026.02.28-copy", longAgo), entry("trackmesh-positionsx-2026.02.28", longAgo),
	}, ",") + "}"
	deleted, err := s.sink(func(o *Options) { o.MaxAge, o.Now = 30*24*time.Hour, func() time.Time { return now } }).DeleteOld(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"trackmesh-events-2026.02.27", "trackmesh-positions-2026.02.28"}, deleted)
	require.Equal(t, deleted, s.deleted)
	deleted, err = s.sink(nil).DeleteOld(t.Context())
	require.NoError(t, err)
	require.Empty(t, deleted, "no age, nothing is old")
}

func TestBadOptionsAreNamed(t *testing.T) {
	_, err := New(Options{URLs: []string{"http://es:9200", "es:9200", "http://user:secret@\x7f"}, IndexPrefix: "Fleet*"})
	for _, part := range []string{"es:9200", "Fleet*", "Logger", "Registerer"} {
		require.ErrorContains(t, err, part)
	}
	require.NotContains(t, err.Error(), "secret")
	_, err = New(Options{})
	require.ErrorContains(t, err, "no URL")
	s := newStandIn(t)
	sink := s.sink(nil)
	opts := sink.opts
	opts.CACert = []byte("no certificate")
	_, err = opts.connect()
	require.ErrorContains(t, err, "PEM")
}

func TestTheClientsErrorsAreUnderstood(t *testing.T) {
	require.Equal(t, "unreachable", unreachable(errors.New("x")).Class)
	require.Equal(t, "timeout", unreachable(context.DeadlineExceeded).Class)
	require.Zero(t, retryAfter("Wed, 21 Oct 2026 07:28:00 GMT"))
	require.Equal(t, maxRetryAfter, retryAfter("100000"))
}
