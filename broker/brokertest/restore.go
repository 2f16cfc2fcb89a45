package brokertest

import (
	"context"
	"errors"
	"fmt"

	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/broker"
)

func restoreTests() map[string]func(*env) {
	return map[string]func(*env){
		"the last value of a key wins, tombstones remove it": lastWins,
		"a checkpoint comes back byte for byte":              checkpoint,
		"the state of thousands of commits":                  thousandsOfCommits,
		"an error of the function ends it":                   restoreFails,
		"a context that has ended ends it":                   restoreTooLate,
		"a fenced claim cannot commit what it restored":      restoreFenced,
		"the same key twice in a commit: the last one":       sameKeyTwice,
		"headers and empty values of state come back":        stateAttributes,
	}
}

func (e *env) commit(c broker.Claim, records ...broker.Record) {
	e.Helper()
	require.NoError(e, c.Commit(e.ctx, records))
}

func tombstone(key string) broker.Record {
	return broker.Record{Stream: broker.State, Key: []byte(key)}
}

func lastWins(e *env) {
	c, _ := e.claim(0)
	e.commit(c, record(broker.State, 0, "a", "1"), record(broker.State, 0, "b", "1"), record(broker.State, 0, "c", "1"))
	e.commit(c, record(broker.State, 0, "a", "2"), tombstone("b"))
	e.commit(c, tombstone("never there"), tombstone("c"))
	e.commit(c, record(broker.State, 0, "c", "again"))
	want := map[string]string{"a": "2", "c": "again"}
	c, state := e.claim(0)
	require.Equal(e, want, state)
	c.Close()
	e.reopen()
	_, state = e.claim(0)
	require.Equal(e, want, state)
	_, state = e.claim(1)
	require.Empty(e, state)
}

func checkpoint(e *env) {
	value := noise(3000)
	c, _ := e.claim(0)
	e.commit(c, record(broker.State, 0, broker.CheckpointKey, "older"), record(broker.State, 0, "taxi", "x"))
	e.commit(c, record(broker.State, 0, broker.CheckpointKey, string(value)))
	c.Close()
	e.reopen()
	_, state := e.claim(0)
	require.Equal(e, map[string]string{broker.CheckpointKey: string(value), "taxi": "x"}, state)
}

func thousandsOfCommits(e *env) {
	const commits = 3000
	c, _ := e.claim(0)
	want := map[string]string{}
	for i := range commits {
		key, value := fmt.Sprintf("vehicle-%d", (i*i)%211), fmt.Sprintf("v%d", i)
		batch := []broker.Record{record(broker.State, 0, key, value), record(broker.State, 0, broker.CheckpointKey, value)}
		want[key], want[broker.CheckpointKey] = value, value
		if gone := fmt.Sprintf("vehicle-%d", (i*7)%211); i%5 == 0 && gone != key {
			batch = append(batch, tombstone(gone))
			delete(want, gone)
		}
		e.commit(c, batch...)
	}
	c, state := e.claim(0)
	require.Equal(e, want, state)
	c.Close()
	e.reopen()
	_, state = e.claim(0)
	require.Equal(e, want, state)
}

func restoreFails(e *env) {
	c, _ := e.claim(0)
	e.commit(c, record(broker.State, 0, "a", "1"), record(broker.State, 0, "b", "1"))
	next, err := e.log.Claim(e.ctx, 0, "node")
	require.NoError(e, err)
	defer next.Close()
	stop, calls := errors.New("stop"), 0
	require.ErrorIs(e, next.Restore(e.ctx, func(*broker.Record) error { calls++; return stop }), stop)
	require.Equal(e, 1, calls)
	_, state := e.claim(0)
	require.Len(e, state, 2)
}

func restoreTooLate(e *env) {
	c, err := e.log.Claim(e.ctx, 0, "node")
	require.NoError(e, err)
	defer c.Close()
	ctx, cancel := context.WithCancel(e.ctx)
	cancel()
	require.ErrorIs(e, c.Restore(ctx, func(*broker.Record) error { return nil }), context.Canceled)
}

func restoreFenced(e *env) {
	a, err := e.log.Claim(e.ctx, 0, "a")
	require.NoError(e, err)
	defer a.Close()
	b, _ := e.claim(0)
	e.commit(b, record(broker.State, 0, "k", "b"))
	if err := a.Restore(e.ctx, func(*broker.Record) error { return nil }); err != nil {
		require.ErrorIs(e, err, broker.ErrFenced)
	}
	require.ErrorIs(e, a.Commit(e.ctx, commitOf(0, "a")), broker.ErrFenced)
	_, state := e.claim(0)
	require.Equal(e, map[string]string{"k": "b"}, state)
}

func sameKeyTwice(e *env) {
	c, _ := e.claim(0)
	e.commit(c,
		record(broker.State, 0, "a", "1"), record(broker.State, 0, "b", "1"), record(broker.State, 0, "a", "2"),
		record(broker.State, 0, "c", "1"), tombstone("c"), tombstone("d"), record(broker.State, 0, "d", "1"))
	_, state := e.claim(0)
	require.Equal(e, map[string]string{"a": "2", "b": "1", "d": "1"}, state)
}

func stateAttributes(e *env) {
	c, _ := e.claim(0)
	sent := record(broker.State, 0, "k", "")
	sent.Headers = []broker.Header{{Key: "h", Value: []byte("1")}}
	e.commit(c, sent)
	next, err := e.log.Claim(e.ctx, 0, "node")
	require.NoError(e, err)
	defer next.Close()
	seen := 0
	require.NoError(e, next.Restore(e.ctx, func(r *broker.Record) error {
		seen++
		require.NotNil(e, r.Value, "an empty value is no tombstone")
		require.Empty(e, r.Value)
		require.Equal(e, sent.Headers, r.Headers)
		return nil
	}))
	require.Equal(e, 1, seen)
}
