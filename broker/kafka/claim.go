package kafka

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/trackmesh/trackmesh/broker"
	trackmeshv1 "github.com/trackmesh/trackmesh/messages/trackmesh/v1"
)

const (
	// transactionTimeout is when the broker itself aborts what a dead owner left open.
	transactionTimeout = 10 * time.Second
	// commitTimeout bounds a commit over a broker's restart; beyond the transaction's time-out waiting is of no use.
	commitTimeout = 15 * time.Second
	// restoreFetchBytes bounds what a restoring partition holds in memory: up to 64 restore at once.
	restoreFetchBytes = 2 << 20
)

var errNotRestored = errors.New("the claim was not restored yet")

// claim is a partition taken by this process: a transactional client that fenced all earlier ones.
//
//	claimed ──Restore──> restored ──Commit──> restored
//	   │                    │ any error
//	   └────────────────────┴──Close──> closed (the client is gone and never used again)
type claim struct {
	log    *Log
	p      int32
	client *kgo.Client
	marker trackmeshv1.Claim
	key    []byte // of our claim record
	at     int64  // its offset
	census census // of the claim records; written by Restore, settled by the first Commit

	// busy is held by Restore and Commit, so that Close may come from another goroutine at any time.
	busy     sync.Mutex
	restored bool

	mu  sync.Mutex // guards err
	err error      // why the claim is lost
}

var _ broker.Claim = (*claim)(nil)

// Claim takes partition p: InitProducerID with the partition's transactional id fences every earlier client of that id and
// aborts what it left open; then one transaction writes the claim record.
func (l *Log) Claim(ctx context.Context, p int32, node string) (broker.Claim, error) {
	began := time.Now()
	if l.isClosed() {
		return nil, broker.ErrClosed
	}
	if err := l.partition(broker.State, p); err != nil {
		return nil, err
	}
	if err := l.verify(ctx); err != nil {
		return nil, fmt.Errorf("claiming partition %d: %w", p, within(ctx, err))
	}
	client, err := l.claimClient(p)
	if err != nil {
		return nil, fmt.Errorf("claiming partition %d: %w", p, err)
	}
	c := &claim{log: l, p: p, client: client, marker: trackmeshv1.Claim{Node: node, Nonce: make([]byte, 16)}}
	_, _ = rand.Read(c.marker.Nonce) // never fails
	if err := c.take(ctx); err != nil {
		c.fail(err)
		return nil, fmt.Errorf("claiming partition %d: %w", p, within(ctx, l.explain(err)))
	}
	l.metrics.claimSeconds.Observe(time.Since(began).Seconds())
	return c, nil
}

// verify asks afresh whether the topics are still those that we opened.
func (l *Log) verify(ctx context.Context) error {
	topics, _, err := l.describe(ctx)
	if err != nil {
		return err
	}
	for _, s := range l.streams {
		if t, there := topics[s]; there && t.id != l.topics[s].id {
			l.compare(topics, map[broker.Stream]int{}) //nolint:contextcheck // readers ask within their own life
		}
		if err := l.lostError(s); err != nil {
			return err
		}
	}
	return nil
}

// explain adds which brokers were tried to an error that is only "out of time".
func (l *Log) explain(err error) error {
	if errors.Is(err, context.DeadlineExceeded) && l.dialer.lastError() != nil {
		return l.unreachable(err)
	}
	return err
}

func (l *Log) claimClient(p int32) (*kgo.Client, error) {
	name := fmt.Sprintf("claim-%d", p)
	return kgo.NewClient(append(l.clientOptions(name),
		kgo.TransactionalID(fmt.Sprintf("%s-%s-%d", l.opts.Group, l.opts.Topic, p)),
		kgo.TransactionTimeout(transactionTimeout),
		kgo.ProducerLinger(time.Second), // Flush sends; what lingers until then makes larger batches
		kgo.MaxBufferedRecords(1<<30),   // the partition bounds its commits, and Produce must not wait
		// Restore reads through the same client, so a partition costs one connection per broker.
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.DisableFetchSessions(),
		kgo.FetchMaxWait(200*time.Millisecond),
		kgo.FetchMaxBytes(restoreFetchBytes),
		kgo.FetchMaxPartitionBytes(restoreFetchBytes),
	)...)
}

