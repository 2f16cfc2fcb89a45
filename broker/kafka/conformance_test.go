package kafka

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/trackmesh/trackmesh/broker"
	"github.com/trackmesh/trackmesh/broker/brokertest"
)

// deployment is a set of topics of the subtest's own.
func deployment(brokers []string) brokertest.Opener {
	return func(t *testing.T, open broker.OpenOptions) brokertest.Deployment {
		t.Helper()
		opts := optionsFor(t, brokers)
		open.Topic, open.Group = opts.Topic, opts.Group
		opts.OpenOptions = open
		return brokertest.Deployment{
			Open: func(t *testing.T) broker.Log {
				t.Helper()
				l, err := Open(t.Context(), opts)
				require.NoError(t, err)
				return l
			},
			Trim: trim,
		}
	}
}

func trim(t *testing.T, log broker.Log, s broker.Stream, p int32, below int64) {
	t.Helper()
	l := log.(*Log)
	topic := l.topicOf(s)
	_, err := l.admin.DeleteRecords(t.Context(), kadm.Offsets{topic: {p: {Topic: topic, Partition: p, At: below}}})
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		earliest, _, err := l.Bounds(t.Context(), s, p)
		return err == nil && earliest >= below
	}, 10*time.Second, 5*time.Millisecond)
}

func TestConformanceOnFakeKafka(t *testing.T) { brokertest.Run(t, deployment(fake(t))) }
