//go:build real

package node

import (
	"testing"

	"github.com/trackmesh/trackmesh/test/servers"
)

func TestAClusterOnRealKafka(t *testing.T) {
	checkCluster(t, servers.Kafka(t, servers.KafkaOptions{}).Brokers)
}
