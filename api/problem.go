package api

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"strconv"
	"time"

	"github.com/trackmesh/trackmesh/broker"
	"github.com/trackmesh/trackmesh/fence"
	"github.com/trackmesh/trackmesh/history"
	"github.com/trackmesh/trackmesh/live"
)

// problem is an error as its client sees it: a problem document of RFC 9457.
type problem struct {
	status     int
	name       string // the last part of the type; "": about:blank, the status says it all
	detail     string
	errors     []fieldError
	retryAfter time.Duration
	extra      map[string]any // members beside the standard ones
}

// fieldError says which part of a request is at fault.
type fieldError struct {
	Pointer   string `json:"pointer,omitempty"`   // JSON pointer into the body
	Parameter string `json:"parameter,omitempty"` // name of a query parameter or header
	Detail    string `json:"detail"`
}

// typePrefix makes the names of our problems absolute, as RFC 9457 wants them.
const typePrefix = "urn:trackmesh:problem:"

func (p *problem) Error() string { return p.detail }

func newProblem(status int, detail string) *problem { return &problem{status: status, detail: detail} }

func named(status int, name, detail string) *problem {
	return &problem{status: status, name: name, detail: detail}
}

// badParameter refuses a query parameter or header.
func badParameter(name, detail string) *problem {
	return &problem{
		status: http.StatusBadRequest, name: "parameter", detail: name + ": " + detail,
		errors: []fieldError{{Parameter: name, Detail: detail}},
	}
}

// badBody refuses a part of the body.
func badBody(pointer, detail string) *problem {
	return &problem{
		status: http.StatusBadRequest, name: "body", detail: detail,
		errors: []fieldError{{Pointer: pointer, Detail: detail}},
	}
}

// busy says that a limit of things under way is reached.
func busy(detail string) *problem {
	return &problem{status: http.StatusServiceUnavailable, name: "busy", detail: detail, retryAfter: time.Second}
}

// missingPartitions says that an answer would not be certain.
func missingPartitions(c live.Coverage, detail string) *problem {
	return &problem{
		status: http.StatusServiceUnavailable, name: "partitions-missing", detail: detail, retryAfter: time.Second,
		extra: map[string]any{"partitions": c},
	}
}

// asProblem turns an error of the parts behind into what the client is told. Unknown ones are internal: told without detail.
func asProblem(err error) (p *problem, internal bool) {
	var invalid *InvalidError
	var notAFence *fence.ParseError
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &p):
		return p, false
	case errors.As(err, &invalid):
		return badBody(invalid.Pointer, invalid.Reason), false
	case errors.As(err, &notAFence):
		return badBody(notAFence.Pointer, notAFence.Reason), false
	case errors.As(err, &tooLarge):
		return named(http.StatusRequestEntityTooLarge, "too-large", "the body is over the limit of "+strconv.FormatInt(tooLarge.Limit, 10)+" bytes"), false
	case errors.Is(err, ErrNotFound), errors.Is(err, history.ErrNotFound):
		return newProblem(http.StatusNotFound, "there is nothing of that name; /docs shows what can be asked for"), false
	case errors.Is(err, history.ErrQuery):
		return named(http.StatusBadRequest, "parameter", err.Error()), false
	case errors.Is(err, ErrVersion):
		return named(http.StatusPreconditionFailed, "version", "it has another version by now: read it again and repeat the change"), false
	case errors.Is(err, broker.ErrFull):
		return named(http.StatusInsufficientStorage, "log-full",
			"the disk under the log is full: make room under --data-dir or lower --retention-bytes; nothing that was not acknowledged is stored"), false
	case errors.Is(err, broker.ErrTooLarge):
		return named(http.StatusRequestEntityTooLarge, "too-large", "a record is over the log's limit"), false
	case errors.Is(err, ErrUnavailable), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), errors.Is(err, broker.ErrClosed):
		return &problem{
			status: http.StatusServiceUnavailable, name: "unavailable", retryAfter: time.Second,
			detail: "no answer in time: the part of the cluster that knows is moving or unreachable; try again",
		}, false
	}
	return newProblem(http.StatusInternalServerError, "an internal error; the node's log has it"), true
}

// write sends the problem. It must be the first thing that is written.
func (p *problem) write(w http.ResponseWriter) {
	doc := map[string]any{"type": "about:blank", "title": http.StatusText(p.status), "status": p.status}
	maps.Copy(doc, p.extra)
	if p.name != "" {
		doc["type"] = typePrefix + p.name
	}
	if p.detail != "" {
		doc["detail"] = p.detail
	}
	if len(p.errors) > 0 {
		doc["errors"] = p.errors
	}
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	h.Del("ETag")
	if p.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(max(1, int(p.retryAfter.Seconds()))))
	}
	w.WriteHeader(p.status)
	_ = json.NewEncoder(w).Encode(doc) // a client that left cannot be told
}
