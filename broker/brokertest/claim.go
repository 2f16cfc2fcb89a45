package brokertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/broker"
)

func claimTests() map[string]func(*env) {
	return map[string]func(*env){
		"a commit is durable and visible in all its streams":    commitVisible,
		"a commit's records stay in order among commits":        commitOrder,
		"a later claim fences an earlier one":                   laterClaimFences,
		"a fenced commit is never visible":                      fencedInvisible,
		"a claim fences what a closed process left":             claimAfterRestart,
		"claims of different partitions do not disturb others":  claimsApart,
		"many partitions commit at once":                        commitAtOnce,
		"a commit of other streams or partitions is refused":    commitElsewhere,
		"a commit with a record over the limit writes nothing":  commitTooLarge,
		"a closed claim commits nothing and closes twice":       closedClaim,
		"a commit whose context has ended loses the claim":      commitTooLate,
		"the term counts claims, over restarts too":             terms,
		"nothing is visible of a claim itself":                  claimInvisible,
		"a claim whose context has ended is refused":            claimTooLate,
		"a commit of thousands of records is one":               largeCommit,
		"produce goes on beside claims and is not fenced by it": produceBesideClaims,
	}
}

// commitOf is a commit of one record to each stream that commits write.
func commitOf(p int32, value string) []broker.Record {
	return []broker.Record{
		record(broker.Enriched, p, "k", value),
		record(broker.Events, p, "k", value),
		record(broker.State, p, "k", value),
		record(broker.Dead, p, "k", value),
	}
}

func commitVisible(e *env) {
	c, state := e.claim(2)
	require.Empty(e, state)
	require.Equal(e, int32(2), c.Partition())
	require.NoError(e, c.Commit(e.ctx, commitOf(2, "a")))
	require.NoError(e, c.Commit(e.ctx, commitOf(2, "b")))
	require.NoError(e, c.Commit(e.ctx, nil))
	check := func() {
		for _, s := range []broker.Stream{broker.Enriched, broker.Events, broker.Dead} {
			require.Equal(e, []string{"a", "b"}, values(e.read(s, 2, 0, 2)), s.String())
		}
	}
	check()
	c.Close()
	e.reopen()
	check()
	_, state = e.claim(2)
	require.Equal(e, map[string]string{"k": "b"}, state)
}

func commitOrder(e *env) {
	c, _ := e.claim(0)
	n := 0
	for i := range 60 {
		require.NoError(e, c.Commit(e.ctx, numbered(broker.Events, 0, n, 1+i%13)))
		n += 1 + i%13
	}
	got := e.contents(broker.Events, 0)
	require.Equal(e, values(numbered(broker.Events, 0, 0, n)), values(got))
	for i := 1; i < len(got); i++ {
		require.Greater(e, got[i].Offset, got[i-1].Offset)
	}
}

func laterClaimFences(e *env) {
	a, _ := e.claim(0)
	require.NoError(e, a.Commit(e.ctx, commitOf(0, "a")))
	b, state := e.claim(0)
	require.Equal(e, map[string]string{"k": "a"}, state)
	require.ErrorIs(e, a.Commit(e.ctx, commitOf(0, "late")), broker.ErrFenced)
	require.NoError(e, b.Commit(e.ctx, commitOf(0, "b")), "the refused commit did no harm")
	require.Error(e, a.Commit(e.ctx, commitOf(0, "later")))
	_, state = e.claim(0)
	require.Equal(e, map[string]string{"k": "b"}, state)
}

func fencedInvisible(e *env) {
	const rounds = 12
	var want []string
	old, _ := e.claim(1)
	for i := range rounds {
		committed := make(chan error, 1)
		go func() { committed <- old.Commit(e.ctx, commitOf(1, fmt.Sprintf("racing %d", i))) }()
		next, state := e.claim(1)
		err := <-committed
		if err == nil {
			want = append(want, fmt.Sprintf("racing %d", i))
			require.Equal(e, want[len(want)-1], state["k"], "what was committed before the claim is restored")
		} else {
			require.ErrorIs(e, err, broker.ErrFenced)
		}
		want = append(want, fmt.Sprintf("safe %d", i))
		require.NoError(e, next.Commit(e.ctx, commitOf(1, want[len(want)-1])))
		require.ErrorIs(e, old.Commit(e.ctx, commitOf(1, "fenced")), broker.ErrFenced)
		old = next
	}
	for _, s := range []broker.Stream{broker.Enriched, broker.Events, broker.Dead} {
		require.Equal(e, want, values(e.contents(s, 1)), s.String())
	}
}

