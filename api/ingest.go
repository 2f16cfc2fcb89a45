package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/trackmesh/trackmesh/broker"
)

// Headers of a record that came in over HTTP.
const (
	headerContentType = "content-type"
	headerProducer    = "producer"
	headerSequence    = "sequence"
)

// Bounds of what is given to the log at once. A bigger piece costs the embedded log fewer syncs.
const (
	ingestBatch      = 5000
	ingestBatchBytes = 2 << 20
)

// ingestAnswer reports on an ingest request.
type ingestAnswer struct {
	Stored        int           `json:"stored"`
	Errors        []ingestError `json:"errors"`
	ErrorsOmitted int           `json:"errors_omitted,omitempty"`
}

// ingestError says why a line was not stored.
type ingestError struct {
	Line   int    `json:"line"`
	Reason string `json:"reason"`
}

// postPositions stores each line of the body as it came. It answers when the log has acknowledged all of them.
func (s *Server) postPositions(w http.ResponseWriter, r *http.Request) error {
	if p := readParams(r); p.problem() != nil {
		return p.problem()
	}
	producer, sequence, err := producerOf(r)
	if err != nil {
		return err
	}
	if !s.ingests.take() {
		s.metrics.ingestLines.WithLabelValues("busy").Inc()
		return busy("too many ingest requests are under way")
	}
	defer s.ingests.free()
	body, err := s.unpack(w, r, s.opts.MaxIngestBytes)
	if err != nil {
		return err
	}
	contentType := r.Header.Get("Content-Type")
	if contentType == "" {
		contentType = s.opts.IngestFormat
	}
	in := &ingest{s: s, ctx: r.Context(), producer: producer, sequence: sequence, answer: ingestAnswer{Errors: []ingestError{}}}
	err = s.opts.Split(contentType, body, in.take)
	if flushed := in.flush(); err == nil || flushed != nil { //nolint:contextcheck // it has the request's
		err = flushed
	}
	s.metrics.ingestLines.WithLabelValues("stored").Add(float64(in.answer.Stored))
	s.metrics.ingestLines.WithLabelValues("refused").Add(float64(len(in.answer.Errors) + in.answer.ErrorsOmitted))
	if err != nil {
		return in.failed(err)
	}
	return writeJSON(w, http.StatusOK, in.answer)
}

// producerOf reads what makes a repeat of a request harmless.
func producerOf(r *http.Request) (producer string, sequence uint64, err error) {
	producer = r.Header.Get("Trackmesh-Producer")
	text := r.Header.Get("Trackmesh-Sequence")
	switch {
	case producer == "" && text == "":
		return "", 0, nil
	case producer == "" || text == "":
		return "", 0, badParameter("Trackmesh-Producer", "goes with Trackmesh-Sequence")
	case len(producer) > 128:
		return "", 0, badParameter("Trackmesh-Producer", "has at most 128 bytes")
	}
	if sequence, err = strconv.ParseUint(text, 10, 63); err != nil {
		return "", 0, badParameter("Trackmesh-Sequence", "must be the whole number of the first line")
	}
	return producer, sequence, nil
}

// ingest is one request on its way into the log.
type ingest struct {
	s        *Server
	ctx      context.Context // the request's: take is called back
	producer string
	sequence uint64 // of line 1
	answer   ingestAnswer
	batch    []broker.Record
	bytes    int
	full     error // why the log took no more
}

// take is called with each line.
func (in *ingest) take(line int, value []byte, stored, vehicle string, err error) error {
	if err != nil {
		in.report(line, err.Error())
		return nil
	}
	layout := in.s.opts.Log.Layout()
	rec := broker.Record{
		Stream: broker.Input, Partition: in.s.opts.Partitioner([]byte(vehicle), layout.Partitions), Key: []byte(vehicle), Value: value,
		Headers: []broker.Header{{Key: headerContentType, Value: []byte(stored)}},
	}
	if in.producer != "" {
		number := in.sequence + uint64(line) - 1 //nolint:gosec // lines count from 1
		rec.Headers = append(rec.Headers,
			broker.Header{Key: headerProducer, Value: []byte(in.producer)},
			broker.Header{Key: headerSequence, Value: strconv.AppendUint(nil, number, 10)})
	}
	size := len(rec.Key) + len(rec.Value)
	if size > layout.MaxRecordBytes {
		in.report(line, "too_large")
		return nil
	}
	in.batch = append(in.batch, rec)
	in.bytes += size
	if len(in.batch) >= ingestBatch || in.bytes >= ingestBatchBytes {
		return in.flush()
	}
	return nil
}

