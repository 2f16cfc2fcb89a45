//go:build real

package kafka

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/trackmesh/trackmesh/broker"
	"github.com/trackmesh/trackmesh/test/servers"
)

// ledger is partitions under load: each owner numbers its events without a hole, keeps the next number in its checkpoint
// in the same commit, and after any error claims again and goes on from the checkpoint.
type ledger struct {
	log      *Log
	commits  []atomic.Int64 // per partition
	lastOK   []atomic.Int64 // Unix ns of the newest commit, per partition
	failures atomic.Int64
	stop     context.CancelFunc
	wg       sync.WaitGroup
}

func startLedger(t *testing.T, l *Log) *ledger {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	n := l.Layout().Partitions
	g := &ledger{log: l, commits: make([]atomic.Int64, n), lastOK: make([]atomic.Int64, n), stop: stop}
	for p := range n {
		g.wg.Go(func() {
			for ctx.Err() == nil {
				if err := g.own(ctx, p); err != nil && ctx.Err() == nil {
					g.failures.Add(1)
					t.Logf("partition %d: %v", p, err)
				}
			}
		})
	}
	t.Cleanup(g.end)
	return g
}

func (g *ledger) end() {
	g.stop()
	g.wg.Wait()
}

func (g *ledger) own(ctx context.Context, p int32) error {
	c, err := g.log.Claim(ctx, p, "node")
	if err != nil {
		return err
	}
	defer c.Close()
	var next uint64
	err = c.Restore(ctx, func(r *broker.Record) error {
		if string(r.Key) == broker.CheckpointKey {
			next = binary.BigEndian.Uint64(r.Value)
		}
		return nil
	})
	if err != nil {
		return err
	}
	pace := time.NewTicker(20 * time.Millisecond)
	defer pace.Stop()
	for {
		records := make([]broker.Record, 0, 11)
		for range 10 {
			records = append(records, broker.Record{Stream: broker.Events, Partition: p, Value: binary.BigEndian.AppendUint64(nil, next)})
			next++
		}
		records = append(records, broker.Record{
			Stream: broker.State, Partition: p, Key: []byte(broker.CheckpointKey), Value: binary.BigEndian.AppendUint64(nil, next),
		})
		if err := c.Commit(ctx, records); err != nil {
			return err
		}
		g.commits[p].Add(1)
		g.lastOK[p].Store(time.Now().UnixNano())
		select {
		case <-ctx.Done():
			return nil
		case <-pace.C:
		}
	}
}

// moved waits until every partition has committed n times more.
func (g *ledger) moved(t *testing.T, n int64) {
	t.Helper()
	want := make([]int64, len(g.commits))
	for p := range g.commits {
		want[p] = g.commits[p].Load() + n
	}
	require.Eventually(t, func() bool {
		for p := range g.commits {
			if g.commits[p].Load() < want[p] {
				return false
			}
		}
		return true
	}, 90*time.Second, 10*time.Millisecond)
}

// audit reads all events of a reader that was open all the time, and checks that none is missing or there twice.
func (g *ledger) audit(t *testing.T, r broker.Reader, next map[int32]uint64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	for !g.read(t, next) {
		fetches, err := r.Poll(ctx)
		require.NoError(t, err)
		for _, f := range fetches {
			require.NoError(t, f.Err)
			for _, rec := range f.Records {
				require.Equal(t, next[f.Partition], binary.BigEndian.Uint64(rec.Value), "partition %d at offset %d", f.Partition, rec.Offset)
				next[f.Partition]++
			}
		}
	}
}

// read says whether as many events were read as commits were acknowledged.
func (g *ledger) read(t *testing.T, next map[int32]uint64) bool {
	t.Helper()
	for p := range g.commits {
		if next[int32(p)] < uint64(g.commits[p].Load())*10 {
			return false
		}
	}
	return true
}