func claimAfterRestart(e *env) {
	c, _ := e.claim(0)
	require.NoError(e, c.Commit(e.ctx, commitOf(0, "a")))
	c.Close()
	e.reopen()
	require.Error(e, c.Commit(e.ctx, commitOf(0, "from the past")))
	c, state := e.claim(0)
	require.Equal(e, map[string]string{"k": "a"}, state)
	require.NoError(e, c.Commit(e.ctx, commitOf(0, "b")))
	require.Equal(e, []string{"a", "b"}, values(e.contents(broker.Events, 0)))
}

func claimsApart(e *env) {
	a, _ := e.claim(0)
	b, _ := e.claim(1)
	require.NoError(e, a.Commit(e.ctx, commitOf(0, "a")))
	require.NoError(e, b.Commit(e.ctx, commitOf(1, "b")))
	b2, state := e.claim(1)
	require.Equal(e, map[string]string{"k": "b"}, state)
	require.NoError(e, a.Commit(e.ctx, commitOf(0, "a2")))
	require.NoError(e, b2.Commit(e.ctx, commitOf(1, "b2")))
	require.ErrorIs(e, b.Commit(e.ctx, commitOf(1, "b3")), broker.ErrFenced)
	require.Equal(e, []string{"a", "a2"}, values(e.contents(broker.Events, 0)))
	require.Equal(e, []string{"b", "b2"}, values(e.contents(broker.Events, 1)))
}

func commitAtOnce(e *env) {
	const commits = 25
	var all sync.WaitGroup
	errs := make(chan error, partitions*commits)
	for p := range int32(partitions) {
		c, _ := e.claim(p)
		all.Go(func() {
			for i := range commits {
				errs <- c.Commit(e.ctx, commitOf(p, fmt.Sprintf("v%d", i)))
			}
		})
	}
	all.Wait()
	close(errs)
	for err := range errs {
		require.NoError(e, err)
	}
	for p := range int32(partitions) {
		want := values(numbered(broker.Events, p, 0, commits))
		require.Equal(e, want, values(e.contents(broker.Events, p)))
		require.Equal(e, want, values(e.contents(broker.Enriched, p)))
		_, state := e.claim(p)
		require.Equal(e, map[string]string{"k": want[commits-1]}, state)
	}
}

func commitElsewhere(e *env) {
	for _, bad := range []broker.Record{
		record(broker.Events, 1, "k", "another partition"),
		record(broker.Input, 0, "k", "input"),
		record(broker.Commands, 0, "k", "commands"),
		record(broker.Fences, 0, "k", "fences"),
	} {
		c, _ := e.claim(0)
		require.Error(e, c.Commit(e.ctx, append(commitOf(0, "good"), bad)))
		c.Close()
	}
	require.Empty(e, e.contents(broker.Events, 0))
	require.Empty(e, e.contents(broker.Events, 1))
}

func commitTooLarge(e *env) {
	c, _ := e.claim(0)
	big := broker.Record{Stream: broker.Events, Key: []byte("k"), Value: bytes.Repeat([]byte("x"), e.log.Layout().MaxRecordBytes)}
	require.ErrorIs(e, c.Commit(e.ctx, append(commitOf(0, "small"), big)), broker.ErrTooLarge)
	c.Close()
	c, state := e.claim(0)
	require.Empty(e, state)
	require.NoError(e, c.Commit(e.ctx, commitOf(0, "next")))
	require.Equal(e, []string{"next"}, values(e.contents(broker.Events, 0)))
}

func closedClaim(e *env) {
	c, _ := e.claim(0)
	c.Close()
	require.Error(e, c.Commit(e.ctx, commitOf(0, "late")))
	c.Close()
	require.Empty(e, e.contents(broker.Events, 0))
}

func commitTooLate(e *env) {
	c, _ := e.claim(0)
	ctx, cancel := context.WithCancel(e.ctx)
	cancel()
	require.ErrorIs(e, c.Commit(ctx, commitOf(0, "late")), context.Canceled)
	require.Error(e, c.Commit(e.ctx, commitOf(0, "lost")))
	c.Close()
	next, _ := e.claim(0)
	require.NoError(e, next.Commit(e.ctx, commitOf(0, "next")))
	require.Equal(e, []string{"next"}, values(e.contents(broker.Events, 0)))
}

