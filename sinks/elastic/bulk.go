package elastic

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/elastic/go-elasticsearch/v8/esapi"
	"github.com/go-faster/jx"
	"github.com/klauspost/compress/gzip"

	"github.com/trackmesh/trackmesh/sinks"
)

// item is a document on its way.
type item struct {
	document *sinks.Document
	index    string
}

// Items that failed for now are sent again by themselves before the whole batch is: Elasticsearch refuses single items
// when a queue is full, and the other ones would cost it as much again.
const (
	partialRounds = 3
	partialWait   = 100 * time.Millisecond
)

// writeAll sends items in requests of bounded size.
func (s *Sink) writeAll(ctx context.Context, items []item) (rejections []sinks.Rejection, err error) {
	for len(items) > 0 {
		n, bytes := 0, 0
		for n < len(items) && (n == 0 || bytes+len(items[n].document.Body) <= s.opts.MaxRequestBytes) {
			bytes += len(items[n].document.Body)
			n++
		}
		refused, err := s.writeSome(ctx, items[:n])
		if err != nil {
			return nil, err
		}
		rejections, items = append(rejections, refused...), items[n:]
	}
	return rejections, nil
}

// writeSome sends one request, then what failed in it for now, a few times.
func (s *Sink) writeSome(ctx context.Context, items []item) (rejections []sinks.Rejection, err error) {
	for round := 1; ; round++ {
		result, err := s.send(ctx, items)
		switch {
		case errors.Is(err, errTooLarge):
			refused, err := s.split(ctx, items)
			return append(rejections, refused...), err
		case err != nil:
			return nil, err
		}
		rejections = append(rejections, result.rejections...)
		if len(result.again) == 0 {
			return rejections, nil
		}
		if round == partialRounds {
			return nil, result.why
		}
		items = result.again
		if err := wait(ctx, time.Duration(round)*partialWait); err != nil {
			return nil, result.why
		}
	}
}

// split halves a request that was too large until it is not; a single document that is will never be taken.
func (s *Sink) split(ctx context.Context, items []item) ([]sinks.Rejection, error) {
	if len(items) == 1 {
		d := items[0].document
		return []sinks.Rejection{{
			Document: *d,
			Detail:   fmt.Sprintf("413: the document's %d bytes are more than Elasticsearch takes in one request", len(d.Body)),
		}}, nil
	}
	half := len(items) / 2
	first, err := s.writeSome(ctx, items[:half])
	if err != nil {
		return nil, err
	}
	second, err := s.writeSome(ctx, items[half:])
	if err != nil {
		return nil, err
	}
	return append(first, second...), nil
}

// send makes one bulk request and judges its reply.
func (s *Sink) send(ctx context.Context, items []item) (judgement, error) {
	body, header, err := s.encode(items)
	if err != nil {
		return judgement{}, err
	}
	// The reply is cut down to what is judged: by default it repeats every index and id.
	req := esapi.BulkRequest{Body: bytes.NewReader(body), Header: header, FilterPath: []string{"errors", "items.*.status", "items.*.error"}}
	res, err := req.Do(ctx, s.es)
	if err != nil {
		return judgement{}, unreachable(err)
	}
	defer discard(res.Body)
	if res.StatusCode == http.StatusRequestEntityTooLarge {
		return judgement{}, errTooLarge
	}
	if res.IsError() {
		return judgement{}, refusal(res)
	}
	j, err := judge(res.Body, items)
	if err != nil {
		return judgement{}, err
	}
	s.remember(&j)
	s.metrics.count(&j)
	return j, nil
}

// discard lets the connection be used again.
func discard(body io.ReadCloser) {
	_, _ = io.CopyN(io.Discard, body, 1<<20)
	_ = body.Close()
}

// encode makes the request's body. It is not pooled: after a time-out the transport may still be reading it.
func (s *Sink) encode(items []item) ([]byte, http.Header, error) {
	size := 0
	for i := range items {
		size += len(items[i].document.Body) + len(items[i].index) + len(items[i].document.ID) + 48
	}
	w := jx.Writer{Buf: make([]byte, 0, size)}
	for i := range items {
		d := items[i].document
		w.RawStr(`{"create":{"_index":`)
		w.Str(items[i].index)
		w.RawStr(`,"_id":`)
		w.Str(d.ID)
		w.RawStr("}}\n")
		w.Buf = appendLine(w.Buf, d.Body)
	}
	header := http.Header{"Content-Type": {"application/x-ndjson"}}
	if !s.compress {
		return w.Buf, header, nil
	}
	var out bytes.Buffer
	out.Grow(len(w.Buf) / 4)
	z, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	if err != nil {
		return nil, nil, err
	}
	if _, err := z.Write(w.Buf); err != nil {
		return nil, nil, err
	}
	if err := z.Close(); err != nil {
		return nil, nil, err
	}
	header.Set("Content-Encoding", "gzip")
	return out.Bytes(), header, nil
}

// appendLine appends JSON as one line: attributes come as they came in, and may hold line breaks between their members
// (inside a string JSON has none).
func appendLine(dst, body []byte) []byte {
	start := len(dst)
	dst = append(dst, body...)
	if bytes.IndexByte(body, '\n') >= 0 || bytes.IndexByte(body, '\r') >= 0 {
		for i := start; i < len(dst); i++ {
			if dst[i] == '\n' || dst[i] == '\r' {
				dst[i] = ' '
			}
		}
	}
	return append(dst, '\n')
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
