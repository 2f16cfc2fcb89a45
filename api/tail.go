package api

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/trackmesh/trackmesh/broker"
	"github.com/trackmesh/trackmesh/geo"
)

// streamed is a committed event with what filters ask of it. It is immutable.
type streamed struct {
	partition int32
	offset    int64
	kind      string
	fence     string
	vehicle   string
	location  geo.Point
	located   bool
	body      []byte // JSON in one line
}

func parseStreamed(rec *broker.Record) *streamed {
	e := &streamed{partition: rec.Partition, offset: rec.Offset, body: rec.Value}
	var fields struct {
		Type     string      `json:"type"`
		Vehicle  string      `json:"vehicle"`
		Location *[2]float64 `json:"location"`
		Fence    *struct {
			ID string `json:"id"`
		} `json:"fence"`
	}
	if json.Unmarshal(rec.Value, &fields) != nil {
		return e // somebody else's record: only a stream without filters shows it
	}
	e.kind, e.vehicle = fields.Type, fields.Vehicle
	if fields.Fence != nil {
		e.fence = fields.Fence.ID
	}
	if fields.Location != nil {
		e.location, e.located = geo.Point{Lon: fields.Location[0], Lat: fields.Location[1]}, true
	}
	return e
}

// tail is the one reader that follows the events' end for all clients of this node. It keeps the newest events, and clients
// take them from there each at its own pace: nobody waits for anybody, and nothing is kept for a client. Who falls behind
// what is kept reads the log alone until it is back.
//
//	idle ──first client──> following ──error──> following anew (what was kept is dropped; clients catch up from the log)
//	                          │ stop
//	                          └────────> stopped
type tail struct {
	log        Log
	logger     *slog.Logger
	metrics    *metrics
	maxEntries int
	maxBytes   int

	starting sync.Mutex // held over start and stop
	started  bool
	cancel   context.CancelFunc
	done     chan struct{}

	mu    sync.Mutex
	kept  []*streamed // a window of the stream, oldest first
	first uint64      // the number of kept[0] in the stream
	bytes int
	base  cursor        // everything from here on is in kept, or still to come; nil: not following
	head  cursor        // the next offset of each partition
	news  chan struct{} // closed and replaced at each change
}

func newTail(o Options, m *metrics) *tail {
	return &tail{
		log: o.Log, logger: o.Logger.With("part", "event tail"), metrics: m, maxEntries: o.tailEntriesLimit, maxBytes: o.TailBytes,
		news: make(chan struct{}),
	}
}

// start begins to follow, once.
func (t *tail) start() {
	t.starting.Lock()
	defer t.starting.Unlock()
	if t.started {
		return
	}
	t.started = true
	ctx, cancel := context.WithCancel(context.Background())
	t.cancel, t.done = cancel, make(chan struct{})
	go t.run(ctx)
}

func (t *tail) stop() {
	t.starting.Lock()
	defer t.starting.Unlock()
	t.started = true // and never again
	if t.cancel != nil {
		t.cancel()
		<-t.done
	}
}

func (t *tail) run(ctx context.Context) {
	defer close(t.done)
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		began := time.Now()
		err := t.follow(ctx)
		if ctx.Err() != nil {
			return
		}
		t.metrics.tailResets.Inc()
		t.logger.Warn("following the events failed; starting over", "err", err)
		if time.Since(began) > time.Minute {
			pause = 100 * time.Millisecond
		}
		if !sleepUntil(ctx, pause) {
			return
		}
	}
}

// follow reads from the end of every partition on.
func (t *tail) follow(ctx context.Context) error {
	ends, err := bounds(ctx, t.log, func(_, end int64) int64 { return end })
	if err != nil {
		return err
	}
	reader, err := t.log.NewReader(broker.ReaderOptions{Name: "event-tail", MaxBufferedBytes: 4 << 20})
	if err != nil {
		return fmt.Errorf("opening the reader of events: %w", err)
	}
	defer reader.Close()
	for p, offset := range ends {
		reader.Add(broker.Events, int32(p), offset) //nolint:gosec // partitions are int32
	}
	t.reset(ends)
	for {
		fetches, err := reader.Poll(ctx)
		if err != nil {
			return fmt.Errorf("reading events: %w", err)
		}
		for i := range fetches {
			if fetches[i].Err != nil {
				return fmt.Errorf("reading events of partition %d: %w", fetches[i].Partition, fetches[i].Err)
			}
		}
		t.append(fetches)
	}
}

// bounds asks for a bound of each partition of the events.
func bounds(ctx context.Context, log Log, which func(earliest, end int64) int64) (cursor, error) {
	c := make(cursor, log.Layout().Partitions)
	for p := range c {
		earliest, end, err := log.Bounds(ctx, broker.Events, int32(p)) //nolint:gosec // partitions are int32
		if err != nil {
			return nil, fmt.Errorf("asking for the bounds of the events: %w", err)
		}
		c[p] = which(earliest, end)
	}
	return c, nil
}

func (t *tail) reset(from cursor) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.first += uint64(len(t.kept))
	t.kept, t.bytes = nil, 0
	t.base, t.head = append(cursor(nil), from...), append(cursor(nil), from...)
	t.announce()
}

func (t *tail) append(fetches []broker.Fetch) {
	var fresh []*streamed
	for i := range fetches {
		for j := range fetches[i].Records {
			fresh = append(fresh, parseStreamed(&fetches[i].Records[j]))
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range fetches {
		t.head[fetches[i].Partition] = max(t.head[fetches[i].Partition], fetches[i].Next)
	}
	if len(fresh) == 0 {
		return
	}
	t.kept = append(t.kept, fresh...)
	for _, e := range fresh {
		t.bytes += len(e.body)
		t.head[e.partition] = max(t.head[e.partition], e.offset+1)
	}
	t.evict()
	t.announce()
}

// evict drops the oldest events over the bounds.
func (t *tail) evict() {
	n := 0
	for ; n < len(t.kept) && (len(t.kept)-n > t.maxEntries || t.bytes > t.maxBytes); n++ {
		e := t.kept[n]
		t.bytes -= len(e.body)
		t.base[e.partition] = e.offset + 1
	}
	if n == 0 {
		return
	}
	clear(t.kept[:n])
	t.kept = t.kept[n:]
	t.first += uint64(n)
}

func (t *tail) announce() {
	close(t.news)
	t.news = make(chan struct{})
}

// window is what a client sees of the tail.
type window struct {
	events []*streamed
	next   uint64          // the number of the event after the last of them
	behind bool            // the cursor is older than what is kept: read the log
	news   <-chan struct{} // closed when there is more
}

// since returns the events from number on that a cursor has not seen. number is where the last window ended.
func (t *tail) since(c cursor, number uint64) window {
	t.mu.Lock()
	defer t.mu.Unlock()
	w := window{next: t.first + uint64(len(t.kept)), news: t.news}
	if t.base == nil {
		w.behind = true
		return w
	}
	for p := range c {
		if c[p] < t.base[p] {
			w.behind = true
			return w
		}
	}
	skip := 0
	if number > t.first {
		skip = int(min(number-t.first, uint64(len(t.kept))))
	}
	const most = 1024 // so that a client's copy stays small
	end := min(len(t.kept), skip+most)
	w.events = append(w.events, t.kept[skip:end]...)
	w.next = t.first + uint64(end)
	return w
}

// now is the cursor of who wants only what is to come; nil while the tail does not follow yet.
func (t *tail) now() (cursor, <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append(cursor(nil), t.head...), t.news
}
