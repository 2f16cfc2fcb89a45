package kafka

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/trackmesh/trackmesh/broker"
)

const (
	// minBatchBytes is the least max.message.bytes that we work with: a fence of 10,000 vertices fits, and an input
	// topic for small messages still opens.
	minBatchBytes = 256 << 10
	// maxBatchBytes bounds what one batch takes in memory where topics allow more.
	maxBatchBytes = 4 << 20
	// recordOverhead is what a batch of one record may take besides key and value: its header and the record's headers.
	recordOverhead = 16 << 10

	inputReplicas   = 3
	stateSegment    = 32 << 20
	maxSegment      = 1 << 30
	minSegment      = 1 << 20
	defaultRollTime = 7 * 24 * time.Hour
)

// topic is what the cluster says about one of our topics.
type topic struct {
	id         kadm.TopicID
	partitions int32
	replicas   int16
	leaderless int32 // a partition without a leader, or -1
}

func (t topic) hexID() string { return hex.EncodeToString(t.id[:]) }

// streams are those that this deployment has.
func streams(o broker.OpenOptions) []broker.Stream {
	all := make([]broker.Stream, 0, broker.NumStreams)
	for s := range broker.NumStreams {
		if s != broker.Enriched || o.Enriched {
			all = append(all, s)
		}
	}
	return all
}

// describe asks for our topics; absent ones are absent in the answer. It creates nothing.
func (l *Log) describe(ctx context.Context) (map[broker.Stream]topic, int, error) {
	req := kmsg.NewPtrMetadataRequest()
	req.AllowAutoTopicCreation = false
	for _, s := range l.streams {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = new(l.topicOf(s))
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, l.client)
	if err != nil {
		return nil, 0, l.unreachable(err)
	}
	topics := make(map[broker.Stream]topic, len(resp.Topics))
	for i := range resp.Topics {
		t := &resp.Topics[i]
		if t.Topic == nil {
			continue
		}
		s, ours := l.byTopic[*t.Topic]
		err := kerr.ErrorForCode(t.ErrorCode)
		switch {
		case !ours, errors.Is(err, kerr.UnknownTopicOrPartition):
		case err != nil && !kerr.IsRetriable(err):
			return nil, 0, fmt.Errorf("asking about topic %s: %w", *t.Topic, err)
		case len(t.Partitions) > 0:
			topics[s] = readTopic(t)
		}
	}
	return topics, len(resp.Brokers), nil
}

func readTopic(t *kmsg.MetadataResponseTopic) topic {
	out := topic{id: t.TopicID, partitions: int32(len(t.Partitions)), leaderless: -1}
	for i := range t.Partitions {
		p := &t.Partitions[i]
		out.replicas = max(out.replicas, int16(len(p.Replicas)))
		if p.Leader < 0 {
			out.leaderless = p.Partition
		}
	}
	return out
}

// ensureTopics makes the missing topics and waits until all are known with a leader for every partition.
func (l *Log) ensureTopics(ctx context.Context) (map[broker.Stream]topic, error) {
	topics, brokers, err := l.describe(ctx)
	if err != nil {
		return nil, err
	}
	input, ok := topics[broker.Input]
	if !ok {
		input = topic{partitions: l.opts.Partitions, replicas: int16(min(inputReplicas, max(brokers, 1)))}
	}
	for _, s := range l.streams {
		if _, ok := topics[s]; ok {
			continue
		}
		if err := l.createTopic(ctx, s, input); err != nil {
			return nil, err
		}
	}
	for fails := 1; ; fails++ {
		topics, _, err := l.describe(ctx)
		if err != nil {
			return nil, err
		}
		if len(topics) == len(l.streams) && !slices.ContainsFunc(l.streams, func(s broker.Stream) bool { return topics[s].leaderless >= 0 }) {
			return topics, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting until every partition of %s and its sister topics has a leader: %w", l.opts.Topic, ctx.Err())
		case <-time.After(backoff(fails)):
		}
	}
}

func (l *Log) createTopic(ctx context.Context, s broker.Stream, input topic) error {
	partitions := input.partitions
	if s.Single() {
		partitions = 1
	}
	configs := topicConfigs(s, l.opts.OpenOptions, partitions, input.replicas)
	name := l.topicOf(s)
	resp, err := l.admin.CreateTopic(ctx, partitions, input.replicas, configs, name)
	switch {
	case errors.Is(err, kerr.TopicAlreadyExists): // another node was faster
		return nil
	case err != nil && resp.ErrMessage != "":
		return fmt.Errorf("creating topic %s: %s", name, resp.ErrMessage)
	case err != nil:
		return fmt.Errorf("creating topic %s: %w", name, err)
	}
	l.logger.Info("topic created", "topic", name, "partitions", partitions, "replicas", input.replicas)
	return nil
}

