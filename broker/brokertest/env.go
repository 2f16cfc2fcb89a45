package brokertest

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/broker"
)

const (
	// partitions of each deployment.
	partitions = 4
	// waitFor bounds the wait for anything that must happen.
	waitFor = 60 * time.Second
	// endKey marks the records that contents writes behind everything.
	endKey = "\x01end"
)

// env is what one subtest works with.
type env struct {
	*testing.T
	dep  Deployment
	log  broker.Log
	ctx  context.Context
	ends int // contents called so far
}

func start(t *testing.T, open Opener) *env {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), waitFor)
	t.Cleanup(cancel)
	e := &env{T: t, ctx: ctx}
	e.dep = open(t, broker.OpenOptions{Partitions: partitions, Enriched: true})
	e.log = e.dep.Open(t)
	t.Cleanup(func() {
		if e.log != nil {
			require.NoError(t, e.log.Close())
		}
	})
	return e
}

// reopen closes the log and opens it again, as a restart would.
func (e *env) reopen() {
	e.Helper()
	require.NoError(e, e.log.Close())
	e.log = nil
	e.log = e.dep.Open(e.T)
}

func record(s broker.Stream, p int32, key, value string) broker.Record {
	return broker.Record{Stream: s, Partition: p, Key: []byte(key), Value: []byte(value)}
}

// numbered are n records with the values first, first+1 and so on.
func numbered(s broker.Stream, p int32, first, n int) []broker.Record {
	out := make([]broker.Record, n)
	for i := range out {
		out[i] = record(s, p, fmt.Sprintf("k%d", (first+i)%7), fmt.Sprintf("v%d", first+i))
	}
	return out
}

func (e *env) produce(records ...broker.Record) []int64 {
	e.Helper()
	offsets, err := e.log.Produce(e.ctx, records)
	require.NoError(e, err)
	require.Len(e, offsets, len(records))
	return offsets
}

// claim claims and restores.
func (e *env) claim(p int32) (broker.Claim, map[string]string) {
	e.Helper()
	c, err := e.log.Claim(e.ctx, p, "node")
	require.NoError(e, err)
	e.Cleanup(c.Close)
	return c, e.restore(c)
}

// restore returns the state that the records of Restore add up to.
func (e *env) restore(c broker.Claim) map[string]string {
	e.Helper()
	state, last := map[string]string{}, int64(-1)
	require.NoError(e, c.Restore(e.ctx, func(r *broker.Record) error {
		require.Greater(e, r.Offset, last, "restored records are in order")
		require.Equal(e, broker.State, r.Stream)
		require.Equal(e, c.Partition(), r.Partition)
		last = r.Offset
		if r.Value == nil {
			delete(state, string(r.Key))
			return nil
		}
		state[string(r.Key)] = string(r.Value)
		return nil
	}))
	return state
}

// reader opens a reader that the test closes.
func (e *env) reader(opts broker.ReaderOptions) broker.Reader {
	e.Helper()
	opts.Name = "brokertest"
	r, err := e.log.NewReader(opts)
	require.NoError(e, err)
	return r
}

// poll is one Poll that must bring something.
func (e *env) poll(r broker.Reader) []broker.Fetch {
	e.Helper()
	fetches, err := r.Poll(e.ctx)
	require.NoError(e, err)
	require.NotEmpty(e, fetches)
	return fetches
}

// take polls until n records came and returns them.
func (e *env) take(r broker.Reader, n int) []broker.Record {
	e.Helper()
	var out []broker.Record
	for len(out) < n {
		for _, f := range e.poll(r) {
			require.NoError(e, f.Err)
			out = append(out, f.Records...)
		}
	}
	require.Len(e, out, n)
	return out
}

// read returns the n records of a partition from an offset on.
func (e *env) read(s broker.Stream, p int32, from int64, n int) []broker.Record {
	e.Helper()
	r := e.reader(broker.ReaderOptions{})
	defer r.Close()
	r.Add(s, p, from)
	return e.take(r, n)
}

// contents returns everything that an append-only partition shows. It writes a record behind and reads up to that, so what
// it does not return cannot become visible later.
func (e *env) contents(s broker.Stream, p int32) []broker.Record {
	e.Helper()
	e.ends++
	end := e.produce(record(s, p, endKey, strconv.Itoa(e.ends)))[0]
	earliest, _, err := e.log.Bounds(e.ctx, s, p)
	require.NoError(e, err)
	r := e.reader(broker.ReaderOptions{})
	defer r.Close()
	r.Add(s, p, earliest)
	var out []broker.Record
	for next := earliest; next <= end; {
		for _, f := range e.poll(r) {
			require.NoError(e, f.Err)
			next = f.Next
			for _, rec := range f.Records {
				if string(rec.Key) != endKey {
					out = append(out, rec)
				}
			}
		}
	}
	return out
}

func values(records []broker.Record) []string {
	out := make([]string, len(records))
	for i := range records {
		out[i] = string(records[i].Value)
	}
	return out
}
