package client

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Problem is a problem document (RFC 9457): why the server refused.
type Problem struct {
	Type   string       `json:"type"`
	Title  string       `json:"title"`
	Status int          `json:"status"`
	Detail string       `json:"detail"`
	Errors []FieldError `json:"errors"`

	// Stored and Lines come with an ingest or import that broke off.
	Stored *int        `json:"stored"`
	Lines  []LineError `json:"lines"`
	// Earliest and End come when an offset is not in the log.
	Earliest *int64 `json:"earliest"`
	End      *int64 `json:"end"`

	// RetryAfter is how long the server asks to wait. Zero: it does not say.
	RetryAfter time.Duration `json:"-"`
}

// FieldError says which part of a request is at fault.
type FieldError struct {
	Pointer   string `json:"pointer"`
	Parameter string `json:"parameter"`
	Detail    string `json:"detail"`
}

// LineError says why a line of a body was not stored.
type LineError struct {
	Line    int    `json:"line"`
	ID      string `json:"id"`
	Pointer string `json:"pointer"`
	Reason  string `json:"reason"`
}

// String is the error in one line.
func (e LineError) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "line %d", e.Line)
	if e.ID != "" {
		fmt.Fprintf(&b, " (%s)", e.ID)
	}
	b.WriteString(": ")
	if e.Pointer != "" {
		b.WriteString(e.Pointer + ": ")
	}
	b.WriteString(e.Reason)
	return b.String()
}

// Error is the title and the detail, then a line for each part at fault. One that says the same as the detail is not repeated.
func (p *Problem) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s", p.Status, p.Title)
	detail, errs := p.Detail, p.Errors
	if len(errs) == 1 && (detail == errs[0].Detail || detail == errs[0].where()+": "+errs[0].Detail) {
		detail, errs = errs[0].where()+": "+errs[0].Detail, nil
	}
	if detail != "" {
		b.WriteString(": " + detail)
	}
	for _, e := range errs {
		b.WriteString("\n  " + e.where() + ": " + e.Detail)
	}
	return b.String()
}

// where is the part at fault.
func (e FieldError) where() string {
	switch {
	case e.Parameter != "":
		return e.Parameter
	case e.Pointer != "":
		return e.Pointer
	}
	return "body"
}

// Temporary reports whether the same request may succeed later.
func (p *Problem) Temporary() bool {
	switch p.Status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout, http.StatusInsufficientStorage:
		return true
	}
	return false
}

// maxProblemBytes bounds what is read of an error's body.
const maxProblemBytes = 1 << 20

// readProblem makes a problem of any answer that is not 2xx.
func readProblem(resp *http.Response) *Problem {
	p := &Problem{}
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxProblemBytes)) // what came of it may say enough
	media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if media != "application/problem+json" || json.Unmarshal(body, p) != nil {
		*p = Problem{Detail: firstLine(body)}
	}
	p.Status = resp.StatusCode
	if p.Title == "" {
		p.Title = http.StatusText(resp.StatusCode)
	}
	if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && seconds > 0 {
		p.RetryAfter = time.Duration(seconds) * time.Second
	}
	return p
}

// firstLine is what a proxy's page or a plain text begins with.
func firstLine(body []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(body)), "\n")
	if len(line) > 200 || strings.HasPrefix(line, "<") {
		return "the answer is no problem document: is this a trackmesh node?"
	}
	return line
}