// topicConfigs is how we make a topic. RetentionBytes bounds the topic, Kafka's retention.bytes one partition. Segments
// are small enough that retention, which deletes whole ones, keeps near its bounds.
func topicConfigs(s broker.Stream, o broker.OpenOptions, partitions int32, replicas int16) map[string]*string {
	c := map[string]*string{}
	set := func(key string, n int64) { v := strconv.FormatInt(n, 10); c[key] = &v }
	policy := "delete"
	if s.Compacted() {
		policy = "compact"
		set("segment.bytes", stateSegment)
	} else {
		age, size := int64(-1), int64(-1)
		if o.RetentionAge > 0 {
			age = o.RetentionAge.Milliseconds()
			set("segment.ms", max(min(o.RetentionAge/4, defaultRollTime), time.Minute).Milliseconds())
		}
		if o.RetentionBytes > 0 {
			size = max(o.RetentionBytes/int64(partitions), minSegment)
			set("segment.bytes", min(max(size/4, minSegment), maxSegment))
		}
		set("retention.ms", age)
		set("retention.bytes", size)
	}
	c["cleanup.policy"] = &policy
	if replicas >= 3 {
		set("min.insync.replicas", 2) // an acknowledged record survives the loss of any one broker
	}
	return c
}

// check refuses a cluster whose topics do not fit together, saying what to do.
func (l *Log) check(topics map[broker.Stream]topic) error {
	var errs []error
	want := topics[broker.Input].partitions
	for _, s := range l.streams {
		have, n := topics[s].partitions, want
		if s.Single() {
			n = 1
		}
		switch {
		case have == n:
		case have < n:
			errs = append(errs, fmt.Errorf("topic %s has %d partitions where %d are needed: add them (kafka-topics.sh --alter --topic %[1]s --partitions %[3]d), or delete the topic to have it made anew",
				l.topicOf(s), have, n))
		default:
			errs = append(errs, fmt.Errorf("topic %s has %d partitions where %d are needed: delete it to have it made anew (its records are lost), or use another --topic",
				l.topicOf(s), have, n))
		}
	}
	return oneLine(errs)
}

// batchLimit is the largest batch that every one of our topics takes.
func (l *Log) batchLimit(ctx context.Context) (int32, error) {
	names := make([]string, 0, len(l.streams))
	for _, s := range l.streams {
		names = append(names, l.topicOf(s))
	}
	configs, err := l.admin.DescribeTopicConfigs(ctx, names...)
	if err != nil {
		return 0, fmt.Errorf("reading the topics' configuration: %w", l.unreachable(err))
	}
	limit := int32(maxBatchBytes)
	var errs []error
	for _, c := range configs {
		if c.Err != nil { // no right to read it: Kafka's default, and what is too large after all fails its commit
			l.logger.Warn("topic configuration cannot be read", "topic", c.Name, "err", c.Err)
			limit = min(limit, kafkaBatchBytes)
			continue
		}
		n, ok := maxMessageBytes(c)
		if !ok {
			continue
		}
		if n < minBatchBytes {
			errs = append(errs, fmt.Errorf("topic %s has max.message.bytes=%d where at least %d is needed: raise it (kafka-configs.sh --alter --entity-type topics --entity-name %[1]s --add-config max.message.bytes=1048588)",
				c.Name, n, minBatchBytes))
		}
		limit = min(limit, n)
	}
	return limit, oneLine(errs)
}

func maxMessageBytes(c kadm.ResourceConfig) (int32, bool) {
	for _, kv := range c.Configs {
		if kv.Key == "max.message.bytes" && kv.Value != nil {
			n, err := strconv.ParseInt(*kv.Value, 10, 32)
			return int32(n), err == nil
		}
	}
	return 0, false
}

// oneLine joins errors so that they stay one line in a terminal.
func oneLine(errs []error) error {
	if len(errs) < 2 {
		return errors.Join(errs...)
	}
	text := make([]string, len(errs))
	for i, err := range errs {
		text[i] = err.Error()
	}
	return errors.New(strings.Join(text, "; "))
}
