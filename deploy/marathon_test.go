package deploy

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

//nolint:gochecknoglobals // how go test reads a flag
var update = flag.Bool("update", false, "write marathon/group.json from the apps beside it")

// order is how the group lists its apps; each waits until those that it depends on are ready.
func order() []string {
	return []string{"kafka", "elasticsearch", "node", "lb", "source-replay", "source-simulate"}
}

func dependencies() map[string][]string {
	return map[string][]string{
		"node":            {"/trackmesh/kafka", "/trackmesh/elasticsearch"},
		"lb":              {"/trackmesh/node"},
		"source-replay":   {"/trackmesh/node"},
		"source-simulate": {"/trackmesh/node"},
	}
}

type app struct {
	ID              string
	Cmd             string
	Instances       int
	Env             map[string]string
	PortDefinitions []struct {
		Port           int
		Protocol, Name string
	}
	RequirePorts bool
	HealthChecks []struct {
		Protocol, Path string
		PortIndex      int
	}
	ReadinessChecks []struct {
		Path, PortName                  string
		IntervalSeconds, TimeoutSeconds int
	}
	UpgradeStrategy            struct{ MinimumHealthCapacity, MaximumOverCapacity float64 }
	TaskKillGracePeriodSeconds int
	Labels                     map[string]string
	Container                  struct {
		Volumes []struct {
			ContainerPath, HostPath string
			Persistent              *struct{ Size int }
		}
	}
	Residency           *struct{ TaskLostBehavior string }
	UnreachableStrategy any
	Dependencies        []string
}

func read(t *testing.T, name string) (raw map[string]any, a app) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("marathon", name+".json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &raw), name)
	require.NoError(t, json.Unmarshal(b, &a), name)
	return raw, a
}

func TestEveryAppIsInTheGroup(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("marathon/*.json")
	require.NoError(t, err)
	var names []string
	for _, f := range files {
		if name := strings.TrimSuffix(filepath.Base(f), ".json"); name != "group" {
			names = append(names, name)
		}
	}
	require.ElementsMatch(t, order(), names)
}

// TestGroupIsMadeOfTheAppsBesideIt fails when an app changes and the group does not: go test ./deploy -update writes it.
func TestGroupIsMadeOfTheAppsBesideIt(t *testing.T) {
	t.Parallel()
	apps := make([]any, 0, len(order()))
	for _, name := range order() {
		raw, a := read(t, name)
		require.Equal(t, "/trackmesh/"+name, a.ID)
		require.Empty(t, a.Dependencies, "an app of its own stands without the others")
		if needs := dependencies()[name]; len(needs) > 0 {
			raw["dependencies"] = needs
		}
		apps = append(apps, raw)
	}
	want, err := json.MarshalIndent(map[string]any{"id": "/trackmesh", "apps": apps}, "", "  ")
	require.NoError(t, err)
	if *update {
		require.NoError(t, os.WriteFile("marathon/group.json", append(want, '\n'), 0o600))
	}
	got, err := os.ReadFile("marathon/group.json")
	require.NoError(t, err)
	require.JSONEq(t, string(want), string(got), "run: go test ./deploy -update")
}

func TestDependenciesAreAppsOfTheGroupWithoutACircle(t *testing.T) {
	t.Parallel()
	at := map[string]int{}
	for i, name := range order() {
		at["/trackmesh/"+name] = i
	}
	for name, needs := range dependencies() {
		for _, need := range needs {
			require.Contains(t, at, need)
			require.Less(t, at[need], at["/trackmesh/"+name], "%s is listed before what it needs", name)
		}
	}
}

func TestNodeHasItsThreePortsByName(t *testing.T) {
	t.Parallel()
	_, a := read(t, "node")
	protocols := map[string]string{}
	for _, p := range a.PortDefinitions {
		protocols[p.Name] = p.Protocol
		require.Zero(t, p.Port, "Marathon chooses, so that many run on one agent")
	}
	require.Equal(t, map[string]string{"http": "tcp", "gossip": "udp,tcp", "rpc": "tcp"}, protocols)
}

