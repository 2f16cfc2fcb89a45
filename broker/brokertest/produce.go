package brokertest

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"

	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/broker"
)

func produceTests() map[string]func(*env) {
	return map[string]func(*env){
		"records are read in order and without a hole":         inOrder,
		"offsets are those that readers see":                   offsetsAgree,
		"many partitions and streams in one call":              manyPartitions,
		"concurrent producers lose nothing":                    concurrentProducers,
		"what was acknowledged survives a restart":             survivesRestart,
		"a record over the limit fails before anything":        tooLarge,
		"a partition that is not there is an error":            noSuchPartition,
		"nothing to produce is no error":                       produceNothing,
		"a context that has ended writes nothing":              producedTooLate,
		"the layout names the topics and stays over a restart": layoutStays,
		"a closed log says so":                                 closedLog,
	}
}

func inOrder(e *env) {
	const n = 1000
	for i := 0; i < n; {
		batch := min(1+i%97, n-i)
		e.produce(numbered(broker.Input, 1, i, batch)...)
		i += batch
	}
	require.Equal(e, values(numbered(broker.Input, 1, 0, n)), values(e.contents(broker.Input, 1)))
	require.Empty(e, e.contents(broker.Input, 0))
}

func offsetsAgree(e *env) {
	offsets := e.produce(numbered(broker.Commands, 2, 0, 20)...)
	offsets = append(offsets, e.produce(numbered(broker.Commands, 2, 20, 20)...)...)
	for i, r := range e.contents(broker.Commands, 2) {
		require.Equal(e, offsets[i], r.Offset)
		require.Equal(e, fmt.Sprintf("v%d", i), string(r.Value))
		require.Equal(e, broker.Commands, r.Stream)
		require.Equal(e, int32(2), r.Partition)
	}
}

func manyPartitions(e *env) {
	var batch []broker.Record
	for i := range 200 {
		s := []broker.Stream{broker.Input, broker.Commands, broker.Dead}[i%3]
		batch = append(batch, record(s, int32(i%partitions), "k", strconv.Itoa(i)))
	}
	offsets := e.produce(batch...)
	seen := 0
	for _, s := range []broker.Stream{broker.Input, broker.Commands, broker.Dead} {
		for p := range int32(partitions) {
			for _, r := range e.contents(s, p) {
				var i int
				_, err := fmt.Sscan(string(r.Value), &i)
				require.NoError(e, err)
				require.Equal(e, s, batch[i].Stream)
				require.Equal(e, p, batch[i].Partition)
				require.Equal(e, offsets[i], r.Offset)
				seen++
			}
		}
	}
	require.Equal(e, len(batch), seen)
}

func concurrentProducers(e *env) {
	const producers, each = 8, 40
	var all sync.WaitGroup
	errs := make(chan error, producers*each)
	for w := range producers {
		all.Go(func() {
			for i := range each {
				_, err := e.log.Produce(e.ctx, []broker.Record{
					record(broker.Input, 0, strconv.Itoa(w), fmt.Sprintf("%d/%03d", w, i)),
					record(broker.Input, int32(w%partitions), "other", "x"),
				})
				errs <- err
			}
		})
	}
	all.Wait()
	close(errs)
	for err := range errs {
		require.NoError(e, err)
	}
	of := map[string][]string{}
	for _, r := range e.contents(broker.Input, 0) {
		of[string(r.Key)] = append(of[string(r.Key)], string(r.Value))
	}
	for w := range producers {
		require.Len(e, of[strconv.Itoa(w)], each)
		require.True(e, slices.IsSorted(of[strconv.Itoa(w)]), "one producer's records stay in its order")
	}
}

func survivesRestart(e *env) {
	var want []string
	for round := range 3 {
		e.produce(numbered(broker.Input, 3, 10*round, 10)...)
		want = append(want, values(numbered(broker.Input, 3, 10*round, 10))...)
		_, end, err := e.log.Bounds(e.ctx, broker.Input, 3)
		require.NoError(e, err)
		e.reopen()
		_, again, err := e.log.Bounds(e.ctx, broker.Input, 3)
		require.NoError(e, err)
		require.Equal(e, end, again)
		require.Equal(e, want, values(e.read(broker.Input, 3, 0, len(want))))
	}
}

