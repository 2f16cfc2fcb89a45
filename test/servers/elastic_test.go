//go:build real

package servers

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestElasticsearchKeepsItsDocumentsOverRestartAndKill(t *testing.T) {
	e := Elasticsearch(t, ElasticsearchOptions{})
	do := func(method, path, body string) int {
		req, err := http.NewRequestWithContext(t.Context(), method, e.URL+path, strings.NewReader(body))
		require.NoError(t, err)
		req.Header.Set("Content-Type", "application/json")
		res, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer res.Body.Close()
		return res.StatusCode
	}
	for id, again := range map[string]func() error{
		"1": func() error { return e.Restart(t.Context()) },
		"2": func() error { e.Kill(); return e.Start(t.Context()) },
	} {
		require.Equal(t, http.StatusCreated, do(http.MethodPut, "/t/_create/"+id+"?refresh=true", `{"a":1}`))
		require.NoError(t, again())
		require.Equal(t, http.StatusOK, do(http.MethodGet, "/t/_doc/"+id, ""))
	}
}

func TestElasticsearchWithSecurityAnswersItsUserOnly(t *testing.T) {
	e := Elasticsearch(t, ElasticsearchOptions{Security: true})
	status := func(user string) int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, e.URL+"/_cluster/health", http.NoBody)
		require.NoError(t, err)
		if user != "" {
			req.SetBasicAuth(user, ElasticsearchPassword)
		}
		res, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer res.Body.Close()
		return res.StatusCode
	}
	require.Equal(t, http.StatusUnauthorized, status(""))
	require.Equal(t, http.StatusUnauthorized, status("somebody"))
	require.Equal(t, http.StatusOK, status(ElasticsearchUser))
}
