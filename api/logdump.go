package api

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/trackmesh/trackmesh/broker"
)

const (
	defaultLogLimit = 1000
	maxLogLimit     = 100_000
)

// logLine is a record as GET /api/v1/log/{topic} shows it.
type logLine struct {
	Topic       string            `json:"topic"`
	Partition   int32             `json:"partition"`
	Offset      int64             `json:"offset"`
	Key         *string           `json:"key"`
	KeyBase64   string            `json:"key_base64,omitempty"` // when the key is not UTF-8
	Value       json.RawMessage   `json:"value,omitempty"`      // when it is JSON; null: a tombstone
	ValueBase64 string            `json:"value_base64,omitempty"`
	Headers     map[string]string `json:"headers"`
	Timestamp   string            `json:"timestamp"`
}

// logEnd is the last line.
type logEnd struct {
	Next int64 `json:"next"` // "from" of the next request
	End  int64 `json:"end"`  // after the last committed record: next = end means that this was all
}

// getLog dumps committed records of one partition of a topic.
func (s *Server) getLog(w http.ResponseWriter, r *http.Request) error {
	layout := s.opts.Log.Layout()
	stream, ok := streamOf(layout, r.PathValue("topic"))
	if !ok {
		return newProblem(http.StatusNotFound, r.PathValue("topic")+" is none of our topics: there are "+strings.Join(topics(layout), ", "))
	}
	p := readParams(r, "partition", "from", "limit")
	highest := int(layout.StreamPartitions(stream)) - 1
	partition := p.integer("partition", 0, 0, highest)
	if highest > 0 && !p.has("partition") {
		p.fail("partition", fmt.Sprintf("is needed: 0 to %d", highest))
	}
	from, limit := p.offset("from", -1), p.integer("limit", defaultLogLimit, 1, maxLogLimit)
	if err := p.problem(); err != nil {
		return err
	}
	earliest, end, err := s.opts.Log.Bounds(r.Context(), stream, int32(partition)) //nolint:gosec // below the number of partitions
	if err != nil {
		return err
	}
	switch {
	case from < 0:
		from = earliest
	case from < earliest || from > end:
		return &problem{
			status: http.StatusGone, name: "offset", detail: fmt.Sprintf("offset %d is not in the log, which holds %d to %d", from, earliest, end),
			extra: map[string]any{"earliest": earliest, "end": end},
		}
	}
	dump := &dumper{topic: layout.Topic(stream), out: bufio.NewWriterSize(w, 64<<10), left: limit, next: from, end: end}
	w.Header().Set("Content-Type", "application/x-ndjson")
	if err := s.dump(r.Context(), stream, int32(partition), dump); err != nil { //nolint:gosec // below the number of partitions
		if dump.wrote {
			s.opts.Logger.Warn("dumping the log broke off", "topic", dump.topic, "partition", partition, "err", err)
			panic(http.ErrAbortHandler) // the client must see that it is not whole
		}
		return err
	}
	if err := dump.line(logEnd{dump.next, dump.end}); err != nil {
		return err
	}
	_ = dump.out.Flush() // a client that left cannot be told
	return nil
}

func topics(layout broker.Layout) []string {
	var all []string
	for s := range broker.NumStreams {
		all = append(all, layout.Topic(s))
	}
	return all
}

func streamOf(layout broker.Layout, topic string) (broker.Stream, bool) {
	for s := range broker.NumStreams {
		if layout.Topic(s) == topic {
			return s, true
		}
	}
	return 0, false
}

// dumper writes records as lines.
type dumper struct {
	topic     string
	out       *bufio.Writer
	left      int
	next, end int64
	wrote     bool
}

func (s *Server) dump(ctx context.Context, stream broker.Stream, partition int32, d *dumper) error {
	if d.next >= d.end {
		return nil
	}
	reader, err := s.opts.Log.NewReader(broker.ReaderOptions{Name: "dump", MaxBufferedBytes: 2 << 20})
	if err != nil {
		return fmt.Errorf("opening a reader of %s: %w", d.topic, err)
	}
	defer reader.Close()
	reader.Add(stream, partition, d.next)
	for {
		bound, cancel := context.WithTimeout(ctx, s.opts.QueryTimeout)
		fetches, err := reader.Poll(bound)
		cancel()
		if err != nil {
			return fmt.Errorf("reading %s: %w", d.topic, err)
		}
		for i := range fetches {
			done, err := d.take(&fetches[i])
			if done || err != nil {
				return err
			}
		}
	}
}

// take writes a fetch's records up to the end that was there when the dump began.
func (d *dumper) take(f *broker.Fetch) (done bool, err error) {
	if f.Err != nil {
		return false, f.Err
	}
	for i := range f.Records {
		rec := &f.Records[i]
		if rec.Offset >= d.end {
			d.next = d.end
			return true, nil
		}
		if d.left == 0 {
			return true, nil
		}
		if err := d.line(d.shown(rec)); err != nil {
			return false, err
		}
		d.left--
		d.next = rec.Offset + 1
	}
	if d.next = max(d.next, f.Next); d.next >= d.end {
		d.next = d.end
		return true, nil
	}
	return false, nil
}

func (d *dumper) line(v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encoding a record of %s: %w", d.topic, err)
	}
	d.wrote = true
	_, err = d.out.Write(append(raw, '\n'))
	return err
}

func (d *dumper) shown(rec *broker.Record) logLine {
	line := logLine{
		Topic: d.topic, Partition: rec.Partition, Offset: rec.Offset, Headers: map[string]string{}, Timestamp: formatMS(rec.Timestamp),
	}
	if rec.Key != nil {
		key := string(rec.Key)
		line.Key = &key
		if !utf8.Valid(rec.Key) {
			line.Key, line.KeyBase64 = nil, base64.StdEncoding.EncodeToString(rec.Key)
		}
	}
	switch {
	case rec.Value == nil:
		line.Value = json.RawMessage("null")
	case rec.Stream == broker.Webhooks:
		line.Value = withoutSecret(rec.Value)
	case json.Valid(rec.Value) && utf8.Valid(rec.Value):
		line.Value = rec.Value
	default:
		line.ValueBase64 = base64.StdEncoding.EncodeToString(rec.Value)
	}
	for _, h := range rec.Headers {
		if utf8.Valid(h.Value) {
			line.Headers[h.Key] = string(h.Value)
			continue
		}
		line.Headers[h.Key+"_base64"] = base64.StdEncoding.EncodeToString(h.Value)
	}
	return line
}

// withoutSecret is a webhook's definition but for what signs; of what is no definition nothing is shown.
func withoutSecret(value []byte) json.RawMessage {
	members := map[string]json.RawMessage{}
	if err := json.Unmarshal(value, &members); err != nil {
		return json.RawMessage(`"not shown: no definition"`)
	}
	for name := range members {
		if strings.EqualFold(name, "secret") {
			members[name] = json.RawMessage(`"not shown"`)
		}
	}
	shown, err := json.Marshal(members)
	if err != nil {
		return json.RawMessage(`"not shown: no definition"`)
	}
	return shown
}
