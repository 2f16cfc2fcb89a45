package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/cluster/discovery"
)

func TestDefaultsAreAWholeSystem(t *testing.T) {
	t.Parallel()
	o, _, err := parse(nil, nil)
	require.NoError(t, err)
	require.True(t, o.DemoOn())
	require.Equal(t, "127.0.0.1:8080", o.HTTPAddr)
	require.Equal(t, int32(8), o.Partitions)
	require.EqualValues(t, 5<<20, o.ElasticsearchBulkBytes)
}

func TestArgumentsWinOverTheEnvironment(t *testing.T) {
	t.Parallel()
	o, _, err := parse([]string{"--commit-interval", "50ms", "--reject-null-island=off", "--kafka-brokers=a:1,b:2"},
		[]string{"TRACKMESH_COMMIT_INTERVAL=1s", "TRACKMESH_RETENTION_BYTES=1.5GiB", "HOME=/x", "TRACKMESH_PORT=tcp://10.0.0.1:80", "TRACKMESH_SERVICE_HOST=10.0.0.1"})
	require.NoError(t, err)
	require.Equal(t, 50*time.Millisecond, o.CommitInterval)
	require.False(t, o.RejectNullIsland)
	require.EqualValues(t, 3<<29, o.RetentionBytes)
	require.Equal(t, []string{"a:1", "b:2"}, o.KafkaBrokers)
	require.False(t, o.DemoOn(), "the demo is off beside a Kafka")
}

func TestMarathonSaysWhereToListenAndWhoWeAre(t *testing.T) {
	t.Parallel()
	env := []string{
		"HOST=10.0.0.7", "PORT_HTTP=31005", "PORT_GOSSIP=31006", "PORT_RPC=31007", "PORT0=31005", "PORT1=31006", "PORT2=31007",
		"MESOS_TASK_ID=node.1", "MARATHON_APP_ID=/trackmesh/node",
	}
	o, _, err := parse([]string{"--insecure-no-auth", "--kafka-brokers=k:9092", "--join=marathon:http://m:8080"}, env)
	require.NoError(t, err)
	require.Equal(t, "0.0.0.0:31005", o.HTTPAddr, "Mesos' own health checks ask 127.0.0.1")
	require.Equal(t, "0.0.0.0:31006", o.GossipAddr)
	require.Equal(t, "0.0.0.0:31007", o.RPCAddr)
	require.Equal(t, "10.0.0.7", o.AdvertiseHost)
	require.Equal(t, "node.1", o.NodeName)
	require.Equal(t, discovery.Task{AppID: "/trackmesh/node", ID: "node.1", Host: "10.0.0.7", Ports: []string{"31005", "31006", "31007"}, GossipPort: "31006"}, o.Task)
	o, _, err = parse([]string{"--http-addr=127.0.0.1:1", "--node-name=n", "--advertise-host=h"}, env)
	require.NoError(t, err)
	require.Equal(t, []string{"127.0.0.1:1", "n", "h"}, []string{o.HTTPAddr, o.NodeName, o.AdvertiseHost}, "flags win")
	o, _, err = parse(nil, []string{"HOST=of-a-shell"})
	require.NoError(t, err)
	require.Empty(t, o.AdvertiseHost)
	require.Equal(t, "127.0.0.1:8080", o.HTTPAddr)
}

func TestBadSeedsAndAddressesAreNamedByTheirFlags(t *testing.T) {
	t.Parallel()
	_, _, err := parse([]string{"--kafka-brokers=k:9092", "--join=nonsense", "--join=marathon:http://m:8080", "--gossip-addr=x", "--rpc-addr=y", "--advertise-host=h:1"}, nil)
	for _, want := range []string{
		`--join: "nonsense": not host:port: use host:port, dns:name:port, srv:name or marathon:http://host:port`, "--join: marathon:http://m:8080: MARATHON_APP_ID is not set",
		`--gossip-addr: "x" is not host:port`, `--rpc-addr: "y" is not host:port`, `--advertise-host: "h:1" is a host alone`,
	} {
		require.ErrorContains(t, err, want)
	}
}

func TestAllBadFlagsAreReportedAtOnce(t *testing.T) {
	t.Parallel()
	_, _, err := parse([]string{
		"--history=some", "--partitions", "0", "--no-such-flag", "--http-addr=0.0.0.0:80", "--elasticsearch-bulk-bytes=5MB", "stray",
	}, []string{"TRACKMESH_SOMETHING_ELSE=1"})
	require.Error(t, err)
	for _, want := range []string{
		`--history: "some" is not allowed: use all, in-fences, off`, "--partitions: must be above zero", "no-such-flag",
		"--http-addr: 0.0.0.0:80 can be reached from other machines", "use a number with B, KiB, MiB, GiB or TiB", `"stray" is no flag`,
		"TRACKMESH_SOMETHING_ELSE: there is no flag --something-else",
	} {
		require.ErrorContains(t, err, want)
	}
}

func TestUsageErrorsExitWith2AndSayWhere(t *testing.T) {
	t.Parallel()
	var out, errOut bytes.Buffer
	require.Equal(t, 2, run([]string{"--start=middle"}, nil, &out, &errOut))
	require.Contains(t, errOut.String(), "--start")
	require.NotContains(t, errOut.String(), "goroutine")
	require.Equal(t, 0, run([]string{"--version"}, nil, &out, &errOut))
	require.Equal(t, 0, run([]string{"--help"}, nil, &out, &errOut))
	require.Contains(t, out.String(), "--kafka-brokers")
	require.Equal(t, 1, strings.Count(out.String(), "--help "))
}