func TestChecksNameAPortThatThereIs(t *testing.T) {
	t.Parallel()
	for _, name := range order() {
		_, a := read(t, name)
		ports := make([]string, 0, len(a.PortDefinitions))
		for _, p := range a.PortDefinitions {
			ports = append(ports, p.Name)
		}
		for _, h := range a.HealthChecks {
			require.Less(t, h.PortIndex, len(ports), name)
			require.True(t, strings.HasPrefix(h.Protocol, "MESOS_"), "%s: run on the agent, not by Marathon", name)
		}
		for _, r := range a.ReadinessChecks {
			require.Contains(t, ports, r.PortName, name)
			require.Less(t, r.TimeoutSeconds, r.IntervalSeconds, name)
		}
	}
}

func TestNodeIsRestartedForItsProcessAndUpgradedByItsReadiness(t *testing.T) {
	t.Parallel()
	_, a := read(t, "node")
	require.Len(t, a.HealthChecks, 1)
	require.Equal(t, "/healthz", a.HealthChecks[0].Path, "a store that is down is mended by no restart")
	require.Len(t, a.ReadinessChecks, 1, "Marathon takes one")
	require.Equal(t, "/readyz", a.ReadinessChecks[0].Path)
	require.InDelta(t, 1, a.UpgradeStrategy.MinimumHealthCapacity, 0, "a new node is ready before an old one ends")
	require.InDelta(t, 0, a.UpgradeStrategy.MaximumOverCapacity, 0, "one at a time")
}

func TestKillGraceIsLongerThanTheDrain(t *testing.T) {
	t.Parallel()
	_, a := read(t, "node")
	_, after, ok := strings.Cut(a.Cmd, "--drain-timeout ")
	require.True(t, ok)
	drain, err := time.ParseDuration(strings.Fields(after)[0])
	require.NoError(t, err)
	require.Greater(t, time.Duration(a.TaskKillGracePeriodSeconds)*time.Second, drain)
}

func TestServersKeepTheirData(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"kafka", "elasticsearch"} {
		_, a := read(t, name)
		require.Equal(t, 1, a.Instances, name)
		require.NotNil(t, a.Residency, name)
		require.Equal(t, "disabled", a.UnreachableStrategy, "%s: a replacement elsewhere would start empty", name)
		require.Zero(t, a.UpgradeStrategy.MinimumHealthCapacity, "%s: the volume serves one", name)
		require.Zero(t, a.UpgradeStrategy.MaximumOverCapacity, name)
		require.True(t, slices.ContainsFunc(a.Container.Volumes, func(v struct {
			ContainerPath, HostPath string
			Persistent              *struct{ Size int }
		},
		) bool {
			return v.Persistent != nil && !strings.Contains(v.ContainerPath, "/")
		}), name)
	}
}

// TestAddressesAreThoseOfTheApps: Mesos-DNS names the app /trackmesh/kafka kafka-trackmesh.marathon.mesos.
func TestAddressesAreThoseOfTheApps(t *testing.T) {
	t.Parallel()
	_, kafka := read(t, "kafka")
	_, elastic := read(t, "elasticsearch")
	require.True(t, kafka.RequirePorts)
	require.Equal(t, 9092, kafka.PortDefinitions[0].Port)
	require.True(t, elastic.RequirePorts)
	require.Equal(t, 9200, elastic.PortDefinitions[0].Port)
	for _, name := range []string{"node", "source-replay", "source-simulate"} {
		_, a := read(t, name)
		require.Equal(t, "kafka-trackmesh.marathon.mesos:9092", a.Env["KAFKA_BROKERS"], name)
	}
	_, node := read(t, "node")
	require.Equal(t, "http://elasticsearch-trackmesh.marathon.mesos:9200", node.Env["ELASTICSEARCH_URLS"])
	require.Equal(t, "external", node.Labels["HAPROXY_GROUP"], "lb.json serves that group")
}

// TestSourcesRunOnce: two of them would send every position twice.
func TestSourcesRunOnce(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"source-replay", "source-simulate"} {
		_, a := read(t, name)
		require.Equal(t, 1, a.Instances, name)
		require.Zero(t, a.UpgradeStrategy.MinimumHealthCapacity, "%s: the old one is gone before the new one starts", name)
		require.Zero(t, a.UpgradeStrategy.MaximumOverCapacity, name)
	}
}
