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
	"github.com/go-faster/jx"

	"github.com/trackmesh/trackmesh/sinks"
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

// itemReply is what a reply says of one item.
type itemReply struct {
	status       int
	kind, reason string
}

// judge reads the reply of a bulk request as it comes in. Items come back in the order of the request.
func judge(body io.Reader, items []item) (judgement, error) {
	var j judgement
	n := 0
	dec := jx.Decode(body, 64<<10)
	err := dec.ObjBytes(func(dec *jx.Decoder, key []byte) error {
		if string(key) != "items" {
			return dec.Skip()
		}
		return dec.Arr(func(dec *jx.Decoder) error {
			r, err := readItem(dec)
			if err != nil {
				return err
			}
			if n < len(items) {
				j.add(items[n], r)
			}
			n++
			return nil
		})
	})
	if err == nil && n != len(items) {
		err = fmt.Errorf("it speaks of %d documents, %d were sent", n, len(items))
	}
	if err != nil {
		return judgement{}, &sinks.RetryError{Class: "malformed", Err: fmt.Errorf("reading the reply of a bulk request: %w", err)}
	}
	return j, nil
}

func (j *judgement) add(it item, r itemReply) {
	switch {
	case r.status == http.StatusOK || r.status == http.StatusCreated:
		j.stored++
	case r.status == http.StatusConflict:
		j.known++
	case r.status == http.StatusBadRequest && refusedForGood[r.kind]:
		j.rejections = append(j.rejections, sinks.Rejection{Document: *it.document, Detail: r.kind + ": " + r.reason})
	default:
		j.again = append(j.again, it)
		if r.status == http.StatusNotFound {
			j.absent = append(j.absent, it.index)
		}
		if j.why == nil {
			j.why = &sinks.RetryError{Class: class(r.status, r.kind), Err: fmt.Errorf("document %s: %d %s: %s", it.document.ID, r.status, r.kind, r.reason)}
		}
	}
}

// readItem reads {"create":{"status":…,"error":{…}}}.
func readItem(dec *jx.Decoder) (r itemReply, err error) {
	err = dec.ObjBytes(func(dec *jx.Decoder, _ []byte) error {
		return dec.ObjBytes(func(dec *jx.Decoder, key []byte) error {
			switch string(key) {
			case "status":
				r.status, err = dec.Int()
				return err
			case "error":
				r.kind, r.reason, err = readError(dec, 0)
				return err
			default:
				return dec.Skip()
			}
		})
	})
	return r, err
}

// maxCauses bounds how deep the causes of an error are read.
const maxCauses = 4

// readError reads an error object, or the plain text that old versions send. The reason ends with its causes'.
func readError(dec *jx.Decoder, depth int) (kind, reason string, err error) {
	if dec.Next() != jx.Object {
		if dec.Next() == jx.String {
			reason, err = dec.Str()
			return "", reason, err
		}
		return "", "", dec.Skip()
	}
	var cause string
	err = dec.ObjBytes(func(dec *jx.Decoder, key []byte) (err error) {
		switch {
		case string(key) == "type" && dec.Next() == jx.String:
			kind, err = dec.Str()
		case string(key) == "reason" && dec.Next() == jx.String:
			reason, err = dec.Str()
		case string(key) == "caused_by" && depth < maxCauses:
			_, cause, err = readError(dec, depth+1)
		default:
			err = dec.Skip()
		}
		return err
	})
	if cause != "" {
		reason += ": " + cause
	}
	return kind, reason, err
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
	var kind, reason string
	_ = jx.DecodeBytes(raw).ObjBytes(func(dec *jx.Decoder, key []byte) (err error) { // a proxy answers in HTML
		if string(key) != "error" {
			return dec.Skip()
		}
		kind, reason, err = readError(dec, 0)
		return err
	})
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