func terms(e *env) {
	for term := uint64(1); term <= 9; term++ {
		c, _ := e.claim(3)
		require.Equal(e, term, c.Term())
		if term%2 == 0 {
			require.NoError(e, c.Commit(e.ctx, commitOf(3, "v")))
		}
		if term%3 == 0 {
			c.Close()
			e.reopen()
		}
	}
	c, _ := e.claim(2)
	require.Equal(e, uint64(1), c.Term())
}

func claimInvisible(e *env) {
	for range 3 {
		_, state := e.claim(0)
		require.Empty(e, state)
	}
	require.Empty(e, e.contents(broker.Events, 0))
}

func claimTooLate(e *env) {
	a, _ := e.claim(0)
	ctx, cancel := context.WithCancel(e.ctx)
	cancel()
	_, err := e.log.Claim(ctx, 0, "node")
	require.ErrorIs(e, err, context.Canceled)
	a.Close()
	b, _ := e.claim(0)
	require.NoError(e, b.Commit(e.ctx, commitOf(0, "b")))
}

func largeCommit(e *env) {
	const n = 20_000
	c, _ := e.claim(0)
	batch := numbered(broker.Enriched, 0, 0, n)
	for i := range 500 {
		batch = append(batch, record(broker.State, 0, fmt.Sprint("vehicle-", i), strconv.Itoa(i)))
	}
	require.NoError(e, c.Commit(e.ctx, batch))
	require.Equal(e, values(batch[:n]), values(e.contents(broker.Enriched, 0)))
	_, state := e.claim(0)
	require.Len(e, state, 500)
}

func produceBesideClaims(e *env) {
	c, _ := e.claim(0)
	for i := range 10 {
		e.produce(record(broker.Input, 0, "k", fmt.Sprintf("i%d", i)), record(broker.Dead, 0, "k", fmt.Sprintf("p%d", i)))
		require.NoError(e, c.Commit(e.ctx, []broker.Record{record(broker.Dead, 0, "k", fmt.Sprintf("c%d", i))}))
	}
	require.Len(e, e.contents(broker.Input, 0), 10)
	var want []string
	for i := range 10 {
		want = append(want, fmt.Sprintf("p%d", i), fmt.Sprintf("c%d", i))
	}
	require.Equal(e, want, values(e.contents(broker.Dead, 0)))
}

func fightTests() map[string]func(*env) {
	return map[string]func(*env){
		"two claimers never both succeed": fight,
	}
}

// fight lets claimers take one partition from each other, each adding one to a counter in the state as often as it can.
// Had a commit ever succeeded beside another owner's, a count would be lost or an event doubled.
func fight(e *env) {
	const claimers, turns = 3, 12
	var (
		all     sync.WaitGroup
		mu      sync.Mutex
		success []string
		errs    = make(chan error, claimers)
	)
	for who := range claimers {
		all.Go(func() {
			for turn := range turns {
				won, err := e.add(fmt.Sprintf("%d/%d", who, turn), 1+turn%3)
				mu.Lock()
				success = append(success, won...)
				mu.Unlock()
				if err != nil {
					errs <- err
					return
				}
			}
		})
	}
	all.Wait()
	close(errs)
	for err := range errs {
		require.NoError(e, err)
	}
	events := values(e.contents(broker.Events, 0))
	require.ElementsMatch(e, success, events)
	_, state := e.claim(0)
	if len(success) > 0 {
		require.Equal(e, strconv.Itoa(len(success)), state["count"], "each success counted on the one before")
	}
}

// add claims partition 0 and makes up to n commits; it returns those that succeeded.
func (e *env) add(name string, n int) ([]string, error) {
	c, err := e.log.Claim(e.ctx, 0, name)
	if errors.Is(err, broker.ErrFenced) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer c.Close()
	count := 0
	err = c.Restore(e.ctx, func(r *broker.Record) error {
		if string(r.Key) == "count" {
			_, err := fmt.Sscan(string(r.Value), &count)
			return err
		}
		return nil
	})
	if errors.Is(err, broker.ErrFenced) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var won []string
	for i := range n {
		count++
		event := fmt.Sprintf("%s/%d", name, i)
		err := c.Commit(e.ctx, []broker.Record{
			record(broker.Events, 0, "k", event), record(broker.State, 0, "count", strconv.Itoa(count)),
		})
		if errors.Is(err, broker.ErrFenced) {
			return won, nil
		}
		if err != nil {
			return won, err
		}
		won = append(won, event)
	}
	return won, nil
}
