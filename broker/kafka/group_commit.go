package kafka

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/trackmesh/trackmesh/broker"
)

// store commits offsets as a member: a group that has members takes them from nobody else.
func (g *Group) store(ctx context.Context, s broker.Stream, cursors map[int32]int64) error {
	offsets := map[int32]kgo.EpochOffset{}
	for p, at := range cursors {
		offsets[p] = kgo.EpochOffset{Epoch: -1, Offset: at}
	}
	topic := map[string]map[int32]kgo.EpochOffset{g.log.topicOf(s): offsets}
	return retryWhile(ctx, rebalancing, func() error {
		var failed error
		g.client.CommitOffsetsSync(ctx, topic, func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
			failed = committed(resp, err)
		})
		return failed
	})
}

func committed(resp *kmsg.OffsetCommitResponse, err error) error {
	if err != nil {
		return err
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return err
			}
		}
	}
	return nil
}

// rebalancing are the refusals that the next join ends.
func rebalancing(err error) bool {
	return kerr.IsRetriable(err) || errors.Is(err, kerr.RebalanceInProgress) || errors.Is(err, kerr.IllegalGeneration) ||
		errors.Is(err, kerr.UnknownMemberID)
}

func removed(resp *kmsg.LeaveGroupResponse) error {
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return err
	}
	var errs []error
	for _, m := range resp.Members {
		if err := kerr.ErrorForCode(m.ErrorCode); err != nil && !errors.Is(err, kerr.UnknownMemberID) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
