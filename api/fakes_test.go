package api

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/trackmesh/trackmesh/broker"
	"github.com/trackmesh/trackmesh/fence"
	"github.com/trackmesh/trackmesh/geo"
	"github.com/trackmesh/trackmesh/history"
	trackmeshv1 "github.com/trackmesh/trackmesh/messages/trackmesh/v1"
	"github.com/trackmesh/trackmesh/track"
)

// memoryLog is a log in memory, with readers that follow it.
type memoryLog struct {
	mu       sync.Mutex
	layout   broker.Layout
	records  map[broker.Stream][][]broker.Record
	earliest map[broker.Stream][]int64
	news     chan struct{}
	fail     error // of Produce
	sick     error
	block    chan struct{} // Produce waits for it when not nil
	readers  int           // opened ever
}

func newMemoryLog(partitions int32) *memoryLog {
	l := &memoryLog{
		layout:  broker.Layout{Input: "positions", Partitions: partitions, InputID: "aabbccdd00", StateID: "11223344ff", MaxRecordBytes: 1000},
		records: map[broker.Stream][][]broker.Record{}, earliest: map[broker.Stream][]int64{}, news: make(chan struct{}),
	}
	for s := range broker.NumStreams {
		l.records[s] = make([][]broker.Record, l.layout.StreamPartitions(s))
		l.earliest[s] = make([]int64, l.layout.StreamPartitions(s))
	}
	return l
}

func (l *memoryLog) Layout() broker.Layout { return l.layout }
func (l *memoryLog) Health() error         { return l.sick }