func (c *claim) take(ctx context.Context) error {
	if _, _, err := c.client.ProducerID(ctx); err != nil {
		return owned(err)
	}
	value, err := c.marker.MarshalVT()
	if err != nil {
		return fmt.Errorf("encoding the claim: %w", err)
	}
	c.key = claimKey(c.marker.Nonce)
	records := []kgo.Record{{Topic: c.log.topicOf(broker.State), Partition: c.p, Key: c.key, Value: value}}
	if err := c.transact(ctx, records); err != nil {
		return err
	}
	c.at = records[0].Offset
	return nil
}

// transact makes the records one transaction. It looks at every record's promise before it commits.
func (c *claim) transact(ctx context.Context, records []kgo.Record) error {
	if err := c.client.BeginTransaction(); err != nil {
		return owned(err)
	}
	r := &results{left: len(records), done: make(chan struct{})}
	for i := range records {
		c.client.Produce(ctx, &records[i], r.promise)
	}
	if err := c.client.Flush(ctx); err != nil {
		return owned(err)
	}
	select {
	case <-r.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	if r.err != nil {
		return owned(r.err)
	}
	return owned(c.client.EndTransaction(ctx, kgo.TryCommit))
}

// Commit makes the records one transaction, or loses the claim.
func (c *claim) Commit(ctx context.Context, records []broker.Record) (err error) {
	c.busy.Lock()
	defer c.busy.Unlock()
	if err := c.lost(); err != nil {
		return err
	}
	began := time.Now()
	defer func() {
		c.log.metrics.transaction(began, err)
		if err != nil {
			c.fail(err)
		}
	}()
	if !c.restored {
		return errNotRestored
	}
	for i := range records {
		if err := c.committable(&records[i]); err != nil {
			return err
		}
	}
	if len(records) == 0 {
		return nil
	}
	sent := append(c.log.kafkaRecords(records, false), c.settlement()...)
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	if err := c.transact(ctx, sent); err != nil {
		if closed := c.lost(); closed != nil { // Close came meanwhile
			return closed
		}
		return fmt.Errorf("committing %d records of partition %d: %w", len(records), c.p, within(ctx, c.log.explain(err)))
	}
	c.census.settled = true
	return nil
}

// settlement is what the first commit adds to the state: the count of claims, in place of the records it was made from.
func (c *claim) settlement() []kgo.Record {
	if c.census.settled {
		return nil
	}
	return c.census.settle(c.log.topicOf(broker.State), c.p, &c.marker)
}

func (c *claim) committable(r *broker.Record) error {
	switch r.Stream {
	case broker.Enriched, broker.Events, broker.State, broker.Dead:
	default:
		return fmt.Errorf("%s is not written by commits", r.Stream)
	}
	if r.Partition != c.p {
		return fmt.Errorf("record for %s[%d] in a commit of partition %d", r.Stream, r.Partition, c.p)
	}
	return c.log.writable(r)
}

// Partition is the claimed partition.
func (c *claim) Partition() int32 { return c.p }

// Term is valid after Restore.
func (c *claim) Term() uint64 { return c.marker.GetTerm() }

func (c *claim) lost() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// fail loses the claim: the first reason stays, the client is gone.
func (c *claim) fail(err error) {
	c.mu.Lock()
	first := c.err == nil
	if first {
		c.err = err
	}
	c.mu.Unlock()
	if first {
		c.client.Close()
	}
}

// Close lets go without a commit. What a commit in progress has written is aborted by the next claim, or by the broker
// after transactionTimeout.
func (c *claim) Close() { c.fail(broker.ErrClosed) }
