package kafka

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Time-outs of all clients. Requests that the caller's context bounds (InitProducerID, our own admin requests) have no
// other bound; those that franz-go issues by itself have.
const (
	requestOverhead = 2 * time.Second
	requestTimeout  = 10 * time.Second
	produceTimeout  = 5 * time.Second
)

// clientOptions are common to every client of the log.
func (l *Log) clientOptions(name string) []kgo.Opt {
	opts := []kgo.Opt{
		kgo.SeedBrokers(l.opts.Brokers...),
		kgo.ClientID(l.opts.ClientID + "/" + name),
		kgo.Dialer(l.dialer.patient),
		kgo.WithLogger(clientLogger{l.logger.With("client", name)}),
		kgo.WithHooks(l.metrics),
		kgo.DisableClientMetrics(),
		kgo.AlwaysRetryEOF(), // a broker that restarts; wrong settings were found by the probe in Open
		kgo.RequestRetries(1000),
		kgo.RequestTimeoutOverhead(requestOverhead),
		kgo.RetryTimeoutFn(retryTimeout),
		kgo.RetryBackoffFn(backoff),
		kgo.ConcurrentTransactionsBackoff(5 * time.Millisecond),
		kgo.MetadataMinAge(250 * time.Millisecond),
		kgo.MetadataMaxAge(30 * time.Second),
		kgo.ConnIdleTimeout(2 * time.Minute),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(kgo.Lz4Compression(), kgo.NoCompression()),
		kgo.ProducerBatchMaxBytes(l.maxBatchBytes),
		kgo.ProduceRequestTimeout(produceTimeout),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.UnknownTopicRetries(50), // a broker that is just up does not know its topics yet
	}
	if m, _ := l.opts.SASL.mechanism(); m != nil {
		opts = append(opts, kgo.SASL(m))
	}
	return opts
}

func retryTimeout(key int16) time.Duration {
	switch kmsg.Key(key) {
	case kmsg.InitProducerID, kmsg.FindCoordinator, kmsg.Metadata, kmsg.ListOffsets, kmsg.OffsetCommit, kmsg.OffsetFetch:
		return 0
	default:
		return requestTimeout
	}
}

// backoff is short: a partition waits behind it. It begins very short, for the commonest answer that makes a client wait is
// that the previous transaction's end is still being written.
func backoff(fails int) time.Duration {
	d := min(8*time.Millisecond<<min(max(fails-1, 0), 10), 400*time.Millisecond)
	return d/2 + rand.N(d/2)
}

// clientLogger brings franz-go's messages to slog: its errors and warnings as Debug unless they are its errors, for what
// matters comes back to us as an error anyway.
type clientLogger struct{ to *slog.Logger }

func (c clientLogger) Level() kgo.LogLevel {
	if c.to.Enabled(context.Background(), slog.LevelDebug) {
		return kgo.LogLevelInfo
	}
	return kgo.LogLevelError
}

func (c clientLogger) Log(level kgo.LogLevel, report string, keyvals ...any) {
	to := slog.LevelDebug
	if level == kgo.LogLevelError {
		to = slog.LevelWarn
	}
	c.to.Log(context.Background(), to, "kafka client reports", append([]any{"report", report}, keyvals...)...)
}
