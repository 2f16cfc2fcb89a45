package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
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

func TestMarathonSaysWhereToListen(t *testing.T) {
	t.Parallel()
	o, _, err := parse([]string{"--insecure-no-auth"}, []string{"HOST=10.0.0.7", "PORT_HTTP=31005"})
	require.NoError(t, err)
	require.Equal(t, "10.0.0.7:31005", o.HTTPAddr)
	o, _, err = parse([]string{"--http-addr=127.0.0.1:1"}, []string{"HOST=10.0.0.7", "PORT_HTTP=31005"})
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1:1", o.HTTPAddr)
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
