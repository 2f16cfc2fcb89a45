package main

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
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

// TestComposesNodesAreCommandLinesOfOurs: the environment of each node, with what the image sets.
func TestComposesNodesAreCommandLinesOfOurs(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../deploy/compose.yaml")
	require.NoError(t, err)
	var file struct {
		Services map[string]struct {
			Image       string
			Entrypoint  []string
			Environment map[string]string
		}
	}
	require.NoError(t, yaml.Unmarshal(raw, &file))
	nodes := 0
	for name, s := range file.Services {
		if s.Image != "trackmesh" || len(s.Entrypoint) > 0 {
			continue
		}
		nodes++
		environ := []string{"TRACKMESH_DATA_DIR=/data", "TRACKMESH_HTTP_ADDR=0.0.0.0:8080", "TRACKMESH_GOSSIP_ADDR=0.0.0.0:7946", "TRACKMESH_RPC_ADDR=0.0.0.0:7947"}
		for variable, value := range s.Environment {
			environ = append(environ, variable+"="+value)
		}
		o, _, err := parse(nil, environ)
		require.NoError(t, err, name)
		require.Equal(t, name, o.NodeName)
		require.Equal(t, name, o.AdvertiseHost, "by this name the others reach it")
		require.Equal(t, []string{"node-1:7946", "node-2:7946", "node-3:7946"}, o.Join)
		require.False(t, o.DemoOn(), "one service simulates the fleet")
	}
	require.Equal(t, 3, nodes)
}
