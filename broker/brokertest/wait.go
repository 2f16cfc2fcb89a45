package brokertest

import (
	"context"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/broker"
)

func waitTests() map[string]func(*env) {
	return map[string]func(*env){
		"a waiting reader is woken by Produce": wokenByProduce,
		"a waiting reader is woken by Commit":  wokenByCommit,
		"a waiting reader is woken by Add":     wokenByAdd,
		"a waiting reader is woken by Resume":  wokenByResume,
		"Close ends a Poll":                    closeEndsPoll,
		"a context ends a Poll":                contextEndsPoll,
		"the end of a partition is reported":   caughtUp,
	}
}

// waiting polls a reader in another goroutine, which has begun.
func (e *env) waiting(ctx context.Context, r broker.Reader) <-chan error {
	started, done := make(chan struct{}), make(chan error, 1)
	go func() {
		close(started)
		for {
			fetches, err := r.Poll(ctx)
			if err != nil {
				done <- err
				return
			}
			for _, f := range fetches {
				if f.Err != nil || len(f.Records) > 0 {
					done <- f.Err
					return
				}
			}
		}
	}()
	<-started
	return done
}

func (e *env) woken(done <-chan error) {
	e.Helper()
	select {
	case err := <-done:
		require.NoError(e, err)
	case <-e.ctx.Done():
		require.FailNow(e, "the reader was not woken")
	}
}

func wokenByProduce(e *env) {
	r := e.reader(broker.ReaderOptions{})
	defer r.Close()
	r.Add(broker.Input, 0, 0)
	done := e.waiting(e.ctx, r)
	e.produce(record(broker.Input, 0, "k", "v"))
	e.woken(done)
}

func wokenByCommit(e *env) {
	r := e.reader(broker.ReaderOptions{})
	defer r.Close()
	r.Add(broker.Events, 0, 0)
	done := e.waiting(e.ctx, r)
	c, _ := e.claim(0)
	e.commit(c, record(broker.Events, 0, "k", "v"))
	e.woken(done)
}

func wokenByAdd(e *env) {
	e.produce(record(broker.Input, 0, "k", "v"))
	r := e.reader(broker.ReaderOptions{})
	defer r.Close()
	done := e.waiting(e.ctx, r)
	r.Add(broker.Input, 0, 0)
	e.woken(done)
}

func wokenByResume(e *env) {
	r := e.reader(broker.ReaderOptions{})
	defer r.Close()
	r.Add(broker.Input, 0, 0)
	r.Pause(broker.Input, 0)
	done := e.waiting(e.ctx, r)
	e.produce(record(broker.Input, 0, "k", "v"))
	r.Resume(broker.Input, 0)
	e.woken(done)
}

func closeEndsPoll(e *env) {
	r := e.reader(broker.ReaderOptions{})
	r.Add(broker.Input, 0, 0)
	done := e.waiting(e.ctx, r)
	r.Close()
	require.ErrorIs(e, <-done, broker.ErrClosed)
	_, err := r.Poll(e.ctx)
	require.ErrorIs(e, err, broker.ErrClosed)
	r.Add(broker.Input, 0, 0) // harmless
	r.Close()
}

func contextEndsPoll(e *env) {
	r := e.reader(broker.ReaderOptions{})
	defer r.Close()
	r.Add(broker.Input, 0, 0)
	ctx, cancel := context.WithTimeout(e.ctx, 50*time.Millisecond)
	defer cancel()
	require.ErrorIs(e, <-e.waiting(ctx, r), context.DeadlineExceeded)
	e.produce(record(broker.Input, 0, "k", "v"))
	got := e.take(r, 1)
	require.Equal(e, "v", string(got[0].Value), "the reader goes on with another context")
}

// caughtUp: whoever adds a partition learns when it has all that there was, also when that is nothing.
func caughtUp(e *env) {
	c, _ := e.claim(0)
	e.commit(c, numbered(broker.Events, 0, 0, 100)...)
	e.read(broker.Events, 0, 0, 100) // a log may show a commit a little after Commit has returned
	r := e.reader(broker.ReaderOptions{MaxPartitionBytes: 1024})
	defer r.Close()
	r.Add(broker.Events, 0, 0)
	got, next := 0, int64(0)
	for got < 100 || next < 1 {
		for _, f := range e.poll(r) {
			require.NoError(e, f.Err)
			got += len(f.Records)
			if f.Next >= f.End {
				next = f.Next
			}
			require.False(e, f.Next >= f.End && got < 100, "caught up, with %d of 100 records", got)
		}
	}
	r.Add(broker.Events, 0, next) // at the end
	for atEnd := false; !atEnd; {
		for _, f := range e.poll(r) {
			require.NoError(e, f.Err)
			require.Empty(e, f.Records)
			atEnd = f.Next >= f.End
		}
	}
	r.Add(broker.Events, 2, 0) // empty
	for atEnd := false; !atEnd; {
		for _, f := range e.poll(r) {
			require.NoError(e, f.Err)
			require.Empty(e, f.Records)
			atEnd = f.Partition == 2 && f.Next >= f.End
		}
	}
	e.commit(c, record(broker.Events, 0, "k", "more"))
	more := e.take(r, 1)
	require.Equal(e, "more", string(more[0].Value))
}
