//go:build real

package servers

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestKafkaKeepsItsRecordsOverRestartAndKill(t *testing.T) {
	k := Kafka(t, KafkaOptions{})
	client, err := kgo.NewClient(kgo.SeedBrokers(k.Brokers...), kgo.DefaultProduceTopic("t"))
	require.NoError(t, err)
	defer client.Close()
	admin := kadm.NewClient(client)
	_, err = admin.CreateTopic(t.Context(), 1, 1, nil, "t")
	require.NoError(t, err)
	for _, again := range []func() error{
		func() error { return k.Restart(t.Context()) },
		func() error { k.Kill(); return k.Start(t.Context()) },
		func() error { return nil },
	} {
		require.NoError(t, client.ProduceSync(t.Context(), kgo.StringRecord("v")).FirstErr())
		require.NoError(t, again())
	}
	ends, err := admin.ListEndOffsets(t.Context(), "t")
	require.NoError(t, err)
	end, ok := ends.Lookup("t", 0)
	require.True(t, ok)
	require.NoError(t, end.Err)
	require.EqualValues(t, 3, end.Offset)
}
