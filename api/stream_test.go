package api

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/trackmesh/trackmesh/broker"
)

// sse is a client of the stream.
type sse struct {
	t      *testing.T
	lines  *bufio.Scanner
	close  func()
	lastID string
}

func (b *bundle) stream(query string, headers ...string) (*sse, *http.Response) {
	b.t.Helper()
	ctx, cancel := context.WithCancel(b.t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.url+"/api/v1/events/stream"+query, nil)
	require.NoError(b.t, err)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := b.client.Do(req)
	require.NoError(b.t, err)
	return &sse{t: b.t, lines: bufio.NewScanner(res.Body), close: func() { cancel(); _ = res.Body.Close() }}, res
}

// message is one block of the stream.
type message struct{ event, data, comment string }

// next reads a block; ok is false at the end.
func (c *sse) next() (m message, ok bool) {
	for c.lines.Scan() {
		line := c.lines.Text()
		if line == "" {
			return m, true
		}
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "id":
			c.lastID = value
		case "data":
			m.data = value
		case "event":
			m.event = value
		case "":
			m.comment = "heartbeat"
		}
	}
	return m, false
}

// event reads up to the next event, over heartbeats.
func (c *sse) event() string {
	c.t.Helper()
	for {
		m, ok := c.next()
		require.True(c.t, ok, "the stream ended")
		if m.data != "" {
			return m.data
		}
	}
}

// happen commits events; each is named by its number.
func (b *bundle) happen(kind string, numbers ...int) {
	b.t.Helper()
	var records []broker.Record
	for _, n := range numbers {
		records = append(records, broker.Record{
			Stream: broker.Events, Partition: int32(n % 4), Key: []byte("cab"), //nolint:gosec // small
			Value: fmt.Appendf(nil, `{"id":"e%d","type":%q,"vehicle":"cab %d","location":[%d,1],"fence":{"id":"f%d"}}`, n, kind, n%3, n, n%2),
		})
	}
	_, err := b.log.Produce(b.t.Context(), records)
	require.NoError(b.t, err)
}

func idOf(t *testing.T, data string) string {
	t.Helper()
	var e struct {
		ID string `json:"id"`
	}
	require.NoError(t, json.Unmarshal([]byte(data), &e))
	return e.ID
}

