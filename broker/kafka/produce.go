package kafka

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/trackmesh/trackmesh/broker"
)

// Produce appends records outside of any claim. It copies what it is given, because franz-go may still be sending when
// ctx has ended.
func (l *Log) Produce(ctx context.Context, records []broker.Record) ([]int64, error) {
	if l.isClosed() {
		return nil, broker.ErrClosed
	}
	for i := range records {
		if err := l.writable(&records[i]); err != nil {
			return nil, err
		}
	}
	sent := l.kafkaRecords(records, true)
	r := &results{left: len(sent), done: make(chan struct{})}
	if len(sent) == 0 {
		return nil, nil
	}
	for i := range sent {
		l.client.Produce(ctx, &sent[i], r.promise)
	}
	select {
	case <-r.done:
	case <-ctx.Done():
		return nil, fmt.Errorf("producing %d records: %w", len(sent), ctx.Err())
	}
	if r.err != nil {
		return nil, fmt.Errorf("producing %d records: %w", len(sent), owned(r.err))
	}
	offsets := make([]int64, len(sent))
	for i := range sent {
		offsets[i] = sent[i].Offset
	}
	return offsets, nil
}

// results collects the promises of records: franz-go says of each whether the log has it.
type results struct {
	mu   sync.Mutex // guards left and err; err may be read after done
	left int
	err  error
	done chan struct{}
}

func (r *results) promise(_ *kgo.Record, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil && r.err == nil {
		r.err = err
	}
	if r.left--; r.left == 0 {
		close(r.done)
	}
}

// writable finds before anything is sent what the broker would refuse.
func (l *Log) writable(r *broker.Record) error {
	if err := l.partition(r.Stream, r.Partition); err != nil {
		return err
	}
	headers := 0
	for i := range r.Headers {
		headers += len(r.Headers[i].Key) + len(r.Headers[i].Value) + 10
	}
	size := len(r.Key) + len(r.Value)
	if size > l.layout.MaxRecordBytes || size+headers+128 > int(l.maxBatchBytes) {
		return fmt.Errorf("record of %d bytes for %s[%d]: %w", size+headers, l.topicOf(r.Stream), r.Partition, broker.ErrTooLarge)
	}
	return nil
}

// kafkaRecords are the records as franz-go takes them, in one allocation each for records, headers and, when copied, bytes.
func (l *Log) kafkaRecords(records []broker.Record, copied bool) []kgo.Record {
	size, headers := 0, 0
	for i := range records {
		r := &records[i]
		size += len(r.Key) + len(r.Value)
		headers += len(r.Headers)
		for j := range r.Headers {
			size += len(r.Headers[j].Value)
		}
	}
	keep := func(b []byte) []byte { return b }
	if copied {
		buf := make([]byte, 0, size)
		keep = func(b []byte) []byte {
			if b == nil {
				return nil
			}
			n := len(buf)
			buf = append(buf, b...)
			return buf[n:len(buf):len(buf)]
		}
	}
	out, hs := make([]kgo.Record, len(records)), make([]kgo.RecordHeader, 0, headers)
	for i := range records {
		r, k := &records[i], &out[i]
		k.Topic, k.Partition = l.topicOf(r.Stream), r.Partition
		k.Key, k.Value = keep(r.Key), keep(r.Value)
		if r.Timestamp != 0 {
			k.Timestamp = time.UnixMilli(r.Timestamp)
		}
		n := len(hs)
		for j := range r.Headers {
			hs = append(hs, kgo.RecordHeader{Key: r.Headers[j].Key, Value: keep(r.Headers[j].Value)})
		}
		k.Headers = hs[n:len(hs):len(hs)]
	}
	return out
}
