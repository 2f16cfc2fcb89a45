package main

import (
	"bytes"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

var update = flag.Bool("update", false, "write golden files anew")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// asked is a request that the scripted node got.
type asked struct {
	method, path, query string
	header              http.Header
	body                string
}

// scripted is a node that answers what it was told to, by method and escaped path.
type scripted struct {
	*httptest.Server
	mu      sync.Mutex
	answers map[string][]reply
	asked   []asked
}

type reply struct {
	status      int
	contentType string
	body        string
}

func newScripted(t *testing.T) *scripted {
	t.Helper()
	s := &scripted{answers: map[string][]reply{}}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

// on makes it answer; of several answers to one question each is given once, the last again and again.
func (s *scripted) on(question string, replies ...reply) *scripted {
	s.answers[question] = replies
	return s
}

func ok(body string) reply { return reply{200, "application/json", body} }

func problem(status int, body string) reply { return reply{status, "application/problem+json", body} }

func (s *scripted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	s.asked = append(s.asked, asked{r.Method, r.URL.EscapedPath(), r.URL.RawQuery, r.Header, string(body)})
	question := r.Method + " " + r.URL.EscapedPath()
	replies := s.answers[question]
	if len(replies) > 1 {
		s.answers[question] = replies[1:]
	}
	s.mu.Unlock()
	if len(replies) == 0 {
		http.Error(w, "not scripted: "+question, http.StatusTeapot)
		return
	}
	w.Header().Set("Content-Type", replies[0].contentType)
	w.WriteHeader(replies[0].status)
	_, _ = io.WriteString(w, replies[0].body) // the test sees what is missing
}

func (s *scripted) last(t *testing.T) asked {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	require.NotEmpty(t, s.asked)
	return s.asked[len(s.asked)-1]
}

// outcome is what a call of the tool did.
type outcome struct {
	code     int
	out, err string
}

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// call runs the tool against a server with standard input.
func call(t *testing.T, server, stdin string, args ...string) outcome {
	t.Helper()
	var out, errOut bytes.Buffer
	a := &app{in: strings.NewReader(stdin), out: &out, err: &errOut, now: func() time.Time { return noon }}
	code := run(t.Context(), a, append([]string{"--server", server}, args...))
	if a.client != nil {
		a.client.CloseIdle()
	}
	return outcome{code, out.String(), errOut.String()}
}

// golden compares with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".txt")
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}

// script shows a call as a golden file holds it.
func (o outcome) script(server string) string {
	return strings.ReplaceAll(o.out+"--- stderr\n"+o.err, server, "SERVER")
}

func write(t *testing.T, name, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
	return file
}
