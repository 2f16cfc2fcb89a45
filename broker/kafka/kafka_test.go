package kafka

import (
	"context"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/trackmesh/trackmesh/broker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a Kafka in memory.
func fake(tb testing.TB, opts ...kfake.Opt) []string {
	tb.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1)}, opts...)...)
	require.NoError(tb, err)
	tb.Cleanup(c.Close)
	return c.ListenAddrs()
}

// optionsFor are for a log of the test's own.
func optionsFor(tb testing.TB, brokers []string) Options {
	tb.Helper()
	name := regexp.MustCompile(`[^a-zA-Z0-9._-]`).ReplaceAllString(tb.Name(), ".")
	return Options{
		Brokers:     brokers,
		OpenOptions: broker.OpenOptions{Topic: name, Group: "group-" + name, Partitions: 3, Enriched: true},
	}
}

func open(tb testing.TB, opts Options) *Log {
	tb.Helper()
	l, err := Open(tb.Context(), opts)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, l.Close()) })
	return l
}

// owner claims and restores.
func owner(tb testing.TB, l *Log, p int32) *claim {
	tb.Helper()
	c, err := l.Claim(tb.Context(), p, "node")
	require.NoError(tb, err)
	tb.Cleanup(c.Close)
	require.NoError(tb, c.Restore(tb.Context(), func(*broker.Record) error { return nil }))
	return c.(*claim)
}

func events(p int32, values ...string) []broker.Record {
	out := make([]broker.Record, len(values))
	for i, v := range values {
		out[i] = broker.Record{Stream: broker.Events, Partition: p, Key: []byte("k"), Value: []byte(v)}
	}
	return out
}

// collect polls until done says so of all that came.
func collect(tb testing.TB, r broker.Reader, done func([]broker.Record) bool) []broker.Record {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 30*time.Second)
	defer cancel()
	var out []broker.Record
	for !done(out) {
		fetches, err := r.Poll(ctx)
		require.NoError(tb, err, "after %d records", len(out))
		for _, f := range fetches {
			require.NoError(tb, f.Err)
			out = append(out, f.Records...)
		}
	}
	return out
}

func count(n int) func([]broker.Record) bool {
	return func(r []broker.Record) bool { return len(r) >= n }
}

// failure polls until a fetch has an error.
func failure(tb testing.TB, r broker.Reader) broker.Fetch {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 30*time.Second)
	defer cancel()
	for {
		fetches, err := r.Poll(ctx)
		require.NoError(tb, err)
		for _, f := range fetches {
			if f.Err != nil {
				return f
			}
		}
	}
}

func values(records []broker.Record) []string {
	out := make([]string, len(records))
	for i := range records {
		out[i] = string(records[i].Value)
	}
	return out
}

func newReader(tb testing.TB, l *Log) broker.Reader {
	tb.Helper()
	r, err := l.NewReader(broker.ReaderOptions{Name: "test"})
	require.NoError(tb, err)
	tb.Cleanup(r.Close)
	return r
}

// plainClient is a client of somebody else.
func plainClient(tb testing.TB, brokers []string, opts ...kgo.Opt) *kgo.Client {
	tb.Helper()
	c, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.DisableClientMetrics(),
	}, opts...)...)
	require.NoError(tb, err)
	tb.Cleanup(c.Close)
	return c
}
