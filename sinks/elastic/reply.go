package elastic

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/elastic/go-elasticsearch/v8/esapi"

	"github.com/trackmesh/trackmesh/sinks"
	"github.com/trackmesh/trackmesh/sinks/elastic/wire"
)

// errTooLarge is 413: fewer documents may fit.
var errTooLarge = errors.New("the request is too large")

// judgement is what a reply says of a request's documents.
//
//	200, 201             stored
//	409                  stored before
//	400 + mapping error  never: a rejection
//	all else             again
type judgement struct {
	stored, known int
	rejections    []sinks.Rejection
	again         []item
	absent        []string          // indices of items that failed with 404
	why           *sinks.RetryError // of the first in again
}

// refusedForGood are the errors of a document itself. Other errors with status 400 (a cluster at its shard limit, an
// index being closed) are the cluster's.
var refusedForGood = map[string]bool{
	"document_parsing_exception":       true,
	"mapper_parsing_exception":         true,
	"strict_dynamic_mapping_exception": true,
}

// judge reads the reply of a bulk request as it comes in.
func judge(body io.Reader, items []item) (judgement, error) {
	var j judgement
	n, err := wire.Items(body, func(n int, r wire.Item) {
		if n < len(items) {
			j.add(items[n], r)
		}
	})
	if err == nil && n != len(items) {
		err = fmt.Errorf("it speaks of %d documents, %d were sent", n, len(items))
	}
	if err != nil {
		return judgement{}, &sinks.RetryError{Class: "malformed", Err: fmt.Errorf("reading the reply of a bulk request: %w", err)}
	}
	return j, nil
}

func (j *judgement) add(it item, r wire.Item) {
	switch {
	case r.Status == http.StatusOK || r.Status == http.StatusCreated:
		j.stored++
	case r.Status == http.StatusConflict:
		j.known++
	case r.Status == http.StatusBadRequest && refusedForGood[r.Kind]:
		j.rejections = append(j.rejections, sinks.Rejection{Document: *it.document, Detail: r.Kind + ": " + r.Reason})
	default:
		j.again = append(j.again, it)
		if r.Status == http.StatusNotFound {
			j.absent = append(j.absent, it.index)
		}
		if j.why == nil {
			j.why = &sinks.RetryError{Class: class(r.Status, r.Kind), Err: fmt.Errorf("document %s: %d %s: %s", it.document.ID, r.Status, r.Kind, r.Reason)}
		}
	}
}

// class names the kind of a failure that goes away, for metrics.
func class(status int, kind string) string {
	switch {
	case status == http.StatusTooManyRequests:
		return "overloaded"
	case status == http.StatusUnauthorized:
		return "unauthorized"
	case status == http.StatusForbidden && kind == "security_exception":
		return "unauthorized"
	case status == http.StatusForbidden:
		return "blocked"
	case status == http.StatusNotFound:
		return "missing"
	case status == http.StatusServiceUnavailable:
		return "unavailable"
	case status >= http.StatusInternalServerError:
		return "server"
	default:
		return "refused"
	}
}

// refusal is the error of a request that failed as a whole.
func refusal(res *esapi.Response) *sinks.RetryError {
	status := res.StatusCode
	raw, _ := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	kind, reason := wire.Refusal(raw)
	if kind == "" && reason == "" {
		reason = string(raw[:min(len(raw), 200)])
	}
	return &sinks.RetryError{
		Class: class(status, kind), After: retryAfter(res.Header.Get("Retry-After")),
		Err: &statusError{status: status, kind: kind, reason: reason},
	}
}

// statusError is a reply with a status of 400 and above.
type statusError struct {
	status       int
	kind, reason string
}

func (e *statusError) Error() string {
	return fmt.Sprintf("Elasticsearch answered %d %s %s", e.status, e.kind, e.reason)
}

// maxRetryAfter bounds how long a reply can make us wait.
const maxRetryAfter = 5 * time.Minute

func retryAfter(header string) time.Duration {
	seconds, err := strconv.Atoi(header)
	if err != nil || seconds < 0 {
		return 0
	}
	return min(time.Duration(seconds)*time.Second, maxRetryAfter)
}

// unreachable is the error of a request without a reply.
func unreachable(err error) *sinks.RetryError {
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return &sinks.RetryError{Class: "timeout", Err: err}
	}
	return &sinks.RetryError{Class: "unreachable", Err: err}
}
