package webhook

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/trackmesh/trackmesh/broker"
	"github.com/trackmesh/trackmesh/broker/embedded"
	"github.com/trackmesh/trackmesh/sinks"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const partitions = 2

// bench is a service over an embedded log, whose cursors can be made to fail.
type bench struct {
	t       *testing.T
	log     *forgetfulLog
	service *Service
	sent    int
	// maxBackOff is the pumps'.
	maxBackOff time.Duration
}

// forgetfulLog is a log that can lose what it is told of cursors, as a node that is killed does.
type forgetfulLog struct {
	broker.Log
	forgets atomic.Bool
}

func (l *forgetfulLog) StoreCursors(ctx context.Context, name string, s broker.Stream, at map[int32]int64) error {
	if l.forgets.Load() {
		return errors.New("killed")
	}
	return l.Log.StoreCursors(ctx, name, s, at)
}

func newBench(t *testing.T) *bench {
	t.Helper()
	log, err := embedded.Open(context.Background(), embedded.Options{
		Dir: t.TempDir(), OpenOptions: broker.OpenOptions{Topic: "positions", Group: "trackmesh", Partitions: partitions},
	})
	require.NoError(t, err)
	b := &bench{t: t, log: &forgetfulLog{Log: log}, maxBackOff: 50 * time.Millisecond}
	b.start()
	t.Cleanup(func() { b.stop(); require.NoError(t, log.Close()) })
	return b
}

func (b *bench) start() {
	b.t.Helper()
	s, err := New(Options{
		Log: b.log, Run: runAll, Agent: "trackmesh/test", PostTimeout: 2 * time.Second, MinBackOff: 5 * time.Millisecond, MaxBackOff: b.maxBackOff,
		Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
	})
	require.NoError(b.t, err)
	require.NoError(b.t, s.Start(context.Background()))
	b.service = s
}

func (b *bench) stop() {
	require.NoError(b.t, b.service.Stop(context.Background()))
}

// runAll drives a pump over all partitions.
func runAll(ctx context.Context, _ string, pump *sinks.Pump) (func(context.Context) error, error) {
	if err := pump.Start(ctx); err != nil {
		return nil, err
	}
	for p := range int32(partitions) {
		pump.Add(p)
	}
	return pump.Stop, nil
}

func (b *bench) put(id, url string, change ...func(*Change)) {
	b.t.Helper()
	secret := "0123456789abcdef"
	c := Change{URL: url, Secret: &secret}
	for _, fn := range change {
		fn(&c)
	}
	_, _, err := b.service.Put(context.Background(), id, c, nil)
	require.NoError(b.t, err)
}

// event appends one event of a vehicle; its id is its number.
func (b *bench) event(vehicle, kind string) string {
	b.t.Helper()
	b.sent++
	id := fmt.Sprintf("e-%d", b.sent)
	body := fmt.Sprintf(`{"id":%q,"type":%q,"cause":"fix","vehicle":%q,"location":[-73.98,40.75],"fence":{"id":"yard","name":"Yard","version":1}}`, id, kind, vehicle)
	_, err := b.log.Produce(context.Background(), []broker.Record{{
		Stream: broker.Events, Partition: int32(len(vehicle)) % partitions, Key: []byte(vehicle), Value: []byte(body),
		Headers: []broker.Header{{Key: sinks.HeaderID, Value: []byte(id)}},
	}})
	require.NoError(b.t, err)
	return id
}

// receiver is an HTTP server that notes what it is sent.
type receiver struct {
	*httptest.Server
	mu       sync.Mutex
	requests []request
	answer   func(n int, r *request) int // status of the n-th request, from 0; guarded by mu
	header   http.Header
}

type request struct {
	id, vehicle, signature string
	body                   []byte
	status                 int
}

func newReceiver(t *testing.T, answer func(n int, r *request) int) *receiver {
	t.Helper()
	rc := &receiver{answer: answer, header: http.Header{}}
	rc.Server = httptest.NewServer(rc)
	t.Cleanup(rc.Close)
	return rc
}

func fine(int, *request) int { return http.StatusNoContent }

func (rc *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	e, _ := readEvent(body)
	q := request{id: r.Header.Get(HeaderEventID), vehicle: e.vehicle, signature: r.Header.Get(HeaderSignature), body: body}
	rc.mu.Lock()
	q.status = rc.answer(len(rc.requests), &q)
	rc.requests = append(rc.requests, q)
	maps.Copy(w.Header(), rc.header)
	rc.mu.Unlock()
	w.WriteHeader(q.status)
}

// say changes how the receiver answers.
func (rc *receiver) say(answer func(n int, r *request) int) {
	rc.mu.Lock()
	defer rc.mu.Unlock()
	rc.answer = answer
}

func (rc *receiver) all() []request {
	rc.mu.Lock()
	defer rc.mu.Unlock()
	return append([]request(nil), rc.requests...)
}

// accepted are the ids that were acknowledged, each once, in the order of the first time.
func (rc *receiver) accepted() []string {
	var ids []string
	seen := map[string]bool{}
	for _, r := range rc.all() {
		if r.status/100 == 2 && !seen[r.id] {
			seen[r.id] = true
			ids = append(ids, r.id)
		}
	}
	return ids
}

func (rc *receiver) awaits(t *testing.T, n int) {
	t.Helper()
	require.Eventually(t, func() bool { return len(rc.accepted()) >= n }, 20*time.Second, 5*time.Millisecond, "the receiver has %v", rc.accepted())
}