func tooLarge(e *env) {
	limit := e.log.Layout().MaxRecordBytes
	require.Positive(e, limit)
	big := broker.Record{Stream: broker.Input, Key: []byte("k"), Value: bytes.Repeat([]byte("x"), limit)}
	_, err := e.log.Produce(e.ctx, []broker.Record{record(broker.Input, 0, "k", "small"), big})
	require.ErrorIs(e, err, broker.ErrTooLarge)
	require.Empty(e, e.contents(broker.Input, 0), "the small record before it was not written either")

	big.Value = noise(limit - 1) // with the key just the limit
	e.produce(big)
	got := e.contents(broker.Input, 0)
	require.Len(e, got, 1)
	require.True(e, bytes.Equal(big.Value, got[0].Value))
}

// noise is what no compression makes smaller.
func noise(n int) []byte {
	rng := rand.NewChaCha8([32]byte{1})
	b := make([]byte, n)
	_, _ = rng.Read(b) // never fails
	return b
}

func noSuchPartition(e *env) {
	for _, at := range []struct {
		s broker.Stream
		p int32
	}{{broker.Input, partitions}, {broker.Input, -1}, {broker.Fences, 1}, {broker.NumStreams, 0}} {
		_, err := e.log.Produce(e.ctx, []broker.Record{record(broker.Input, 0, "k", "v"), {Stream: at.s, Partition: at.p, Key: []byte("k")}})
		require.Error(e, err)
		_, _, err = e.log.Bounds(e.ctx, at.s, at.p)
		require.Error(e, err)
	}
	_, err := e.log.Claim(e.ctx, partitions, "node")
	require.Error(e, err)
	require.Empty(e, e.contents(broker.Input, 0))
}

func produceNothing(e *env) {
	offsets, err := e.log.Produce(e.ctx, nil)
	require.NoError(e, err)
	require.Empty(e, offsets)
}

func producedTooLate(e *env) {
	ctx, cancel := context.WithCancel(e.ctx)
	cancel()
	_, err := e.log.Produce(ctx, numbered(broker.Input, 0, 0, 1))
	require.ErrorIs(e, err, context.Canceled)
	require.NoError(e, e.log.Health())
}

func layoutStays(e *env) {
	was := e.log.Layout()
	require.EqualValues(e, partitions, was.Partitions)
	require.NotEmpty(e, was.Input)
	require.Equal(e, was.Input+".state", was.Topic(broker.State))
	for _, id := range []string{was.InputID, was.StateID, was.FencesID} {
		require.Regexp(e, "^[0-9a-f]{32}$", id)
	}
	require.NotEqual(e, was.InputID, was.StateID)
	e.reopen()
	require.Equal(e, was, e.log.Layout())
}

func closedLog(e *env) {
	l := e.log
	require.NoError(e, l.Close())
	e.log = nil
	_, err := l.Produce(e.ctx, numbered(broker.Input, 0, 0, 1))
	require.ErrorIs(e, err, broker.ErrClosed)
	_, err = l.Claim(e.ctx, 0, "node")
	require.ErrorIs(e, err, broker.ErrClosed)
	_, err = l.NewReader(broker.ReaderOptions{Name: "late"})
	require.ErrorIs(e, err, broker.ErrClosed)
	_, _, err = l.Bounds(e.ctx, broker.Input, 0)
	require.ErrorIs(e, err, broker.ErrClosed)
	require.ErrorIs(e, l.StoreCursors(e.ctx, "c", broker.Input, map[int32]int64{0: 1}), broker.ErrClosed)
	require.ErrorIs(e, l.Health(), broker.ErrClosed)
	require.NoError(e, l.Close(), "closing twice is no error")
}
