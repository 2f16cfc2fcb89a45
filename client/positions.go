package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// Ingested is what became of a request's lines.
type Ingested struct {
	Stored        int         `json:"stored"`
	Errors        []LineError `json:"errors"`
	ErrorsOmitted int         `json:"errors_omitted"`
}

// Refused is how many lines were not stored.
func (i Ingested) Refused() int { return len(i.Errors) + i.ErrorsOmitted }

// ProducerOptions of a Producer.
type ProducerOptions struct {
	// Name goes along as Trackmesh-Producer. Empty: a random one.
	Name string
	// First is the number of the first line. Zero: 1.
	First uint64
	// RetryFor bounds how long one request is repeated. Zero: 2 minutes.
	RetryFor time.Duration
	// OnRetry hears of each failure that is followed by a repeat. Nil: nobody does.
	OnRetry func(err error, wait time.Duration)
}

// Producer sends positions and numbers their lines, so that a repeated request stores nothing twice. One request at a time:
// the server takes a number below one that it has seen for a repeat.
type Producer struct {
	client *Client
	opts   ProducerOptions
	next   uint64
}

// NewProducer makes a producer; it sends nothing yet.
func (c *Client) NewProducer(o ProducerOptions) *Producer {
	if o.Name == "" {
		o.Name = "trackctl-" + strings.ToLower(rand.Text()[:16])
	}
	if o.First == 0 {
		o.First = 1
	}
	if o.RetryFor <= 0 {
		o.RetryFor = 2 * time.Minute
	}
	if o.OnRetry == nil {
		o.OnRetry = func(error, time.Duration) {}
	}
	return &Producer{client: c, opts: o, next: o.First}
}

// Next is the number that the next line will have.
func (p *Producer) Next() uint64 { return p.next }

// Send posts a body of so many lines, again and again while the server cannot be reached or cannot take it now. It returns when
// the log has acknowledged them. Without a content type the body is in the node's own format.
func (p *Producer) Send(ctx context.Context, contentType string, body []byte, lines int) (Ingested, error) {
	header := http.Header{
		"Trackmesh-Producer": {p.opts.Name},
		"Trackmesh-Sequence": {strconv.FormatUint(p.next, 10)},
	}
	if contentType != "" {
		header.Set("Content-Type", contentType)
	}
	post := func() (Ingested, error) {
		var done Ingested
		resp, err := p.client.Do(ctx, Request{Method: http.MethodPost, Path: Path("positions"), Header: header, Body: bytes.NewReader(body)})
		if err != nil {
			return done, again(ctx, err)
		}
		if err := json.Unmarshal(resp.Body, &done); err != nil {
			return done, backoff.Permanent(fmt.Errorf("reading the answer of %s: %w", p.client.base, err))
		}
		return done, nil
	}
	waits := backoff.NewExponentialBackOff()
	waits.InitialInterval, waits.MaxInterval = 200*time.Millisecond, 5*time.Second
	done, err := backoff.Retry(ctx, post, backoff.WithBackOff(waits), backoff.WithMaxElapsedTime(p.opts.RetryFor), backoff.WithNotify(p.opts.OnRetry))
	if err != nil {
		return done, unwrapRetry(err)
	}
	p.next += uint64(lines) //nolint:gosec // a count
	return done, nil
}

// again tells what a repeat can help from what it cannot.
func again(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return backoff.Permanent(context.Cause(ctx))
	}
	problem, refused := errors.AsType[*Problem](err)
	if refused && !problem.Temporary() {
		return backoff.Permanent(err)
	}
	return err
}

func unwrapRetry(err error) error {
	if permanent, ok := errors.AsType[*backoff.PermanentError](err); ok {
		return permanent.Err
	}
	return err
}
