package kafka

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/trackmesh/trackmesh/broker"
	trackmeshv1 "github.com/trackmesh/trackmesh/messages/trackmesh/v1"
)

// claimPrefix begins the keys of claim records; nobody above sees them. A claim cannot know its term before it has read
// the state, and must be in the state before it reads. So each claim writes a record under a key of its own, and the first
// commit of a claim replaces all of them, in its transaction, by one record under the prefix alone that holds the count:
// no compaction and no crash between loses one.
var claimPrefix = []byte("\x00claim")

func claimKey(nonce []byte) []byte {
	return append(append(make([]byte, 0, len(claimPrefix)+1+len(nonce)), claimPrefix...), append([]byte{'/'}, nonce...)...)
}

// census counts the claims of a partition.
type census struct {
	counted uint64              // by the newest count record
	since   map[string]struct{} // keys of the claim records that it does not cover
	settled bool                // a commit of ours has written the count
}

// read takes a record with a claim's key.
func (n *census) read(key, value []byte) error {
	switch {
	case len(value) == 0:
		delete(n.since, string(key))
	case len(key) > len(claimPrefix):
		n.since[string(key)] = struct{}{}
	default:
		var count trackmeshv1.Claim
		if err := count.UnmarshalVT(value); err != nil {
			return fmt.Errorf("decoding the count of claims: %w", err)
		}
		n.counted = count.GetTerm()
	}
	return nil
}

func (n *census) term() uint64 { return n.counted + uint64(len(n.since)) }

// settle are the records that replace those counted.
func (n *census) settle(topic string, p int32, count *trackmeshv1.Claim) []kgo.Record {
	value, err := count.MarshalVT()
	if err != nil {
		panic(err) // three plain fields
	}
	out := make([]kgo.Record, 0, len(n.since)+1)
	out = append(out, kgo.Record{Topic: topic, Partition: p, Key: claimPrefix, Value: value})
	for key := range n.since {
		out = append(out, kgo.Record{Topic: topic, Partition: p, Key: []byte(key)})
	}
	return out
}

// Restore reads the committed state up to our own claim record. A partition's last offsets are control records that no
// reader sees, so "up to the end" might never come.
func (c *claim) Restore(ctx context.Context, fn func(*broker.Record) error) (err error) {
	c.busy.Lock()
	defer c.busy.Unlock()
	if err := c.lost(); err != nil {
		return err
	}
	if c.restored {
		return errors.New("the claim was restored before")
	}
	defer func() {
		if err != nil {
			c.fail(err)
		}
	}()
	c.census.since = map[string]struct{}{}
	state := c.log.topicOf(broker.State)
	c.client.AddConsumePartitions(map[string]map[int32]kgo.Offset{state: {c.p: kgo.NewOffset().AtStart()}})
	for done := false; !done; {
		fetches := c.client.PollRecords(ctx, -1)
		if err := c.restoreError(ctx, fetches); err != nil {
			return err
		}
		for it := fetches.RecordIter(); !it.Done() && !done; {
			r := it.Next()
			if done = r.Offset >= c.at; r.Offset > c.at {
				// Our claim record is compacted away: somebody has counted it, and with that fenced us.
				return fmt.Errorf("restoring partition %d: %w", c.p, broker.ErrFenced)
			}
			if err := c.restoreRecord(r, fn); err != nil {
				return err
			}
		}
	}
	c.client.RemoveConsumePartitions(map[string][]int32{state: {c.p}})
	c.marker.Term = c.census.term()
	c.restored = true
	return nil
}

func (c *claim) restoreRecord(r *kgo.Record, fn func(*broker.Record) error) error {
	if bytes.HasPrefix(r.Key, claimPrefix) {
		return c.census.read(r.Key, r.Value)
	}
	rec := broker.Record{}
	fill(&rec, broker.State, r)
	return fn(&rec)
}

func (c *claim) restoreError(ctx context.Context, fetches kgo.Fetches) error {
	if err := c.lost(); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return fmt.Errorf("restoring partition %d: %w", c.p, ctx.Err())
	}
	for _, e := range fetches.Errors() {
		if e.Topic != "" && !kerr.IsRetriable(e.Err) || errors.Is(e.Err, kerr.UnknownTopicID) {
			return fmt.Errorf("restoring partition %d: %w", c.p, owned(e.Err))
		}
	}
	return nil
}
