//go:build real

package kafka

import (
	"strings"
	"testing"

	"github.com/trackmesh/trackmesh/broker/brokertest"
	"github.com/trackmesh/trackmesh/test/servers"
)

func TestOnRealKafka(t *testing.T) {
	k := servers.Kafka(t, servers.KafkaOptions{})
	for name, test := range inBoth {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) { test(t, k.Brokers) })
	}
}

func TestConformanceOnRealKafka(t *testing.T) {
	brokertest.Run(t, deployment(servers.Kafka(t, servers.KafkaOptions{}).Brokers))
}
