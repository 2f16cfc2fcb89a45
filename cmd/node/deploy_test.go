package main

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// commandLine is what the shell makes of an app's cmd: the words after the program, variables filled in.
func commandLine(t *testing.T, cmd, program string, env map[string]string) []string {
	t.Helper()
	expanded := os.Expand(cmd, func(name string) string {
		value, ok := env[name]
		require.True(t, ok, "$%s is set by nobody", name)
		return value
	})
	words := strings.Fields(strings.ReplaceAll(expanded, `"`, ""))
	at := slices.Index(words, program)
	require.GreaterOrEqual(t, at, 0, "%s does not run %s", cmd, program)
	return words[at+1:]
}

// TestMarathonsAppDefinitionIsACommandLineOfOurs: as Marathon starts it, with the variables that Marathon sets.
func TestMarathonsAppDefinitionIsACommandLineOfOurs(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../deploy/marathon/node.json")
	require.NoError(t, err)
	var app struct {
		Cmd string
		Env map[string]string
	}
	require.NoError(t, json.Unmarshal(raw, &app))
	app.Env["MESOS_SANDBOX"] = "/sandbox"
	environ := []string{"HOST=agent-7", "PORT_HTTP=31005", "PORT_GOSSIP=31006", "PORT_RPC=31007", "MESOS_TASK_ID=node.1", "MARATHON_APP_ID=/trackmesh/node"}
	for name, value := range app.Env {
		environ = append(environ, name+"="+value)
	}
	o, _, err := parse(commandLine(t, app.Cmd, "./trackmesh", app.Env), environ)
	require.NoError(t, err)
	require.False(t, o.DemoOn(), "the simulated fleet is an app of its own: it must run once")
	require.Equal(t, []string{app.Env["KAFKA_BROKERS"]}, o.KafkaBrokers)
	require.Equal(t, []string{app.Env["JOIN"]}, o.Join)
	require.Equal(t, "/sandbox/tokens", o.AuthTokensFile)
	// MESOS_HTTP checks ask 127.0.0.1, other nodes ask HOST.
	require.Equal(t, []string{"0.0.0.0:31005", "0.0.0.0:31006", "0.0.0.0:31007"}, []string{o.HTTPAddr, o.GossipAddr, o.RPCAddr})
	require.Equal(t, "agent-7", o.AdvertiseHost)
}
