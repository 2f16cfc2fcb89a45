package elastic

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/sinks"
)

// standIn is as much of Elasticsearch as Write needs, with a script of what goes wrong.
type standIn struct {
	testing.TB
	*httptest.Server

	mu        sync.Mutex
	script    []func(w http.ResponseWriter, r *http.Request, b *bulk) bool // one per bulk request; true: it answered
	bulks     []*bulk
	stored    map[string]string // index/id → body
	templates map[string]int    // name → version
	puts      int
	created   []string
	deleted   []string
	settings  string
}

// bulk is a bulk request, taken apart.
type bulk struct {
	indices, ids, bodies []string
	raw                  int
	header               http.Header
	query                string
}

func newStandIn(t testing.TB) *standIn {
	s := &standIn{TB: t, stored: map[string]string{}, templates: map[string]int{}}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

// count is how many documents are stored.
func (s *standIn) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.stored)
}

// sink is a sink on the stand-in.
func (s *standIn) sink(change func(o *Options)) *Sink {
	s.Helper()
	opts := Options{URLs: []string{s.URL}, Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry()}
	if change != nil {
		change(&opts)
	}
	sink, err := New(opts)
	require.NoError(s, err)
	s.Cleanup(func() { require.NoError(s, sink.Close(context.Background())) }) // the test's context has ended
	return sink
}

func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	switch {
	case r.URL.Path == "/_bulk":
		s.bulk(w, r)
	case strings.HasPrefix(r.URL.Path, "/_index_template/"):
		s.template(w, r, strings.TrimPrefix(r.URL.Path, "/_index_template/"))
	case strings.HasSuffix(r.URL.Path, "/_settings/index.creation_date"):
		fmt.Fprint(w, s.settings)
	case r.Method == http.MethodPut:
		s.mu.Lock()
		s.created = append(s.created, r.URL.Path[1:])
		s.mu.Unlock()
		fmt.Fprint(w, `{"acknowledged":true}`)
	case r.Method == http.MethodDelete:
		s.mu.Lock()
		s.deleted = append(s.deleted, strings.Split(r.URL.Path[1:], ",")...)
		s.mu.Unlock()
		fmt.Fprint(w, `{"acknowledged":true}`)
	default:
		w.WriteHeader(http.StatusNotImplemented)
	}
}

func (s *standIn) template(w http.ResponseWriter, r *http.Request, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Method == http.MethodPut {
		var t struct {
			Version  int             `json:"version"`
			Patterns []string        `json:"index_patterns"`
			Template json.RawMessage `json:"template"`
		}
		if err := json.NewDecoder(r.Body).Decode(&t); err != nil || len(t.Patterns) != 1 || t.Patterns[0] != name+"-*" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		s.templates[name] = t.Version
		s.puts++
		fmt.Fprint(w, `{"acknowledged":true}`)
		return
	}
	if version, ok := s.templates[name]; ok {
		fmt.Fprintf(w, `{"index_templates":[{"name":%q,"index_template":{"version":%d}}]}`, name, version)
		return
	}
	w.WriteHeader(http.StatusNotFound)
	fmt.Fprint(w, `{"error":{"type":"resource_not_found_exception","reason":"no such template"},"status":404}`)
}

func (s *standIn) bulk(w http.ResponseWriter, r *http.Request) {
	b, err := readBulk(r)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"error":{"type":"illegal_argument_exception","reason":%q},"status":400}`, err)
		return
	}
	s.mu.Lock()
	s.bulks = append(s.bulks, b)
	var step func(w http.ResponseWriter, r *http.Request, b *bulk) bool
	if len(s.script) > 0 {
		step, s.script = s.script[0], s.script[1:]
	}
	s.mu.Unlock()
	if step != nil && step(w, r, b) {
		return
	}
	s.answer(w, b, nil)
}

// answer stores what a bulk request holds, but for the documents that fail, and says so.
func (s *standIn) answer(w io.Writer, b *bulk, fail map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	items := make([]string, len(b.ids))
	for i, id := range b.ids {
		key := b.indices[i] + "/" + id
		if item, ok := fail[id]; ok {
			items[i] = `{"create":` + item + `}`
		} else if _, ok := s.stored[key]; ok {
			items[i] = `{"create":{"status":409,"error":{"type":"version_conflict_engine_exception","reason":"document already exists"}}}`
		} else {
			s.stored[key] = b.bodies[i]
			items[i] = `{"create":{"status":201}}`
		}
	}
	fmt.Fprintf(w, `{"errors":%t,"items":[%s]}`, len(fail) > 0, strings.Join(items, ","))
}

func readBulk(r *http.Request) (*bulk, error) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	b := &bulk{raw: len(raw), header: r.Header.Clone(), query: r.URL.RawQuery}
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(bytes.NewReader(raw))
		if err != nil {
			return nil, err
		}
		if raw, err = io.ReadAll(z); err != nil {
			return nil, err
		}
	}
	lines := bufio.NewScanner(bytes.NewReader(raw))
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var action struct {
			Create struct {
				Index string `json:"_index"`
				ID    string `json:"_id"`
			} `json:"create"`
		}
		if err := json.Unmarshal(lines.Bytes(), &action); err != nil || action.Create.ID == "" {
			return nil, fmt.Errorf("malformed action/metadata line %q", lines.Text())
		}
		if !lines.Scan() || !json.Valid(lines.Bytes()) {
			return nil, fmt.Errorf("malformed document %q", lines.Text())
		}
		b.indices, b.ids, b.bodies = append(b.indices, action.Create.Index), append(b.ids, action.Create.ID), append(b.bodies, lines.Text())
	}
	return b, lines.Err()
}

// status makes a request fail as a whole.
func status(code int, body string) func(w http.ResponseWriter, r *http.Request, b *bulk) bool {
	return func(w http.ResponseWriter, _ *http.Request, _ *bulk) bool {
		if code == http.StatusTooManyRequests {
			w.Header().Set("Retry-After", "7")
		}
		w.WriteHeader(code)
		fmt.Fprint(w, body)
		return true
	}
}

// positionsOn are n documents of a day.
func positionsOn(day string, first, n int) []sinks.Document {
	docs := make([]sinks.Document, n)
	for i := range docs {
		docs[i] = sinks.Document{
			Kind: sinks.Position, ID: fmt.Sprintf("00c0ffee-0-%d", first+i), Offset: int64(first + i),
			Body: fmt.Appendf(nil, `{"@timestamp":"%sT12:00:00.000Z","vehicle":"taxi-1","location":[-73.98,40.75],"attributes":{"n":%d},`+
				`"ingested_at":"%sT12:00:01.000Z"}`, day, first+i, day),
		}
	}
	return docs
}