func (in *ingest) report(line int, reason string) {
	if len(in.answer.Errors) == maxReported {
		in.answer.ErrorsOmitted++
		return
	}
	in.answer.Errors = append(in.answer.Errors, ingestError{line, reason})
}

func (in *ingest) flush() error {
	if in.full != nil || len(in.batch) == 0 {
		return in.full
	}
	ctx, cancel := context.WithTimeout(in.ctx, in.s.opts.StoreTimeout)
	defer cancel()
	if _, err := in.s.opts.Log.Produce(ctx, in.batch); err != nil {
		in.full = err
		return err
	}
	in.answer.Stored += len(in.batch)
	in.s.metrics.ingestBytes.Add(float64(in.bytes))
	clear(in.batch) // the log may still hold the slices; the array is ours
	in.batch, in.bytes = in.batch[:0], 0
	return nil
}

// failed says how far the request came before it broke off: a client with a producer's name may simply repeat it.
func (in *ingest) failed(err error) error {
	var p *problem
	switch {
	case errors.Is(err, ErrMediaType):
		p = unsupported("this Content-Type is none that positions come in; there are application/json, application/x-ndjson, application/geo+json, " +
			"text/csv and text/csv; layout=taxi")
	case in.full == nil && !isOurs(err):
		p = newProblem(http.StatusBadRequest, "the body cannot be read: "+err.Error())
	default:
		internal := false
		if p, internal = asProblem(err); internal {
			in.s.opts.Logger.Error("storing positions failed", "stored", in.answer.Stored, "err", err)
			p = &problem{
				status: http.StatusServiceUnavailable, name: "log", detail: "the log took no more; the node's log says why", retryAfter: time.Second,
			}
		}
	}
	told := *p
	told.extra = map[string]any{"stored": in.answer.Stored, "lines": in.answer.Errors}
	return &told
}

// isOurs reports whether an error has its own problem document.
func isOurs(err error) bool {
	p, internal := asProblem(err)
	return !internal && p != nil
}

// unpack gives a request's body, unpacked when it is gzip, bounded to maxBytes (0: not), with patience for each read.
func (s *Server) unpack(w http.ResponseWriter, r *http.Request, maxBytes int64) (io.Reader, error) {
	if maxBytes > 0 && r.ContentLength > maxBytes {
		return nil, &http.MaxBytesError{Limit: maxBytes}
	}
	body := s.patiently(w, r)
	switch strings.ToLower(r.Header.Get("Content-Encoding")) {
	case "", "identity":
	case "gzip", "x-gzip":
		unpacked, err := gzip.NewReader(body)
		if err != nil {
			return nil, newProblem(http.StatusBadRequest, "the body is not gzip: "+err.Error())
		}
		body = unpacked
	default:
		return nil, unsupported("Content-Encoding must be gzip, or none")
	}
	if maxBytes > 0 {
		body = &bounded{in: body, left: maxBytes, limit: maxBytes}
	}
	return body, nil
}

// patiently is a request's body, with patience for each read.
func (s *Server) patiently(w http.ResponseWriter, r *http.Request) io.Reader {
	return &patient{in: r.Body, conn: http.NewResponseController(w), patience: s.opts.ClientPatience}
}

// patient gives a slow client so long for each read.
type patient struct {
	in       io.Reader
	conn     *http.ResponseController
	patience time.Duration
}

func (p *patient) Read(b []byte) (int, error) {
	_ = p.conn.SetReadDeadline(time.Now().Add(p.patience)) // not every test's connection has one
	n, err := p.in.Read(b)
	if err != nil {
		_ = p.conn.SetReadDeadline(time.Time{}) // else it would end the request while it waits for its effect
	}
	return n, err
}

// bounded ends a body that is too long with an error, not as if it were whole.
type bounded struct {
	in          io.Reader
	left, limit int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, &http.MaxBytesError{Limit: b.limit}
	}
	n, err := b.in.Read(p[:min(int64(len(p)), b.left+1)])
	if b.left -= int64(n); b.left < 0 {
		return max(0, n-1), &http.MaxBytesError{Limit: b.limit}
	}
	return n, err
}
