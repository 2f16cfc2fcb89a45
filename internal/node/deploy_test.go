package node

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/broker/kafka/dev"
)

// names finds metrics in expressions.
var names = regexp.MustCompile(`\b(trackmesh_[a-z0-9_]+|process_[a-z_]+|go_[a-z_]+)\b`)

// TestDashboardsAndAlertsAskForMetricsThatThereAre compares what deploy/ names with what nodes register, on either log.
func TestDashboardsAndAlertsAskForMetricsThatThereAre(t *testing.T) {
	server, err := dev.Start("127.0.0.1:0", map[string]int32{"positions": 2})
	require.NoError(t, err)
	t.Cleanup(server.Close)
	kafka := testOptions(t)
	kafka.KafkaBrokers = server.Brokers()
	there := registered(t, startNode(t, testOptions(t)))
	for name := range registered(t, startNode(t, kafka)) {
		there[name] = true
	}
	files, err := filepath.Glob("../../deploy/grafana/dashboards/*.json")
	require.NoError(t, err)
	files = append(files, "../../deploy/prometheus/alerts.yml")
	require.Greater(t, len(files), 1)
	for _, file := range files {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, name := range names.FindAllString(string(raw), -1) {
			name = strings.TrimSuffix(name, "_bucket")
			require.True(t, there[name], "%s asks for %s, which no node has", file, name)
		}
	}
}

// registered are the names that a node's registry describes, also of metrics that have no value yet.
func registered(t *testing.T, n *Node) map[string]bool {
	t.Helper()
	described := make(chan *prometheus.Desc, 1000)
	n.registry.Describe(described)
	close(described)
	all := map[string]bool{}
	for d := range described {
		_, rest, found := strings.Cut(d.String(), `fqName: "`)
		require.True(t, found)
		name, _, _ := strings.Cut(rest, `"`)
		all[name] = true
	}
	return all
}
