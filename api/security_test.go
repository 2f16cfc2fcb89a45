package api

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	waitAtMost = 5 * time.Second
	pollEvery  = 5 * time.Millisecond
)

func hashOf(token string) string {
	h := sha256.Sum256([]byte(token))
	return hex.EncodeToString(h[:])
}

func withTokens(t *testing.T) func(*Options) {
	t.Helper()
	tokens, err := ReadTokens(strings.NewReader("# who\nann read " + hashOf("r") + "\nbo write " + hashOf("w") + "\n\ncy  admin\t" + hashOf("a") + "\n"))
	require.NoError(t, err)
	return func(o *Options) { o.Tokens = tokens }
}

func TestRolesBoundWhatATokenMayDo(t *testing.T) {
	b := start(t, withTokens(t))
	bearer := func(token string) []string { return []string{"Authorization", "Bearer " + token} }
	for _, c := range []struct {
		token, method, path string
		want                int
	}{
		{"", "GET", "/healthz", 200},
		{"", "GET", "/readyz", 200},
		{"", "GET", "/", 200},
		{"", "GET", "/api/v1/tracks", 401},
		{"", "GET", "/api/v1/events/stream", 401},
		{"", "GET", "/api/v1/live", 401},
		{"wrong", "GET", "/api/v1/tracks", 401},
		{"r", "GET", "/api/v1/tracks", 200},
		{"r", "GET", "/metrics", 200},
		{"r", "POST", "/api/v1/positions", 403},
		{"r", "DELETE", "/api/v1/fences/x", 403},
		{"r", "GET", "/api/v1/log/positions.fences", 403},
		{"w", "POST", "/api/v1/positions", 200},
		{"w", "GET", "/api/v1/log/positions.fences", 403},
		{"a", "GET", "/api/v1/log/positions.fences", 200},
		{"a", "POST", "/api/v1/positions", 200},
	} {
		headers := bearer(c.token)
		if c.token == "" {
			headers = nil
		}
		a := b.do(c.method, c.path, "", headers...)
		require.Equal(t, c.want, a.StatusCode, "%s %s as %q: %s", c.method, c.path, c.token, a.body)
		if c.want == 401 {
			require.Contains(t, a.Header.Get("WWW-Authenticate"), "Bearer")
		}
	}
	b.get("/api/v1/tracks", "Authorization", "Basic cjpy").problem(t, 401, "unauthorized")
}

func TestABrowserLogsInWithACookie(t *testing.T) {
	b := start(t, withTokens(t), func(o *Options) { o.Secure = true })
	require.JSONEq(t, `{"auth":true}`, string(b.get("/api/v1/session").body))
	b.do(http.MethodPost, "/api/v1/session", `{"token":"nope"}`).problem(t, 401, "unauthorized")
	a := b.do(http.MethodPost, "/api/v1/session", `{"token":"w"}`, "Content-Type", "application/json")
	require.JSONEq(t, `{"auth":true,"name":"bo","role":"write"}`, string(a.body))
	cookie := a.Cookies()[0]
	require.True(t, cookie.HttpOnly)
	require.True(t, cookie.Secure)
	require.Equal(t, http.SameSiteStrictMode, cookie.SameSite)
	with := cookie.Name + "=" + cookie.Value
	require.Equal(t, 200, b.get("/api/v1/tracks", "Cookie", with).StatusCode)
	require.Equal(t, 200, b.do(http.MethodPost, "/api/v1/positions", "", "Cookie", with, "Origin", b.url).StatusCode)
	b.do(http.MethodPost, "/api/v1/positions", "", "Cookie", with, "Origin", "https://evil.example").problem(t, 403, "origin")
	b.do(http.MethodPost, "/api/v1/positions", "", "Cookie", with, "Sec-Fetch-Site", "cross-site").problem(t, 403, "origin")
	out := b.do(http.MethodDelete, "/api/v1/session", "")
	require.Negative(t, out.Cookies()[0].MaxAge)
}

func TestOtherOriginsNeedLeave(t *testing.T) {
	b := start(t, func(o *Options) { o.CORSOrigins = []string{"https://map.example.org"} })
	ask := func(origin string) answer {
		return b.do(http.MethodOptions, "/api/v1/fences/x", "", "Origin", origin, "Access-Control-Request-Method", "PUT")
	}
	a := ask("https://map.example.org")
	require.Equal(t, http.StatusNoContent, a.StatusCode)
	require.Equal(t, "https://map.example.org", a.Header.Get("Access-Control-Allow-Origin"))
	require.Contains(t, a.Header.Get("Access-Control-Allow-Headers"), "If-Match")
	require.Empty(t, ask("https://evil.example").Header.Get("Access-Control-Allow-Origin"))
	require.Equal(t, "https://map.example.org", b.get("/api/v1/tracks", "Origin", "https://map.example.org").Header.Get("Access-Control-Allow-Origin"))
	b.do(http.MethodPost, "/api/v1/positions", "", "Origin", "https://evil.example").problem(t, 403, "origin")
	require.Equal(t, 200, b.do(http.MethodPost, "/api/v1/positions", "", "Origin", "https://map.example.org").StatusCode)
}

func TestANodeForThisMachineAnswersToNoOtherName(t *testing.T) {
	b := start(t, func(o *Options) { o.LocalOnly = true })
	for host, ok := range map[string]bool{
		"localhost:8080": true, "127.0.0.1": true, "[::1]:8080": true, "::1": true, "map.localhost": true,
		"evil.example:8080": false, "10.0.0.1": false, "localhost.evil.example": false, "": true,
	} {
		if host == "" {
			continue
		}
		a := b.get("/api/v1/tracks", "Host", host)
		if ok {
			require.Equal(t, 200, a.StatusCode, host)
			continue
		}
		a.problem(t, 403, "host")
	}
}

func TestBadTokenFilesAreRefusedWithEveryBadLine(t *testing.T) {
	_, err := ReadTokens(strings.NewReader("a read\nb chief " + hashOf("x") + "\nc read 1234\nd read " + hashOf("y") + "\ne read " + hashOf("y")))
	require.ErrorContains(t, err, "line 1")
	require.ErrorContains(t, err, "line 2")
	require.ErrorContains(t, err, "line 3")
	require.ErrorContains(t, err, "line 5")
	require.NotContains(t, err.Error(), hashOf("y"))
	_, err = ReadTokens(strings.NewReader("# nothing\n"))
	require.ErrorContains(t, err, "nobody")
}