func TestNothingIsLostOrDoubledWhenTheBroker(t *testing.T) {
	pause := func(t *testing.T, d time.Duration) {
		t.Helper()
		select {
		case <-time.After(d): // the length of the outage is what is tested
		case <-t.Context().Done():
		}
	}
	for name, fault := range map[string]func(*testing.T, *servers.KafkaServer){
		"restarts": func(t *testing.T, k *servers.KafkaServer) {
			t.Helper()
			require.NoError(t, k.Restart(t.Context()))
		},
		"is killed": func(t *testing.T, k *servers.KafkaServer) {
			t.Helper()
			k.Kill()
			require.NoError(t, k.Start(t.Context()))
		},
		"is away for 20 s": func(t *testing.T, k *servers.KafkaServer) {
			t.Helper()
			k.Stop()
			pause(t, 20*time.Second)
			require.NoError(t, k.Start(t.Context()))
		},
		"hangs for 20 s": func(t *testing.T, k *servers.KafkaServer) {
			t.Helper()
			require.NoError(t, k.Pause())
			pause(t, 20*time.Second)
			require.NoError(t, k.Continue())
			require.NoError(t, k.Ready(t.Context()))
		},
	} {
		t.Run(name, func(t *testing.T) {
			k := servers.Kafka(t, servers.KafkaOptions{})
			opts := optionsFor(t, k.Brokers)
			opts.Partitions = 4
			l := open(t, opts)
			r := newReader(t, l)
			for p := range opts.Partitions {
				r.Add(broker.Events, p, 0)
			}
			g := startLedger(t, l)
			g.moved(t, 20)
			next := map[int32]uint64{}
			g.audit(t, r, next)
			fault(t, k)
			back := time.Now()
			g.moved(t, 1)
			t.Logf("every partition commits again %s after the broker was back; %d claims were lost", time.Since(back).Round(10*time.Millisecond), g.failures.Load())
			require.Less(t, time.Since(back), 30*time.Second, "three times the 10 s that are promised")
			require.Eventually(t, func() bool { return l.Health() == nil }, 30*time.Second, 50*time.Millisecond, "health is looked at every few seconds")
			g.moved(t, 20)
			g.end()
			g.audit(t, r, next)
			for p := range opts.Partitions {
				require.NoError(t, noMore(t, l, p, next[p]))
			}
		})
	}
}

// noMore checks that the state's counter is that of the events: the two are one transaction.
func noMore(t *testing.T, l *Log, p int32, read uint64) error {
	t.Helper()
	c, err := l.Claim(t.Context(), p, "auditor")
	if err != nil {
		return err
	}
	defer c.Close()
	var next uint64
	err = c.Restore(t.Context(), func(r *broker.Record) error {
		if string(r.Key) == broker.CheckpointKey {
			next = binary.BigEndian.Uint64(r.Value)
		}
		return nil
	})
	if err == nil && next < read {
		err = fmt.Errorf("partition %d: %d events were read, the checkpoint says %d", p, read, next)
	}
	return err
}

func TestHealthSaysThatTheBrokerIsAway(t *testing.T) {
	k := servers.Kafka(t, servers.KafkaOptions{})
	l := open(t, optionsFor(t, k.Brokers))
	require.NoError(t, l.Health())
	k.Kill()
	require.Eventually(t, func() bool { return l.Health() != nil }, 20*time.Second, 50*time.Millisecond)
	require.ErrorContains(t, l.Health(), k.Brokers[0])
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := l.Claim(ctx, 0, "node")
	require.ErrorContains(t, err, k.Brokers[0])
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NoError(t, k.Start(t.Context()))
	require.Eventually(t, func() bool { return l.Health() == nil }, 20*time.Second, 50*time.Millisecond)
}

func TestCompactionLosesNoStateAndNoTerm(t *testing.T) {
	k := servers.Kafka(t, servers.KafkaOptions{Config: map[string]string{"log.cleaner.backoff.ms": "200"}})
	opts := optionsFor(t, k.Brokers)
	opts.Partitions = 1
	l := open(t, opts)
	small, always := "1048576", "0.01" // a segment may not be smaller
	done, err := l.admin.AlterTopicConfigs(t.Context(), []kadm.AlterConfig{
		{Op: kadm.SetConfig, Name: "segment.bytes", Value: &small},
		{Op: kadm.SetConfig, Name: "min.cleanable.dirty.ratio", Value: &always},
	}, l.topicOf(broker.State))
	require.NoError(t, err)
	require.NoError(t, done[0].Err)
	noise := rand.NewChaCha8([32]byte{}) // which no codec makes smaller
	want := map[string]string{}
	for term := uint64(1); term <= 8; term++ {
		c := owner(t, l, 0)
		require.Equal(t, term, c.Term())
		for range 10 {
			var state []broker.Record
			for v := range 20 {
				key, value := fmt.Sprintf("vehicle-%02d", v), make([]byte, 3000)
				_, _ = noise.Read(value) // never fails
				want[key] = string(value)
				state = append(state, broker.Record{Stream: broker.State, Key: []byte(key), Value: value})
			}
			require.NoError(t, c.Commit(t.Context(), state))
		}
	}
	require.Eventually(t, func() bool { // 1600 records were written, 20 are of use
		c, err := l.Claim(t.Context(), 0, "node")
		require.NoError(t, err)
		defer c.Close()
		records, got := 0, map[string]string{}
		require.NoError(t, c.Restore(t.Context(), func(r *broker.Record) error {
			records++
			got[string(r.Key)] = string(r.Value)
			return nil
		}))
		require.Equal(t, want, got)
		return records < 1000
	}, 60*time.Second, 500*time.Millisecond)
	claims := owner(t, l, 0).Term()
	require.Greater(t, claims, uint64(8))
	require.Equal(t, claims+1, owner(t, l, 0).Term())
}
