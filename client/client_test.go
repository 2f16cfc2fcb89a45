package client

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func serve(t *testing.T, fn http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(fn)
	t.Cleanup(server.Close)
	c, err := New(Options{Server: server.URL})
	require.NoError(t, err)
	t.Cleanup(c.CloseIdle)
	return c
}

func TestAddressesOfServers(t *testing.T) {
	t.Parallel()
	for server, want := range map[string]string{"http://a:1/": "http://a:1", "a:1": "http://a:1", "https://a": "https://a"} {
		c, err := New(Options{Server: server})
		require.NoError(t, err)
		require.Equal(t, want, c.Server())
	}
	for _, server := range []string{"", "ftp://a", "http://", "http://a b"} {
		_, err := New(Options{Server: server})
		require.Error(t, err, server)
	}
}

func TestPathsEscapeTheirSegments(t *testing.T) {
	t.Parallel()
	require.Equal(t, "/api/v1/tracks/a%2Fb%20%3F%25/path", Path("tracks", "a/b ?%", "path"))
}

func TestARequestThatTakesTooLongSaysSo(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer server.Close()
	defer close(release)
	c, err := New(Options{Server: server.URL, Timeout: 20 * time.Millisecond})
	require.NoError(t, err)
	_, err = c.Get(t.Context(), Path("cluster"), nil)
	require.EqualError(t, err, server.URL+" did not answer in time")
}

func TestAProducerGivesUpInTheEnd(t *testing.T) {
	t.Parallel()
	var posts atomic.Int32
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		posts.Add(1)
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	p := c.NewProducer(ProducerOptions{RetryFor: 500 * time.Millisecond})
	_, err := p.Send(t.Context(), "application/json", []byte("{}"), 1)
	problem, ok := errors.AsType[*Problem](err)
	require.True(t, ok, "%v", err)
	require.Equal(t, 503, problem.Status)
	require.Greater(t, posts.Load(), int32(1))
	require.EqualValues(t, 1, p.Next(), "what was not acknowledged keeps its number")
}

func TestAProducerEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		cancel()
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	_, err := c.NewProducer(ProducerOptions{}).Send(ctx, "application/json", []byte("{}"), 1)
	require.ErrorIs(t, err, context.Canceled)
}

func TestEventsTakeASilentConnectionForDead(t *testing.T) {
	t.Parallel()
	var connections atomic.Int32
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if connections.Add(1) > 1 {
			_, _ = io.WriteString(w, "id: c2\ndata: {}\n\n")
			return
		}
		_, _ = io.WriteString(w, "id: c1\n\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	enough := errors.New("enough")
	var lost error
	err := c.Events(t.Context(), EventsOptions{
		Silence: 100 * time.Millisecond, OnReconnect: func(err error, _ time.Duration) { lost = err },
	}, func(e StreamedEvent) error {
		require.Equal(t, "c2", e.Cursor)
		return enough
	})
	require.ErrorIs(t, err, enough)
	require.ErrorContains(t, lost, "nothing came for")
}

func TestEventsEndWithTheirContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "id: c1\n\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	require.NoError(t, c.Events(ctx, EventsOptions{OnCursor: func(string) { cancel() }}, nil))
}

func TestEventsWhoseFirstConnectionFailsDoNotWait(t *testing.T) {
	t.Parallel()
	c, err := New(Options{Server: "http://127.0.0.1:1"})
	require.NoError(t, err)
	require.ErrorContains(t, c.Events(t.Context(), EventsOptions{}, nil), "nobody listens")
}

func TestRecordsHaveTheirBytes(t *testing.T) {
	t.Parallel()
	for want, rec := range map[string]Record{"{}": {Value: []byte("{}")}, "\xff": {ValueBase64: "/w=="}, "": {Value: []byte("null")}} {
		got, err := rec.Bytes()
		require.NoError(t, err)
		require.Equal(t, want, string(got))
	}
	_, err := (&Record{ValueBase64: "?"}).Bytes()
	require.Error(t, err)
}

// FuzzReadMessage: whatever a server sends is read to its end without a panic.
func FuzzReadMessage(f *testing.F) {
	f.Add("id: c1\ndata: {}\n\n:\n\nevent: problem\r\ndata: a\ndata: b\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		in := bufio.NewReader(strings.NewReader(text))
		for {
			m, err := readMessage(in, func() {})
			if err != nil {
				require.ErrorIs(t, err, io.EOF)
				return
			}
			require.NotContains(t, m.id, "\n")
		}
	})
}
