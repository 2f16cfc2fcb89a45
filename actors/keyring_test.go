package actors

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	trackmeshv1 "github.com/trackmesh/trackmesh/messages/trackmesh/v1"
)

func TestKeysAreKnownUntilTheyAreOldOrTooMany(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		ring, most := newKeyring(nil), rapid.IntRange(1, 20).Draw(t, "most")
		var model []appliedKey // oldest first
		now := int64(0)
		for range rapid.IntRange(0, 200).Draw(t, "steps") {
			now += rapid.Int64Range(0, 5).Draw(t, "elapsed")
			key := strconv.Itoa(rapid.IntRange(0, 30).Draw(t, "key"))
			fresh := true
			for _, k := range model {
				fresh = fresh && k.key != key
			}
			require.Equal(t, fresh, ring.add(key, now))
			if fresh {
				model = append(model, appliedKey{key, now})
			}
			for {
				dropped, ok := ring.drop(now-40, most)
				expected := len(model) > 0 && (model[0].at < now-40 || len(model) > most)
				require.Equal(t, expected, ok)
				if !ok {
					break
				}
				require.Equal(t, model[0].key, dropped)
				model = model[1:]
			}
			require.Equal(t, len(model), ring.len())
			require.LessOrEqual(t, len(ring.queue), 2*most+2, "what was dropped is not kept")
			require.Len(t, ring.known, len(model))
		}
	})
}

func TestRestoredKeysAreForgottenOldestFirst(t *testing.T) {
	t.Parallel()
	ring := newKeyring(map[string]int64{"b": 2, "c": 3, "a": 1})
	require.False(t, ring.add("b", 4))
	for _, want := range []string{"a", "b", "c"} {
		key, ok := ring.drop(10, 10)
		require.True(t, ok)
		require.Equal(t, want, key)
	}
}

// BenchmarkKeyedCommand shows that noting a key costs the same however many are remembered.
func BenchmarkKeyedCommand(b *testing.B) {
	for _, n := range []int{100, maxKeys} {
		b.Run(fmt.Sprintf("remembered=%d", n), func(b *testing.B) {
			ring, i := newKeyring(nil), 0
			for ; i < n; i++ {
				ring.add(strconv.Itoa(i), int64(i))
			}
			b.ReportAllocs()
			for b.Loop() {
				ring.add(strconv.Itoa(i), int64(i))
				ring.drop(0, n)
				i++
			}
		})
	}
}

func TestOldKeysLeaveTheStateWithoutANewOne(t *testing.T) {
	t.Parallel()
	var later atomic.Int64
	b := newBench(t, func(o *Options) {
		o.Now = func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
	})
	b.produce(at("v1", 0))
	b.committed(1)
	p, offset, err := b.host.Send(context.Background(), &trackmeshv1.Command{
		Vehicle: "v1", IdempotencyKey: "k1", Body: &trackmeshv1.Command_ResetOdometer{ResetOdometer: &trackmeshv1.ResetOdometer{}},
	})
	require.NoError(t, err)
	require.NoError(t, b.host.AwaitApplied(context.Background(), p, offset))
	require.Contains(t, b.restored().keys, "k1")
	later.Store(int64(keysKept + time.Hour))
	b.host.Start(0)
	b.produce(at("v1", 10))
	b.committed(2)
	require.NotContains(t, b.restored().keys, "k1")
}

// restored stops the partition and reads what it left.
func (b *bench) restored() *restored {
	b.t.Helper()
	ctx := context.Background()
	require.NoError(b.t, b.host.Stop(ctx, 0))
	claim, err := b.log.Claim(ctx, 0, "test")
	require.NoError(b.t, err)
	defer claim.Close()
	r, err := restore(ctx, claim)
	require.NoError(b.t, err)
	return r
}
