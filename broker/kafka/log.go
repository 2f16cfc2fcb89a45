package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/trackmesh/trackmesh/broker"
)

// kafkaBatchBytes is Kafka's default max.message.bytes less what its batches cost elsewhere; franz-go's default too.
const kafkaBatchBytes = 1000012

// Log is an open log on Kafka.
type Log struct {
	opts    Options
	logger  *slog.Logger
	dialer  *dialer
	metrics *metrics
	streams []broker.Stream
	byTopic map[string]broker.Stream

	client *kgo.Client // everything but claims and readers
	admin  *kadm.Client

	// Set by Open, fixed afterwards.
	layout        broker.Layout
	topics        map[broker.Stream]topic
	maxBatchBytes int32

	group atomic.Pointer[Group] // the membership, while there is one: its group takes cursors from members only

	stop   context.CancelFunc // ends watch
	wg     sync.WaitGroup     // watch, and the clients that are closing
	closed chan struct{}
	once   sync.Once

	mu      sync.Mutex // guards what follows
	health  error      // what watch last found wrong besides silence
	lost    map[broker.Stream]error
	readers map[*reader]struct{}
}

var _ broker.Log = (*Log)(nil)

// Open connects, makes the topics that are missing and checks those that are there.
func Open(ctx context.Context, opts Options) (*Log, error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	opts = opts.withDefaults()
	ctx, cancel := context.WithTimeout(ctx, opts.OpenTimeout)
	defer cancel()
	l := &Log{
		opts: opts, logger: opts.Logger, dialer: &dialer{tls: opts.TLS}, metrics: newMetrics(opts.Registerer),
		streams: streams(opts.OpenOptions), byTopic: map[string]broker.Stream{}, maxBatchBytes: kafkaBatchBytes,
		closed: make(chan struct{}), lost: map[broker.Stream]error{}, readers: map[*reader]struct{}{},
	}
	l.layout.Input = opts.Topic
	for _, s := range l.streams {
		l.byTopic[l.topicOf(s)] = s
	}
	if err := l.open(ctx); err != nil {
		if l.client != nil {
			l.client.Close()
		}
		return nil, err
	}
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	l.stop = stop
	l.wg.Go(func() { l.watch(watching) })
	return l, nil
}

func (l *Log) open(ctx context.Context) error {
	if err := l.probe(ctx); err != nil {
		return err
	}
	client, err := kgo.NewClient(append(l.clientOptions("log"),
		kgo.ProducerLinger(time.Millisecond),
		kgo.MaxBufferedBytes(64<<20),
		kgo.ProducerBatchMaxBytesFn(func(string) int32 { return l.maxBatchBytes }),
		kgo.AllowIdempotentProduceCancellation())...) // Produce ends with its context; the contract allows "some were written"
	if err != nil {
		return fmt.Errorf("configuring the Kafka client: %w", err)
	}
	l.client, l.admin = client, kadm.NewClient(client)
	if l.topics, err = l.ensureTopics(ctx); err != nil {
		return err
	}
	if err := l.check(l.topics); err != nil {
		return err
	}
	if l.maxBatchBytes, err = l.batchLimit(ctx); err != nil {
		return err
	}
	input := l.topics[broker.Input]
	l.layout = broker.Layout{
		Input: l.opts.Topic, Partitions: input.partitions,
		InputID: input.hexID(), StateID: l.topics[broker.State].hexID(), FencesID: l.topics[broker.Fences].hexID(),
		MaxRecordBytes: int(l.maxBatchBytes) - recordOverhead,
	}
	return nil
}

// probe asks for an answer of any broker with a client that is not patient, so that a wrong port, a missing TLS or a
// wrong password is an error at once and not a time-out.
func (l *Log) probe(ctx context.Context) error {
	opts := []kgo.Opt{
		kgo.SeedBrokers(l.opts.Brokers...), kgo.ClientID(l.opts.ClientID + "/probe"), kgo.Dialer(l.dialer.dial),
		kgo.DisableClientMetrics(), kgo.RequestRetries(2), kgo.RetryBackoffFn(backoff), kgo.RequestTimeoutOverhead(requestOverhead),
	}
	m, err := l.opts.SASL.mechanism()
	if err != nil {
		return err
	}
	if m != nil {
		opts = append(opts, kgo.SASL(m))
	}
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return fmt.Errorf("--kafka-brokers %s: %w", strings.Join(l.opts.Brokers, ","), err)
	}
	defer client.Close()
	for fails := 1; ; fails++ {
		err := client.Ping(ctx)
		if err == nil {
			return nil
		}
		if errors.Is(err, io.EOF) {
			err = fmt.Errorf("the broker hung up (check --kafka-tls and the SASL user and password): %w", err)
		}
		if !worthWaiting(err) {
			return fmt.Errorf("talking to Kafka at %s (--kafka-brokers): %w", strings.Join(l.opts.Brokers, ","), err)
		}
		select {
		case <-ctx.Done():
			return l.unreachable(err)
		case <-time.After(backoff(fails)):
		}
	}
}

// unreachable says which brokers were tried, by which flag they were given, and why the last dial failed.
func (l *Log) unreachable(err error) error {
	where := strings.Join(l.opts.Brokers, ",")
	if dial := l.dialer.lastError(); dial != nil && !isDialError(err) {
		return fmt.Errorf("no Kafka broker of %s (--kafka-brokers) answers: %w (%w)", where, dial, err)
	}
	return fmt.Errorf("no Kafka broker of %s (--kafka-brokers) answers: %w", where, err)
}

func (l *Log) topicOf(s broker.Stream) string { return l.layout.Topic(s) }

// Layout is fixed after opening.
func (l *Log) Layout() broker.Layout { return l.layout }

// partition refuses what the deployment does not have.
func (l *Log) partition(s broker.Stream, p int32) error {
	if s >= broker.NumStreams {
		return fmt.Errorf("stream %d is not known", s)
	}
	if _, ok := l.topics[s]; !ok {
		return fmt.Errorf("stream %s is switched off", s)
	}
	if p < 0 || p >= l.layout.StreamPartitions(s) {
		return fmt.Errorf("%s has no partition %d", l.topicOf(s), p)
	}
	return nil
}

func (l *Log) isClosed() bool {
	select {
	case <-l.closed:
		return true
	default:
		return false
	}
}

// Close ends all that Open started. Claims and readers must be closed before.
func (l *Log) Close() error {
	l.once.Do(func() {
		close(l.closed)
		l.stop()
		l.client.Close()
	})
	l.wg.Wait()
	return nil
}