func upTo(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

func TestAStreamBeginsNowAndTellsItsCursorAtOnce(t *testing.T) {
	b := start(t)
	b.happen("enter", 1, 2, 3)
	c, res := b.stream("")
	defer c.close()
	require.Equal(t, "text/event-stream", res.Header.Get("Content-Type"))
	_, ok := c.next()
	require.True(t, ok)
	require.NotEmpty(t, c.lastID)
	b.happen("exit", 4)
	require.Equal(t, "e4", idOf(t, c.event()))
	c.close()
	b.happen("exit", 5, 6)
	again, _ := b.stream("", "Last-Event-ID", c.lastID)
	defer again.close()
	require.ElementsMatch(t, []string{"e5", "e6"}, []string{idOf(t, again.event()), idOf(t, again.event())})
}

func TestFiltersLetOnlyWhatIsWantedPass(t *testing.T) {
	for query, want := range map[string][]string{
		"type=exit":               {"e8"},
		"vehicle=cab+1&type=exit": {},
		"fence=f1":                {"e1", "e3", "e5"},
		"vehicle=cab+0":           {"e0", "e3"},
		"bbox=3.5,0,5.5,2":        {"e4", "e5"},
	} {
		b := start(t)
		c, _ := b.stream("?" + query)
		_, _ = c.next()
		b.happen("enter", 0, 1, 2, 3, 4, 5)
		b.happen("exit", 8)
		got := []string{}
		for len(got) < len(want) {
			got = append(got, idOf(t, c.event()))
		}
		require.ElementsMatch(t, want, got, query)
		c.close()
	}
}

func TestAFilteredStreamKeepsItsCursorNearTheEnd(t *testing.T) {
	b := start(t)
	c, _ := b.stream("?type=dwell")
	defer c.close()
	_, _ = c.next()
	first := c.lastID
	b.happen("enter", upTo(20)...)
	for c.lastID == first {
		m, ok := c.next()
		require.True(t, ok)
		require.Empty(t, m.data)
	}
	require.Eventually(t, func() bool {
		m, _ := c.next()
		require.Equal(t, "heartbeat", m.comment)
		at, err := decodeCursor(c.lastID, logNumber(b.log.layout.StateID), 4)
		require.NoError(t, err)
		return at[0]+at[1]+at[2]+at[3] == 20
	}, waitAtMost, pollEvery)
}

func TestACursorThatTheLogNoLongerHoldsIsGone(t *testing.T) {
	b := start(t)
	b.happen("enter", upTo(40)...)
	number := logNumber(b.log.layout.StateID)
	refused := func(after string) {
		c, res := b.stream("?after=" + after)
		defer c.close()
		require.Equal(t, http.StatusGone, res.StatusCode)
	}
	refused("nonsense")
	refused(cursor{1, 1, 1, 11}.encode(number))
	refused(cursor{1, 1, 1}.encode(number))
	refused(cursor{1, 1, 1, 1}.encode(number + 1))
	b.log.mu.Lock()
	b.log.earliest[broker.Events][2] = 5
	b.log.mu.Unlock()
	refused(cursor{1, 1, 4, 1}.encode(number))
	c, res := b.stream("?after=" + cursor{1, 1, 5, 1}.encode(number))
	defer c.close()
	require.Equal(t, http.StatusOK, res.StatusCode)
}

func TestAClientThatFallsBehindWhatIsKeptReadsTheLogAndMissesNothing(t *testing.T) {
	b := start(t, func(o *Options) { o.tailEntriesLimit = 10 })
	c, _ := b.stream("")
	_, _ = c.next()
	begin := c.lastID
	c.close()
	b.happen("enter", upTo(500)...) // the tail keeps ten of these
	b.waitForTail(500)
	c, _ = b.stream("?after=" + begin)
	defer c.close()
	seen := map[string]bool{}
	for range 500 {
		id := idOf(t, c.event())
		require.False(t, seen[id], id)
		seen[id] = true
	}
	b.happen("exit", 900)
	require.Equal(t, "e900", idOf(t, c.event()))
	readers := b.log.opened()
	for i := range 100 {
		b.happen("exit", i)
		c.event()
	}
	require.Equal(t, readers, b.log.opened(), "it is back on the shared reader")
}

func (b *bundle) waitForTail(total int64) {
	b.t.Helper()
	require.Eventually(b.t, func() bool {
		at, _ := b.server.tail.now()
		sum := int64(0)
		for _, o := range at {
			sum += o
		}
		return sum == total
	}, waitAtMost, pollEvery)
}

func TestASlowClientHoldsUpNobodyAndIsCutOff(t *testing.T) {
	b := start(t, func(o *Options) { o.ClientPatience = 3 * time.Second; o.tailEntriesLimit = 50 })
	slow, _ := b.stream("")
	defer slow.close()
	quick, _ := b.stream("")
	defer quick.close()
	_, _ = quick.next()
	big := strings.Repeat("x", 900)
	const n = 40_000 // more than the sockets between us hold
	go func() {
		for i := 0; i < n; i += 1000 {
			records := make([]broker.Record, 1000)
			for j := range records {
				records[j] = broker.Record{Stream: broker.Events, Value: fmt.Appendf(nil, `{"id":"e%d","x":%q}`, i+j, big)}
			}
			_, _ = b.log.Produce(context.Background(), records)
		}
	}()
	for i := range n {
		require.Equal(t, fmt.Sprintf("e%d", i), idOf(t, quick.event()))
	}
	require.Eventually(t, func() bool { return len(b.server.watchers) == 1 }, waitAtMost, pollEvery)
}

func TestReconnectingAtAnyMomentLosesAndDoublesNothing(t *testing.T) {
	b := start(t, func(o *Options) { o.tailEntriesLimit = 20 })
	const n = 3000
	c, _ := b.stream("")
	_, _ = c.next()
	last := c.lastID
	c.close()
	var producing sync.WaitGroup
	producing.Go(func() {
		for i := 0; i < n; i += 10 {
			b.happen("enter", i, i+1, i+2, i+3, i+4, i+5, i+6, i+7, i+8, i+9)
			time.Sleep(time.Duration(rand.IntN(1000)) * time.Microsecond) //nolint:forbidigo,gosec // a pace, not a wait for anything
		}
	})
	seen, next := map[string]int{}, [4]int{0, 1, 2, 3}
	for len(seen) < n {
		c, res := b.stream("", "Last-Event-ID", last)
		require.Equal(t, http.StatusOK, res.StatusCode)
		for range rand.IntN(200) { //nolint:gosec // any moment will do
			m, ok := c.next()
			require.True(t, ok)
			if m.data == "" {
				continue
			}
			id := idOf(t, m.data)
			var number int
			_, err := fmt.Sscanf(id, "e%d", &number)
			require.NoError(t, err)
			require.Equal(t, next[number%4], number, "in order within a partition, each once")
			next[number%4] += 4
			seen[id]++
			if len(seen) == n {
				break
			}
		}
		if c.lastID != "" { // else it was cut off before the first message
			last = c.lastID
		}
		c.close()
	}
	producing.Wait()
	require.Len(t, seen, n)
}

func TestAnOffsetThatLeavesTheLogEndsTheStreamWithAReason(t *testing.T) {
	b := start(t, func(o *Options) { o.tailEntriesLimit = 1 })
	c, _ := b.stream("")
	_, _ = c.next()
	c.close()
	b.happen("enter", upTo(400)...)
	b.waitForTail(400)
	at, err := decodeCursor(c.lastID, logNumber(b.log.layout.StateID), 4)
	require.NoError(t, err)
	recorder := httptest.NewRecorder()
	u := &subscriber{s: b.server, at: at, out: newEventWriter(recorder, b.server)}
	b.log.mu.Lock()
	b.log.earliest[broker.Events][1] = 50 // retention went past a client that was reading
	b.log.mu.Unlock()
	u.run(t.Context())
	require.Contains(t, recorder.Body.String(), "event: problem\ndata: {")
	require.Contains(t, recorder.Body.String(), typePrefix+"cursor")
}

func TestStoppingEndsStreams(t *testing.T) {
	b := start(t)
	c, _ := b.stream("")
	defer c.close()
	_, _ = c.next()
	ctx, cancel := context.WithTimeout(t.Context(), waitAtMost)
	defer cancel()
	require.NoError(t, b.server.Stop(ctx))
	for ok := true; ok; {
		_, ok = c.next()
	}
}

func TestStreamsOverTheBoundAreToldToComeBack(t *testing.T) {
	b := start(t, func(o *Options) { o.MaxStreams = 1 })
	c, _ := b.stream("")
	defer c.close()
	_, _ = c.next()
	b.get("/api/v1/events/stream").problem(t, http.StatusServiceUnavailable, "busy")
}

func TestCursorsSurviveTheirEncoding(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := cursor(rapid.SliceOfN(rapid.Int64Range(0, 1<<60), 0, 64).Draw(t, "offsets"))
		number := rapid.Uint32().Draw(t, "log")
		back, err := decodeCursor(c.encode(number), number, len(c))
		require.NoError(t, err)
		require.Len(t, back, len(c))
		for i := range c {
			require.Equal(t, c[i], back[i])
		}
	})
}
