package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMarathonsSourcesAreCommandLinesOfOurs: each flag of an app definition is one that trackctl takes.
func TestMarathonsSourcesAreCommandLinesOfOurs(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../deploy/marathon/source-*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, name := range files {
		raw, err := os.ReadFile(name)
		require.NoError(t, err)
		var app struct {
			Cmd string
			Env map[string]string
		}
		require.NoError(t, json.Unmarshal(raw, &app))
		line, ours := strings.CutPrefix(app.Cmd, "exec ./trackctl ")
		require.True(t, ours, name)
		expanded := os.Expand(line, func(variable string) string {
			require.Contains(t, app.Env, variable, name)
			return app.Env[variable]
		})
		checkArguments(t, strings.Fields(strings.ReplaceAll(expanded, `"`, "")))
	}
}

// checkArguments finds the command and parses its flags, without running it.
func checkArguments(t *testing.T, args []string) {
	t.Helper()
	cmd, rest, err := newRoot(&app{}).Find(args)
	require.NoError(t, err, "%v", args)
	require.True(t, cmd.Runnable(), "%v", args)
	require.NoError(t, cmd.ParseFlags(rest), "%v", args)
	require.NoError(t, cmd.ValidateArgs(cmd.Flags().Args()), "%v", args)
}

func TestHealthIsAnExitCode(t *testing.T) {
	t.Parallel()
	node := newScripted(t).on("GET /healthz", ok(`{"alive":true}`)).on("GET /readyz", reply{503, "application/json", `{"ready":false}`})
	require.Equal(t, outcome{0, "alive\n", ""}, call(t, node.URL, "", "health"))
	got := call(t, node.URL, "", "health", "--ready")
	require.Equal(t, 1, got.code)
	require.Contains(t, got.err, "not ready")
	require.Equal(t, 1, call(t, "http://127.0.0.1:1", "", "health").code)
}