func (l *memoryLog) Produce(ctx context.Context, records []broker.Record) ([]int64, error) {
	if l.block != nil {
		select {
		case <-l.block:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail != nil {
		return nil, l.fail
	}
	var offsets []int64
	for _, r := range records {
		part := &l.records[r.Stream][r.Partition]
		r.Offset = int64(len(*part))
		if r.Timestamp == 0 {
			r.Timestamp = 1_700_000_000_000
		}
		*part = append(*part, r)
		offsets = append(offsets, r.Offset)
	}
	close(l.news)
	l.news = make(chan struct{})
	return offsets, nil
}

func (l *memoryLog) Bounds(_ context.Context, s broker.Stream, p int32) (earliest, end int64, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.earliest[s][p], int64(len(l.records[s][p])), nil
}

func (l *memoryLog) NewReader(broker.ReaderOptions) (broker.Reader, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.readers++
	return &memoryReader{log: l, at: map[streamPart]int64{}, closed: make(chan struct{})}, nil
}

// opened is how many readers there ever were.
func (l *memoryLog) opened() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.readers
}

type streamPart struct {
	s broker.Stream
	p int32
}

type memoryReader struct {
	log    *memoryLog
	at     map[streamPart]int64
	closed chan struct{}
}

func (r *memoryReader) Add(s broker.Stream, p int32, offset int64) { r.at[streamPart{s, p}] = offset }

func (r *memoryReader) Remove(s broker.Stream, p int32) { delete(r.at, streamPart{s, p}) }
func (r *memoryReader) Pause(broker.Stream, int32)      {}
func (r *memoryReader) Resume(broker.Stream, int32)     {}
func (r *memoryReader) Close()                          { close(r.closed) }

// Poll returns a few records at a time, so that clients meet every boundary.
func (r *memoryReader) Poll(ctx context.Context) ([]broker.Fetch, error) {
	for {
		r.log.mu.Lock()
		var fetches []broker.Fetch
		for k, offset := range r.at {
			all := r.log.records[k.s][k.p]
			if earliest := r.log.earliest[k.s][k.p]; offset < earliest {
				delete(r.at, k)
				fetches = append(fetches, broker.Fetch{Stream: k.s, Partition: k.p, Err: &broker.OffsetError{Stream: k.s, Partition: k.p, Asked: offset, Earliest: earliest}})
				continue
			}
			if offset < int64(len(all)) {
				next := min(offset+7, int64(len(all)))
				fetches = append(fetches, broker.Fetch{Stream: k.s, Partition: k.p, Records: slices.Clone(all[offset:next]), Next: next, End: int64(len(all))})
				r.at[k] = next
			}
		}
		news := r.log.news
		r.log.mu.Unlock()
		if len(fetches) > 0 {
			return fetches, nil
		}
		select {
		case <-news:
		case <-r.closed:
			return nil, broker.ErrClosed
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// fakePaths has one track in memory.
type fakePaths struct {
	vehicle string
	points  []track.PathPoint
	since   int64
}

func (f *fakePaths) Path(_ context.Context, vehicle string, from, to int64, limit int) ([]track.PathPoint, int64, error) {
	if vehicle != f.vehicle {
		return nil, 0, ErrNotFound
	}
	var in []track.PathPoint
	for _, p := range f.points {
		if p.Time >= from && (to == 0 || p.Time < to) {
			in = append(in, p)
		}
	}
	return in[max(0, len(in)-limit):], f.since, nil
}

type fakeMessages struct {
	sent    []*trackmeshv1.Command
	applied bool
}

func (f *fakeMessages) Send(_ context.Context, cmd *trackmeshv1.Command, wait time.Duration) (Sent, error) {
	f.sent = append(f.sent, cmd)
	return Sent{Partition: 1, Offset: int64(len(f.sent) - 1), Applied: f.applied && wait > 0}, nil
}

// fakeFences keeps fences in a map.
type fakeFences struct {
	mu      sync.Mutex
	all     map[string]Fence
	version int64
	liveAt  int64
}

func newFakeFences() *fakeFences {
	return &fakeFences{all: map[string]Fence{}, version: -1, liveAt: 1 << 40}
}

func (f *fakeFences) Get(_ context.Context, id string) (Fence, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fc, ok := f.all[id]
	if !ok {
		return Fence{}, ErrNotFound
	}
	return fc, nil
}

func (f *fakeFences) List(_ context.Context, box *geo.Box, after string, limit int) ([]Fence, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var found []Fence
	for _, fc := range f.all {
		parsed, err := fence.Parse(fc.ID, fc.Feature, fc.Version)
		if err != nil {
			return nil, err
		}
		if fc.ID > after && (box == nil || box.Intersects(parsed.Box())) {
			found = append(found, fc)
		}
	}
	slices.SortFunc(found, func(a, b Fence) int { return cmp.Compare(a.ID, b.ID) })
	return found[:min(limit, len(found))], nil
}

func (f *fakeFences) Put(_ context.Context, id string, feature []byte, ifMatch *int64) (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, err := fence.Parse(id, feature, 0); err != nil {
		return 0, err
	}
	if err := f.check(id, ifMatch); err != nil {
		return 0, err
	}
	f.version++
	f.all[id] = Fence{id, f.version, feature}
	return f.version, nil
}

func (f *fakeFences) check(id string, ifMatch *int64) error {
	current := int64(-1)
	if fc, ok := f.all[id]; ok {
		current = fc.Version
	}
	if ifMatch != nil && *ifMatch != current {
		return ErrVersion
	}
	return nil
}

func (f *fakeFences) Delete(_ context.Context, id string, ifMatch *int64) (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.all[id]; !ok {
		return 0, ErrNotFound
	}
	if err := f.check(id, ifMatch); err != nil {
		return 0, err
	}
	delete(f.all, id)
	f.version++
	return f.version, nil
}

func (f *fakeFences) PutAll(ctx context.Context, batch []Fence) (int64, []error, error) {
	version, refused := int64(-1), make([]error, len(batch))
	for i, fc := range batch {
		v, err := f.Put(ctx, fc.ID, fc.Feature, nil)
		if err != nil {
			refused[i] = err
			continue
		}
		version = v
	}
	return version, refused, nil
}

func (f *fakeFences) WaitLive(ctx context.Context, version int64) error {
	if version <= f.liveAt {
		return nil
	}
	<-ctx.Done()
	return ctx.Err()
}

// fakeHistory answers from lists.
type fakeHistory struct {
	positions []history.Position
	events    []json.RawMessage // newest first
	failing   error
}

func (f *fakeHistory) Path(_ context.Context, q history.PathQuery) ([]history.Position, error) {
	var in []history.Position
	for _, p := range f.positions {
		if p.Vehicle == q.Vehicle && within(p.Time, q.From, q.To) {
			in = append(in, p)
		}
	}
	if q.Limit > 0 {
		in = in[max(0, len(in)-q.Limit):]
	}
	return in, f.failing
}

func within(ms int64, from, to time.Time) bool {
	return (from.IsZero() || ms >= from.UnixMilli()) && (to.IsZero() || ms < to.UnixMilli())
}

func (f *fakeHistory) Events(_ context.Context, q history.EventQuery) ([]json.RawMessage, string, error) {
	var in []json.RawMessage
	for _, raw := range f.events {
		var e payloads
		if err := json.Unmarshal(raw, &e); err != nil {
			return nil, "", err
		}
		if (q.Vehicle == "" || e.Vehicle == q.Vehicle) && (len(q.Types) == 0 || slices.Contains(q.Types, e.Type)) {
			in = append(in, raw)
		}
	}
	if len(in) > q.Limit {
		return in[:q.Limit], "more", f.failing
	}
	return in, "", f.failing
}

func (f *fakeHistory) Event(_ context.Context, id string) (json.RawMessage, error) {
	for _, raw := range f.events {
		if bytes.Contains(raw, []byte(`"id":"`+id+`"`)) {
			return raw, nil
		}
	}
	return nil, history.ErrNotFound
}

func (f *fakeHistory) Cells(context.Context, history.CellQuery) ([]history.Cell, error) {
	return []history.Cell{{Geohash: "dr5r", Count: 7}, {Geohash: "dr5q", Count: 9}, {Geohash: "dr5x", Count: 1}}, f.failing
}

func (f *fakeHistory) At(_ context.Context, q history.AtQuery) ([]history.Position, error) {
	return f.positions[:min(q.Limit, len(f.positions))], f.failing
}

func (f *fakeHistory) Replay(_ context.Context, q history.ReplayQuery) ([]history.Position, error) {
	var in []history.Position
	last := map[string]int64{}
	for _, p := range f.positions {
		if !within(p.Time, q.From, q.To) {
			continue
		}
		if q.Step > 0 {
			step := history.Floor(p.Time, q.Step.Milliseconds()) + 1
			if last[p.Vehicle] == step {
				continue
			}
			last[p.Vehicle] = step
		}
		in = append(in, p)
	}
	return in[:min(q.Limit, len(in))], f.failing
}

func (f *fakeHistory) Histogram(context.Context, time.Time, time.Time, time.Duration) ([]history.Bucket, error) {
	return []history.Bucket{{Time: 1000, Count: 3}}, f.failing
}

type fakeCluster struct{}

func (fakeCluster) State(context.Context) (ClusterState, error) {
	return ClusterState{Node: "n1", Log: "embedded", Topic: "positions", Partitions: []ClusterPart{{Owner: "n1", State: "running"}}}, nil
}

type fakeReady struct{ state Readiness }

func (f *fakeReady) Ready(context.Context) Readiness { return f.state }

// splitLines is a splitter for lines of JSON, and of text/csv with the vehicle first.
func splitLines(contentType string, body io.Reader, fn func(line int, value []byte, stored, vehicle string, err error) error) error {
	kind, _, _ := strings.Cut(contentType, ";")
	if kind != "application/json" && kind != "application/x-ndjson" && kind != "text/csv" {
		return ErrMediaType
	}
	lines := bufio.NewReader(body)
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			vehicle, bad := vehicleOf(kind, line)
			if err := fn(n, line, contentType, vehicle, bad); err != nil {
				return err
			}
		}
		if err != nil {
			return nil
		}
	}
}

func vehicleOf(kind string, line []byte) (string, error) {
	if kind == "text/csv" {
		v, _, _ := strings.Cut(string(line), ",")
		return v, nil
	}
	var fix struct {
		Vehicle string `json:"vehicle"`
	}
	if json.Unmarshal(line, &fix) != nil || fix.Vehicle == "" {
		return "", errors.New("vehicle")
	}
	return fix.Vehicle, nil
}
