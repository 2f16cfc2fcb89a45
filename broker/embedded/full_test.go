package embedded

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"

	"github.com/trackmesh/trackmesh/broker"
)

// filler is a log that is written until it is full, with a record of what was acknowledged.
type filler struct {
	testing.TB
	l         *Log
	claim     broker.Claim
	committed int // commits acknowledged
	produced  int // records acknowledged
}

func newFiller(tb testing.TB, l *Log) *filler {
	tb.Helper()
	f := &filler{TB: tb, l: l}
	f.take()
	return f
}

func (f *filler) take() {
	f.Helper()
	c, err := f.l.Claim(f.Context(), 0, "filler")
	require.NoError(f, err)
	n, err := restoreCount(f.Context(), c)
	require.NoError(f, err)
	require.EqualValues(f, f.committed, n, "the state is that of the last acknowledged commit")
	f.claim = c
}

// step produces a record and commits one; each carries noise, so that it needs space.
func (f *filler) step() error {
	noise := make([]byte, 40<<10)
	for i := range noise {
		noise[i] = byte(rand.Uint32())
	}
	value := fmt.Appendf(nil, "%d", f.produced)
	_, err := f.l.Produce(f.Context(), []broker.Record{{Stream: broker.Input, Key: noise, Value: value}})
	if err != nil {
		return err
	}
	f.produced++
	value = fmt.Appendf(nil, "%d", f.committed)
	err = f.claim.Commit(f.Context(), []broker.Record{
		{Stream: broker.State, Key: []byte("count"), Value: value}, {Stream: broker.Events, Key: noise, Value: value},
	})
	if err == nil {
		f.committed++
	}
	return err
}

// untilFull steps until an error and checks that it says what it must.
func (f *filler) untilFull() {
	f.Helper()
	var err error
	for err == nil {
		err = f.step()
	}
	require.ErrorIs(f, err, broker.ErrFull)
	require.ErrorContains(f, err, "free space on its disk")
	require.ErrorIs(f, f.l.Health(), broker.ErrFull)
	for range 5 { // it stays so, and harms nothing
		_, err := f.l.Produce(f.Context(), []broker.Record{{Stream: broker.Input, Value: make([]byte, 600<<10)}, {Stream: broker.Input, Value: []byte("x")}})
		if err == nil { // zeros compress: there may be just enough room
			f.produced += 2
			continue
		}
		require.ErrorIs(f, err, broker.ErrFull)
	}
	f.check()
}

// check reads everything back.
func (f *filler) check() {
	f.Helper()
	require.Len(f, f.read(broker.Input), f.produced, "what was acknowledged and nothing else")
	events := f.read(broker.Events)
	require.Len(f, events, f.committed)
	for i := range events {
		require.Equal(f, strconv.Itoa(i), string(events[i].Value))
	}
	require.NoError(f, f.l.view(func(tx *bbolt.Tx) error {
		for err := range tx.Check() {
			return err
		}
		return nil
	}))
}

func (f *filler) read(s broker.Stream) []broker.Record {
	f.Helper()
	r, err := f.l.NewReader(broker.ReaderOptions{Name: "test"})
	require.NoError(f, err)
	defer r.Close()
	r.Add(s, 0, 0)
	var out []broker.Record
	for {
		fetches, err := r.Poll(f.Context())
		require.NoError(f, err)
		require.NoError(f, fetches[0].Err)
		for _, rec := range fetches[0].Records {
			require.EqualValues(f, len(out), rec.Offset, "what failed leaves no hole")
			out = append(out, rec)
		}
		if fetches[0].Next >= fetches[0].End {
			return out
		}
	}
}

// goesOn waits until the log says by itself that it can be written, and writes.
func (f *filler) goesOn() {
	f.Helper()
	ctx, cancel := context.WithTimeout(f.Context(), 20*time.Second)
	defer cancel()
	for f.l.Health() != nil {
		changed, _ := f.l.watch()
		select {
		case <-changed:
		case <-ctx.Done():
			require.NoError(f, f.l.Health())
		}
	}
	f.claim.Close()
	f.take()
	for range 5 {
		require.NoError(f, f.step())
	}
	f.check()
}

// TestAFileThatMayNotGrowRefusesWritesAndGoesOn uses bbolt's own limit in place of a full disk: what fails is the growth.
func TestAFileThatMayNotGrowRefusesWritesAndGoesOn(t *testing.T) {
	l := open(t, options(t.TempDir()))
	f := newFiller(t, l)
	for range 3 {
		require.NoError(t, f.step())
	}
	l.db.MaxSize = 12 << 20 // the writer rests
	for range 2 {
		f.untilFull()
		l.db.MaxSize += 12 << 20
		f.goesOn()
	}
}

func TestAWriteThatIsLostFailsTheWholeJoin(t *testing.T) {
	l := open(t, options(t.TempDir()))
	f := newFiller(t, l)
	require.NoError(t, f.step())
	l.db.MaxSize = 1
	big := make([]byte, 900<<10)
	for i := range big {
		big[i] = byte(rand.Uint32())
	}
	errs := make(chan error, 20)
	for range cap(errs) {
		go func() {
			_, err := l.Produce(t.Context(), []broker.Record{{Stream: broker.Input, Value: big}, {Stream: broker.Input, Value: big}, {Stream: broker.Input, Value: big}})
			errs <- err
		}()
	}
	for range cap(errs) {
		require.ErrorIs(t, <-errs, broker.ErrFull)
	}
	f.check()
	l.db.MaxSize = 0
	f.goesOn()
}
