package embedded

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/broker"
)

const (
	victimEnv  = "TRACKMESH_EMBEDDED_VICTIM"
	victimSize = 3 // records of a commit in each stream
)

// TestKillLosesNothingAcknowledged kills a process under load, again and again, and looks after each time at what it left.
func TestKillLosesNothingAcknowledged(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	dir := t.TempDir()
	said := newWitness()
	for round := range 10 {
		said.listen(t, dir, 1+rng.IntN(300))
		said.check(t, dir, round)
	}
	require.Positive(t, said.produced[0]+said.produced[1])
	require.Positive(t, said.committed[0]+said.committed[1])
}

// witness is what the killed processes acknowledged, per partition: how many records and commits.
type witness struct {
	produced, committed [4]int64
	terms               [4]uint64
}

func newWitness() *witness { return &witness{} }

// listen runs a victim and kills it after some acknowledgements.
func (w *witness) listen(t *testing.T, dir string, lines int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), victimEnv+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	in := bufio.NewScanner(out)
	for n := 0; in.Scan(); n++ {
		if n == lines {
			require.NoError(t, cmd.Process.Kill())
		}
		var what string
		var p, count int64
		_, err := fmt.Sscan(in.Text(), &what, &p, &count)
		if err != nil {
			continue // the last line may be cut
		}
		switch what {
		case "produced":
			w.produced[p] = count
		case "committed":
			w.committed[p] = count
		default:
			require.FailNow(t, in.Text())
		}
	}
	require.Error(t, cmd.Wait(), "it was killed")
}

// check opens what is left.
func (w *witness) check(t *testing.T, dir string, round int) {
	t.Helper()
	l, err := Open(t.Context(), options(dir))
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	for p := range int32(4) {
		inputs := all(t, l, broker.Input, p)
		require.GreaterOrEqual(t, int64(len(inputs)), w.produced[p], "round %d: acknowledged records", round)
		inSequence(t, inputs, 1)
		commits := int64(0)
		for _, s := range []broker.Stream{broker.Enriched, broker.Events, broker.Dead} {
			records := all(t, l, s, p)
			require.Zero(t, len(records)%victimSize, "round %d: half a commit", round)
			inSequence(t, records, victimSize)
			if s == broker.Enriched {
				commits = int64(len(records) / victimSize)
			}
			require.Equal(t, commits, int64(len(records)/victimSize), "round %d: commits are whole", round)
		}
		require.GreaterOrEqual(t, commits, w.committed[p], "round %d: acknowledged commits", round)
		w.checkState(t, l, p, commits)
	}
}

func (w *witness) checkState(t *testing.T, l *Log, p int32, commits int64) {
	t.Helper()
	c, err := l.Claim(t.Context(), p, "checker")
	require.NoError(t, err)
	defer c.Close()
	count, err := restoreCount(t.Context(), c)
	require.NoError(t, err)
	require.Equal(t, commits, count, "the state is that of the last commit")
	require.Greater(t, c.Term(), w.terms[p])
	w.terms[p] = c.Term()
}

func all(t *testing.T, l *Log, s broker.Stream, p int32) []broker.Record {
	t.Helper()
	r, err := l.NewReader(broker.ReaderOptions{Name: "checker"})
	require.NoError(t, err)
	defer r.Close()
	r.Add(s, p, 0)
	var out []broker.Record
	for {
		fetches, err := r.Poll(t.Context())
		require.NoError(t, err)
		require.NoError(t, fetches[0].Err)
		out = append(out, fetches[0].Records...)
		if fetches[0].Next >= fetches[0].End {
			return out
		}
	}
}

// inSequence: the values count 0, 1, 2, …, each as often as size says.
func inSequence(t *testing.T, records []broker.Record, size int) {
	t.Helper()
	for i := range records {
		require.Equal(t, strconv.Itoa(i/size), string(records[i].Value), "record %d", i)
		require.Equal(t, int64(i), records[i].Offset)
	}
}

func restoreCount(ctx context.Context, c broker.Claim) (int64, error) {
	count := int64(0)
	err := c.Restore(ctx, func(r *broker.Record) error {
		n, err := strconv.ParseInt(string(r.Value), 10, 64)
		count = n + 1
		return err
	})
	return count, err
}

// victim produces and commits as fast as it can, and says on standard output what was acknowledged.
func victim() {
	opts := options(os.Getenv(victimEnv))
	opts.LockTimeout = 30 * time.Second
	l, err := Open(context.Background(), opts)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	var out sync.Mutex
	say := func(what string, p int32, n int64) {
		out.Lock()
		defer out.Unlock()
		_, _ = io.WriteString(os.Stdout, fmt.Sprintf("%s %d %d\n", what, p, n))
	}
	var group sync.WaitGroup
	for p := range int32(4) {
		group.Go(func() { fail(victimProduce(l, p, say)) })
		group.Go(func() { fail(victimCommit(l, p, say)) })
	}
	group.Wait()
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func victimProduce(l *Log, p int32, say func(string, int32, int64)) error {
	for {
		_, next, err := l.Bounds(context.Background(), broker.Input, p)
		if err != nil {
			return err
		}
		batch := many(1+int(next%17), func(i int) broker.Record {
			return broker.Record{Stream: broker.Input, Partition: p, Value: strconv.AppendInt(nil, next+int64(i), 10)}
		})
		if _, err := l.Produce(context.Background(), batch); err != nil {
			return err
		}
		say("produced", p, next+int64(len(batch)))
	}
}

func victimCommit(l *Log, p int32, say func(string, int32, int64)) error {
	c, err := l.Claim(context.Background(), p, "victim")
	if err != nil {
		return err
	}
	n, err := restoreCount(context.Background(), c)
	if err != nil {
		return err
	}
	for ; ; n++ {
		value := strconv.AppendInt(nil, n, 10)
		batch := []broker.Record{{Stream: broker.State, Partition: p, Key: []byte("count"), Value: value}}
		for _, s := range []broker.Stream{broker.Enriched, broker.Events, broker.Dead} {
			for range victimSize {
				batch = append(batch, broker.Record{Stream: s, Partition: p, Value: value})
			}
		}
		if err := c.Commit(context.Background(), batch); err != nil {
			return err
		}
		say("committed", p, n+1)
	}
}
