package api

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/broker"
)

// fakeWebhooks keeps webhooks in memory.
type fakeWebhooks struct {
	mu   sync.Mutex
	all  map[string]Webhook
	last int64
}

func (f *fakeWebhooks) List(context.Context) ([]Webhook, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []Webhook
	for _, w := range f.all {
		all = append(all, w)
	}
	return all, nil
}

func (f *fakeWebhooks) Get(_ context.Context, id string) (Webhook, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	w, ok := f.all[id]
	if !ok {
		return Webhook{}, ErrNotFound
	}
	return w, nil
}

func (f *fakeWebhooks) Put(_ context.Context, id string, c WebhookChange, ifMatch *int64) (Webhook, string, error) {
	if !strings.HasPrefix(c.URL, "http") {
		return Webhook{}, "", &InvalidError{Pointer: "/url", Reason: "the url must be http"}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	version := int64(-1)
	if w, ok := f.all[id]; ok {
		version = w.Version
	}
	if ifMatch != nil && *ifMatch != version {
		return Webhook{}, "", ErrVersion
	}
	f.last++
	at := time.UnixMilli(1_700_000_000_000).UTC()
	w := Webhook{ID: id, Version: f.last, URL: c.URL, Filter: c.Filter, Created: at, State: WebhookState{State: "failing", Lag: 3, LastError: "server: 500", LastErrorAt: &at}}
	f.all[id] = w
	if c.Secret == nil && version < 0 {
		return w, "made", nil
	}
	return w, "", nil
}

func (f *fakeWebhooks) Delete(_ context.Context, id string, ifMatch *int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	w, ok := f.all[id]
	if !ok {
		return ErrNotFound
	}
	if ifMatch != nil && *ifMatch != w.Version {
		return ErrVersion
	}
	delete(f.all, id)
	return nil
}

func TestAWebhookIsPutReadAndDeleted(t *testing.T) {
	b := start(t)
	const path = "/api/v1/webhooks/ops"
	b.get(path).problem(t, http.StatusNotFound, "webhook")
	body := `{"url":"https://example.org/hook","filter":{"types":["enter"],"bbox":[-74,40,-73,41]}}`
	made := b.do(http.MethodPut, path, body, "Content-Type", "application/json")
	require.Equal(t, http.StatusOK, made.StatusCode, "%s", made.body)
	require.Equal(t, "made", made.json(t)["secret"])
	require.Equal(t, `"1"`, made.Header.Get("ETag"))
	shown := b.get(path)
	require.NotContains(t, string(shown.body), "secret")
	require.Equal(t, map[string]any{"types": []any{"enter"}, "bbox": []any{-74.0, 40.0, -73.0, 41.0}}, shown.json(t)["filter"])
	require.Equal(t, "server: 500", shown.json(t)["state"].(map[string]any)["last_error"])
	require.Len(t, b.get("/api/v1/webhooks").json(t)["webhooks"], 1)
	b.do(http.MethodPut, path, body, "If-None-Match", "*").problem(t, http.StatusPreconditionFailed, "version")
	b.do(http.MethodPut, path, `{"url":"ftp://x"}`).problem(t, http.StatusBadRequest, "body")
	b.do(http.MethodPut, path, `{"url":"https://x","colour":1}`).problem(t, http.StatusBadRequest, "body")
	b.do(http.MethodDelete, path, "", "If-Match", `"7"`).problem(t, http.StatusPreconditionFailed, "version")
	require.Equal(t, http.StatusNoContent, b.do(http.MethodDelete, path, "", "If-Match", "*").StatusCode)
	b.do(http.MethodDelete, path, "").problem(t, http.StatusNotFound, "webhook")
	require.Equal(t, []any{}, b.get("/api/v1/webhooks").json(t)["webhooks"])
}

func TestTheLogShowsNoSecretOfAWebhook(t *testing.T) {
	b := start(t)
	_, err := b.log.Produce(context.Background(), []broker.Record{
		{Stream: broker.Webhooks, Key: []byte("ops"), Value: []byte(`{"url":"https://example.org","secret":"0123456789abcdef","cursor":"c"}`)},
		{Stream: broker.Webhooks, Key: []byte("odd"), Value: []byte(`0123456789abcdef`)},
	})
	require.NoError(t, err)
	a := b.get("/api/v1/log/positions.webhooks")
	require.Equal(t, http.StatusOK, a.StatusCode)
	require.Contains(t, string(a.body), "https://example.org")
	require.NotContains(t, string(a.body), "0123456789abcdef")
}
