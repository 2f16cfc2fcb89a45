package kafka

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/trackmesh/trackmesh/broker"
	trackmeshv1 "github.com/trackmesh/trackmesh/messages/trackmesh/v1"
)

// onKafka is a test with the Kafka to run it on.
type onKafka struct {
	*testing.T
	brokers []string
}

// inBoth are the behaviours that hold on the Kafka in memory and (build tag real) on a real one.
var inBoth = map[string]func(onKafka){
	"a later claim fences and the terms count every claim":       termsCount,
	"an owner that lost its claim commits nothing":               fencedOwner,
	"what a dead owner left open is aborted by the claim":        hangingTransaction,
	"a record too large is found before anything is written":     tooLarge,
	"a commit of the wrong partition or stream loses the claim":  wrongRecords,
	"restore shows records in order and no claims":               restoreOrder,
	"readers pass control records and aborted ones":              controlRecords,
	"a reader restarted at another offset shows nothing old":     readdUnderLoad,
	"pausing loses and doubles nothing":                          pauseUnderLoad,
	"a brief pause costs no second fetch":                        briefPauses,
	"a removed partition is silent and the others go on":         removeUnderLoad,
	"a partition with nothing to read says that it is caught up": greeted,
	"an offset outside the log is an error of that partition":    outOfRange,
	"records deleted under a reader are an error":                deletedUnderReader,
	"a topic made anew stops readers and claims":                 madeAnew,
	"cursors are kept by name":                                   cursors,
	"records come back as they were written":                     roundTrip,
	"a reader of many partitions keeps to its bounds":            manyPartitions,
	"polls end with their context and with the reader":           pollEnds,
	"after close everything says so":                             closed,
	"claims in parallel all succeed":                             parallelClaims,
}

func TestOnFakeKafka(t *testing.T) {
	for name, test := range inBoth {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) { test(onKafka{t, fake(t)}) })
	}
}

func termsCount(t onKafka) {
	l := open(t, optionsFor(t, t.brokers))
	restored := func() *claim { return owner(t, l, 1) }
	require.EqualValues(t, 1, restored().Term())
	c := restored()
	require.EqualValues(t, 2, c.Term(), "an owner that never commits counts")
	require.NoError(t, c.Commit(t.Context(), events(1, "a")))
	require.NoError(t, c.Commit(t.Context(), events(1, "b")))
	for range 3 { // claims that do not even restore
		c, err := l.Claim(t.Context(), 1, "node")
		require.NoError(t, err)
		c.Close()
	}
	c = restored()
	require.EqualValues(t, 6, c.Term())
	require.NoError(t, c.Commit(t.Context(), events(1, "c")))
	require.EqualValues(t, 7, restored().Term())
	require.EqualValues(t, 1, owner(t, l, 2).Term(), "each partition has its own")
}

func fencedOwner(t onKafka) {
	opts := optionsFor(t, t.brokers)
	l, other := open(t, opts), open(t, opts)
	old := owner(t, l, 0)
	require.NoError(t, old.Commit(t.Context(), events(0, "old")))
	next := owner(t, other, 0)
	require.ErrorIs(t, old.Commit(t.Context(), events(0, "late")), broker.ErrFenced)
	require.ErrorIs(t, old.Commit(t.Context(), events(0, "later")), broker.ErrFenced, "lost for ever")
	require.NoError(t, next.Commit(t.Context(), events(0, "new")))
	r := newReader(t, l)
	r.Add(broker.Events, 0, 0)
	require.Equal(t, []string{"old", "new"}, values(collect(t, r, count(2))))
}

func hangingTransaction(t onKafka) {
	l := open(t, optionsFor(t, t.brokers))
	dead := owner(t, l, 0)
	require.NoError(t, dead.client.BeginTransaction())
	left := dead.log.kafkaRecords(events(0, "never"), false)
	dead.client.Produce(t.Context(), &left[0], nil)
	require.NoError(t, dead.client.Flush(t.Context()))
	dead.client.Close() // as kill -9: no abort

	_, before, err := l.Bounds(t.Context(), broker.Events, 0)
	require.NoError(t, err)
	require.Zero(t, before, "an open transaction holds the end back")
	began := time.Now()
	c := owner(t, l, 0)
	require.NoError(t, c.Commit(t.Context(), events(0, "after")))
	r := newReader(t, l)
	r.Add(broker.Events, 0, 0)
	require.Equal(t, []string{"after"}, values(collect(t, r, count(1))))
	require.Less(t, time.Since(began), transactionTimeout, "aborted by the claim, not by the time-out")
}

func tooLarge(t onKafka) {
	l := open(t, optionsFor(t, t.brokers))
	limit := l.Layout().MaxRecordBytes
	fits := broker.Record{Stream: broker.Events, Value: make([]byte, limit)}
	large := broker.Record{Stream: broker.Events, Key: []byte("k"), Value: make([]byte, limit)}
	manyHeaders := broker.Record{Stream: broker.Events, Headers: []broker.Header{{Key: "h", Value: make([]byte, limit+recordOverhead)}}}
	for _, r := range []broker.Record{large, manyHeaders} {
		_, err := l.Produce(t.Context(), []broker.Record{{Stream: broker.Events, Value: []byte("first")}, r})
		require.ErrorIs(t, err, broker.ErrTooLarge)
	}
	c := owner(t, l, 0)
	require.NoError(t, c.Commit(t.Context(), []broker.Record{fits}))
	require.ErrorIs(t, c.Commit(t.Context(), []broker.Record{{Stream: broker.Events, Value: []byte("x")}, large}), broker.ErrTooLarge)
	r := newReader(t, l)
	r.Add(broker.Events, 0, 0)
	got := collect(t, r, count(1))
	require.Len(t, got, 1)
	require.Len(t, got[0].Value, limit)
}

