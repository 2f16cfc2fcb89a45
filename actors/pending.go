package actors

import (
	"strconv"
	"strings"
	"time"

	"github.com/trackmesh/trackmesh/broker"
	"github.com/trackmesh/trackmesh/track"
)

// Headers of records that leave.
const (
	headerID              = "id"
	headerReason          = "reason"
	headerDetail          = "detail"
	headerSourceTopic     = "source_topic"
	headerSourcePartition = "source_partition"
	headerSourceOffset    = "source_offset"
	headerFullBytes       = "full_bytes"
	headerContentType     = "content-type"
)

// pending is what the next commit will write: records whose values lie in one growing buffer. Nothing is added while a commit is
// under way, and the memory is used again after it.
type pending struct {
	records  []broker.Record
	headers  []broker.Header
	buf      []byte
	since    time.Time // when the first thing came; zero: nothing is there
	progress bool      // offsets moved, though maybe nothing was made
}

func (p *pending) reset() {
	clear(p.records)
	clear(p.headers)
	p.records, p.headers, p.buf = p.records[:0], p.headers[:0], p.buf[:0]
	p.since, p.progress = time.Time{}, false
}

// pendingMark is a place in what is pending to go back to.
type pendingMark struct{ records, headers, buf int }

func (p *pending) mark() pendingMark { return pendingMark{len(p.records), len(p.headers), len(p.buf)} }

// rewind drops what came after the mark.
func (p *pending) rewind(m pendingMark) {
	p.records, p.headers, p.buf = p.records[:m.records], p.headers[:m.headers], p.buf[:m.buf]
}

// bytes is about how large the commit has grown.
func (p *pending) bytes() int { return len(p.buf) + 64*len(p.records) }

// take cuts what was appended to buf since start, so that later appends cannot touch it.
func (p *pending) take(start int) []byte { return p.buf[start:len(p.buf):len(p.buf)] }

// text copies a string into the buffer.
func (p *pending) text(s string) []byte {
	start := len(p.buf)
	p.buf = append(p.buf, s...)
	return p.take(start)
}

func (p *pending) add(s broker.Stream, partition int32, key, value []byte, headers int) {
	p.records = append(p.records, broker.Record{
		Stream: s, Partition: partition, Key: key, Value: value,
		Headers: p.headers[len(p.headers)-headers : len(p.headers) : len(p.headers)],
	})
}

func (p *pending) header(key string, value []byte) {
	p.headers = append(p.headers, broker.Header{Key: key, Value: value})
}

// headerInt appends a header with a number and returns nothing: numbers are short and live in buf.
func (p *pending) headerInt(key string, n int64) {
	start := len(p.buf)
	p.buf = strconv.AppendInt(p.buf, n, 10)
	p.header(key, p.take(start))
}

// id appends "<first 8 of topic id>-<partition>-<n>", the id of a document or event.
func (p *pending) id(topicID string, partition int32, n uint64) []byte {
	start := len(p.buf)
	p.buf = append(p.buf, topicID[:8]...)
	p.buf = append(p.buf, '-')
	p.buf = strconv.AppendInt(p.buf, int64(partition), 10)
	p.buf = append(p.buf, '-')
	p.buf = strconv.AppendUint(p.buf, n, 10)
	return p.take(start)
}

func (p *pending) event(e *track.Event, l broker.Layout, partition int32, n uint64) {
	id := p.id(l.StateID, partition, n)
	start := len(p.buf)
	p.buf = track.AppendEvent(p.buf, e, id, l.Input, partition)
	value := p.take(start)
	p.header(headerID, id)
	p.add(broker.Events, partition, p.text(e.Vehicle), value, 1)
}

func (p *pending) document(d *track.Document, l broker.Layout, partition int32) {
	start := len(p.buf)
	p.buf = track.AppendDocument(p.buf, d, l.Input, partition)
	value := p.take(start)
	if len(value)+len(d.Fix.Vehicle)+recordOverhead > l.MaxRecordBytes {
		p.tooLarge(d, l, partition, value)
		return
	}
	p.header(headerID, p.id(l.InputID, partition, uint64(d.Fix.Offset)))
	p.add(broker.Enriched, partition, p.text(d.Fix.Vehicle), value, 1)
}

// recordOverhead bounds what a record has beside its key and value: headers, lengths, the batch around it.
const recordOverhead = 1024

// tooLarge makes a dead letter of a document that the log would refuse: its first bytes and its full length.
func (p *pending) tooLarge(d *track.Document, l broker.Layout, partition int32, value []byte) {
	p.deadHeaders(l.Input, "too_large", "its enriched document would pass the log's limit", partition, d.Fix.Offset)
	p.headerInt(headerFullBytes, int64(len(value)))
	p.add(broker.Dead, partition, p.text(d.Fix.Vehicle), value[:min(len(value), keptOfTooLarge)], deadHeaderCount+1)
}

// keptOfTooLarge is how much of a too large record its dead letter keeps.
const keptOfTooLarge = 16 << 10

// deadHeaderCount is how many headers deadHeaders appends.
const deadHeaderCount = 5

// maxDeadHeader bounds the headers of a dead letter that come from outside, in bytes: recordOverhead has to cover them.
const maxDeadHeader = 256

func (p *pending) deadHeaders(topic, reason, detail string, partition int32, offset int64) {
	p.header(headerReason, []byte(reason))
	p.header(headerDetail, []byte(strings.ToValidUTF8(detail[:min(len(detail), maxDeadHeader)], "")))
	p.header(headerSourceTopic, []byte(topic))
	p.headerInt(headerSourcePartition, int64(partition))
	p.headerInt(headerSourceOffset, offset)
}

// dead makes a dead letter of a record of the input or the commands.
func (p *pending) dead(rec *broker.Record, l broker.Layout, reason, detail string) {
	p.deadHeaders(l.Topic(rec.Stream), reason, detail, rec.Partition, rec.Offset)
	headers := deadHeaderCount
	if contentType, ok := rec.Header(headerContentType); ok && len(contentType) <= maxDeadHeader { // what it needs to be read again
		p.header(headerContentType, contentType)
		headers++
	}
	value := rec.Value
	if len(value)+len(rec.Key)+recordOverhead > l.MaxRecordBytes {
		p.headerInt(headerFullBytes, int64(len(value)))
		headers++
		value = value[:min(len(value), keptOfTooLarge)]
	}
	key := rec.Key
	if len(key) > keptOfTooLarge {
		key = key[:keptOfTooLarge]
	}
	p.add(broker.Dead, rec.Partition, key, value, headers)
}
