package embedded

import (
	"context"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"
	"go.uber.org/goleak"

	"github.com/trackmesh/trackmesh/broker"
)

func TestMain(m *testing.M) {
	if os.Getenv(victimEnv) != "" { // this is the process that TestKill starts and kills
		victim()
		return
	}
	goleak.VerifyTestMain(m)
}

const (
	waitFor = 20 * time.Second
	tick    = time.Millisecond
)

// options are those of a test's log in a directory.
func options(dir string) Options {
	return Options{
		OpenOptions: broker.OpenOptions{Topic: "positions", Group: "trackmesh", Partitions: 4, Enriched: true},
		Dir:         dir, Logger: slog.New(slog.DiscardHandler),
	}
}

func open(tb testing.TB, opts Options) *Log {
	tb.Helper()
	l, err := Open(tb.Context(), opts)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, l.Close()) })
	return l
}

// trim hides what is before an offset, as age does.
func (l *Log) trim(ctx context.Context, s broker.Stream, p int32, below int64) error {
	part, err := l.part(s, p)
	if err != nil {
		return err
	}
	return l.await(ctx, &op{check: noCheck, apply: func(t *txn) error { return t.hide(part, below) }})
}

// lastTx is the id of the newest transaction.
func (l *Log) lastTx(t *testing.T) (id int) {
	t.Helper()
	require.NoError(t, l.view(func(tx *bbolt.Tx) error { id = tx.ID(); return nil }))
	return id
}