func wrongRecords(t onKafka) {
	l := open(t, optionsFor(t, t.brokers))
	for _, wrong := range []broker.Record{{Stream: broker.Events, Partition: 1}, {Stream: broker.Input}, {Stream: broker.Fences}} {
		c := owner(t, l, 0)
		err := c.Commit(t.Context(), append(events(0, "x"), wrong))
		require.Error(t, err)
		require.Equal(t, err, c.Commit(t.Context(), events(0, "y")), "the first reason stays")
	}
	early, err := l.Claim(t.Context(), 0, "node")
	require.NoError(t, err)
	defer early.Close()
	require.ErrorIs(t, early.Commit(t.Context(), events(0, "x")), errNotRestored)
	_, err = l.Claim(t.Context(), 3, "node")
	require.ErrorContains(t, err, "no partition 3")
}

func restoreOrder(t onKafka) {
	l := open(t, optionsFor(t, t.brokers))
	var want []string
	for round := range 4 {
		c, err := l.Claim(t.Context(), 2, "node")
		require.NoError(t, err)
		defer c.Close()
		var got []string
		require.NoError(t, c.Restore(t.Context(), func(r *broker.Record) error {
			require.Equal(t, broker.State, r.Stream)
			require.EqualValues(t, 2, r.Partition)
			got = append(got, fmt.Sprintf("%s=%s", r.Key, r.Value))
			return nil
		}))
		require.Equal(t, want, got)
		var state []broker.Record
		for i := range 50 {
			state = append(state, broker.Record{Stream: broker.State, Partition: 2, Key: fmt.Appendf(nil, "v%d", i%7), Value: fmt.Appendf(nil, "%d-%d", round, i)})
		}
		state = append(state, broker.Record{Stream: broker.State, Partition: 2, Key: []byte(broker.CheckpointKey), Value: []byte("cp")})
		for i := range state {
			want = append(want, fmt.Sprintf("%s=%s", state[i].Key, state[i].Value))
		}
		require.NoError(t, c.Commit(t.Context(), state))
	}
	failing, err := l.Claim(t.Context(), 2, "node")
	require.NoError(t, err)
	require.ErrorIs(t, failing.Restore(t.Context(), func(*broker.Record) error { return context.Canceled }), context.Canceled)
	require.Error(t, failing.Commit(t.Context(), events(2, "x")))
}

func parallelClaims(t onKafka) {
	opts := optionsFor(t, t.brokers)
	opts.Partitions = 16
	l := open(t, opts)
	errs := make(chan error, 16)
	for p := range int32(16) {
		go func() {
			c, err := l.Claim(t.Context(), p, "node")
			if err == nil {
				defer c.Close()
				err = c.Restore(t.Context(), func(*broker.Record) error { return nil })
			}
			if err == nil {
				err = c.Commit(t.Context(), events(p, "x"))
			}
			errs <- err
		}()
	}
	for range 16 {
		require.NoError(t, <-errs)
	}
}

func TestCensusCountsEveryClaimWhateverCompactionRemoved(t *testing.T) {
	n := census{since: map[string]struct{}{}}
	marker := func(s string) []byte { return claimKey([]byte(s)) }
	for _, s := range []string{"a", "b", "c"} {
		require.NoError(t, n.read(marker(s), []byte{1}))
	}
	require.EqualValues(t, 3, n.term())
	log := n.settle("t", 0, &trackmeshv1.Claim{Term: n.term()})
	require.Len(t, log, 4, "one count, and a tombstone for each claim record")
	for dropped := range len(log) { // a tombstone may be gone, with the record that it hides
		after := census{since: map[string]struct{}{}}
		for i, r := range log {
			if i == 0 || i != dropped {
				require.NoError(t, after.read(r.Key, r.Value))
			}
		}
		require.NoError(t, after.read(marker("d"), []byte{1}))
		require.EqualValues(t, 4, after.term())
	}
	require.Error(t, n.read(claimPrefix, []byte{0xff}))
}

func TestKafkasFencingErrorsAreOurs(t *testing.T) {
	for _, err := range []error{kerr.ProducerFenced, kerr.InvalidProducerEpoch, kerr.InvalidTxnState, fmt.Errorf("x: %w", kerr.InvalidProducerIDMapping)} {
		require.ErrorIs(t, owned(err), broker.ErrFenced)
		require.ErrorIs(t, owned(err), err)
	}
	require.ErrorIs(t, owned(kerr.MessageTooLarge), broker.ErrTooLarge)
	require.ErrorIs(t, owned(kgo.ErrClientClosed), broker.ErrClosed)
	require.NoError(t, owned(nil))
}
