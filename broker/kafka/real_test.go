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
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) { test(onKafka{t, k.Brokers}) })
	}
}

func TestConformanceOnRealKafka(t *testing.T) {
	// The suite commits thousands of times without a pause; by default the broker waits 20 ms when a transaction begins
	// before the end of the one before is written.
	k := servers.Kafka(t, servers.KafkaOptions{Config: map[string]string{"add.partitions.to.txn.retry.backoff.ms": "1"}})
	brokertest.Run(t, deployment(k.Brokers))
}
