package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/sync/errgroup"

	"github.com/trackmesh/trackmesh/broker"
)

// Kafka's names for the ends of a partition in ListOffsets.
const (
	earliestOffset = -2
	latestOffset   = -1
)

// Bounds returns the earliest offset and the one after the last committed record (the last stable offset).
func (l *Log) Bounds(ctx context.Context, s broker.Stream, p int32) (earliest, end int64, err error) {
	if l.isClosed() {
		return 0, 0, broker.ErrClosed
	}
	if err := l.partition(s, p); err != nil {
		return 0, 0, err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		return retry(ctx, func() (err error) { earliest, err = l.listOffset(ctx, s, p, earliestOffset); return err })
	})
	g.Go(func() error {
		return retry(ctx, func() (err error) { end, err = l.listOffset(ctx, s, p, latestOffset); return err })
	})
	if err := g.Wait(); err != nil {
		return 0, 0, fmt.Errorf("asking for the bounds of %s[%d]: %w", l.topicOf(s), p, err)
	}
	return earliest, end, nil
}

func (l *Log) listOffset(ctx context.Context, s broker.Stream, p int32, which int64) (int64, error) {
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	req.IsolationLevel = 1 // read_committed
	part := kmsg.NewListOffsetsRequestTopicPartition()
	part.Partition, part.Timestamp = p, which
	topic := kmsg.NewListOffsetsRequestTopic()
	topic.Topic = l.topicOf(s)
	topic.Partitions = append(topic.Partitions, part)
	req.Topics = append(req.Topics, topic)
	resp, err := req.RequestWith(ctx, l.client)
	if err != nil {
		return 0, err
	}
	if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		return 0, kerr.UnknownTopicOrPartition
	}
	answer := &resp.Topics[0].Partitions[0]
	return answer.Offset, kerr.ErrorForCode(answer.ErrorCode)
}

// cursorGroup is the consumer group whose offsets are the cursors of that name.
func (l *Log) cursorGroup(name string) string {
	if name == "" {
		return l.opts.Group
	}
	return l.opts.Group + "." + name
}

// LoadCursors reads the group offsets.
func (l *Log) LoadCursors(ctx context.Context, name string, s broker.Stream) (map[int32]int64, error) {
	if l.isClosed() {
		return nil, broker.ErrClosed
	}
	if err := l.partition(s, 0); err != nil {
		return nil, err
	}
	var stored kadm.OffsetResponses
	err := retry(ctx, func() (err error) {
		stored, err = l.admin.FetchOffsetsForTopics(ctx, l.cursorGroup(name), l.topicOf(s))
		return err
	})
	if errors.Is(err, kerr.GroupIDNotFound) {
		return map[int32]int64{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("loading cursors %s: %w", l.cursorGroup(name), err)
	}
	cursors := map[int32]int64{}
	for p, o := range stored[l.topicOf(s)] {
		if o.Err != nil {
			return nil, fmt.Errorf("loading cursor %s of %s[%d]: %w", l.cursorGroup(name), l.topicOf(s), p, o.Err)
		}
		if o.At >= 0 {
			cursors[p] = o.At
		}
	}
	return cursors, nil
}

// StoreCursors commits group offsets as a simple consumer, which the group may not have members for.
func (l *Log) StoreCursors(ctx context.Context, name string, s broker.Stream, cursors map[int32]int64) error {
	if l.isClosed() {
		return broker.ErrClosed
	}
	offsets := kadm.Offsets{}
	for p, at := range cursors {
		if err := l.partition(s, p); err != nil {
			return err
		}
		offsets.AddOffset(l.topicOf(s), p, at, -1)
	}
	if len(cursors) == 0 {
		return nil
	}
	if g := l.group.Load(); g != nil && name == "" {
		if err := g.store(ctx, s, cursors); err != nil {
			return fmt.Errorf("storing cursors %s: %w", l.cursorGroup(name), within(ctx, err))
		}
		return nil
	}
	err := retry(ctx, func() error { return l.admin.CommitAllOffsets(ctx, l.cursorGroup(name), offsets) })
	if err != nil {
		return fmt.Errorf("storing cursors %s: %w", l.cursorGroup(name), err)
	}
	return nil
}

// retry repeats what a broker refuses only for now (no coordinator yet, no leader): franz-go repeats requests that failed,
// but not every answer that says so.
func retry(ctx context.Context, f func() error) error { return retryWhile(ctx, kerr.IsRetriable, f) }

func retryWhile(ctx context.Context, again func(error) bool, f func() error) error {
	for fails := 1; ; fails++ {
		err := f()
		if err == nil || !again(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w (%w)", err, ctx.Err())
		case <-time.After(backoff(fails)):
		}
	}
}
