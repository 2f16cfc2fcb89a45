//go:build real

package real

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/trackmesh/trackmesh/broker"
	"github.com/trackmesh/trackmesh/broker/kafka"
	"github.com/trackmesh/trackmesh/internal/node"
)

func readAll(resp *http.Response) string {
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func setTopicConfig(brokers []string, topic, key, value string) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		return err
	}
	defer cl.Close()
	_, err = kadm.NewClient(cl).AlterTopicConfigs(context.Background(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: key, Value: &value}}, topic)
	return err
}

func createTopic(tb testing.TB, cl *kgo.Client, topic string, partitions int32) {
	tb.Helper()
	_, err := kadm.NewClient(cl).CreateTopic(context.Background(), partitions, 1, nil, topic)
	require.NoError(tb, err)
}

// writeFences puts fences into the log of a node that is not started yet.
func writeFences(tb testing.TB, o node.Options, features string) {
	tb.Helper()
	log, err := kafka.Open(context.Background(), kafka.Options{Brokers: o.KafkaBrokers, OpenOptions: broker.OpenOptions{
		Topic: o.Topic, Group: o.Group, Partitions: o.Partitions, Enriched: o.History != "off", RetentionAge: o.RetentionAge,
	}})
	require.NoError(tb, err)
	defer log.Close()
	var records []broker.Record
	for line := range strings.Lines(features) {
		var head struct{ ID string }
		require.NoError(tb, json.Unmarshal([]byte(line), &head))
		records = append(records, broker.Record{Stream: broker.Fences, Key: []byte(head.ID), Value: []byte(strings.TrimSpace(line))})
	}
	_, err = log.Produce(context.Background(), records)
	require.NoError(tb, err)
}
