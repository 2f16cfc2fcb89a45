package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/trackmesh/trackmesh/sinks"
)

const (
	// posters is how many vehicles' events are on their way to one receiver at once.
	posters = 8
	// hopeless is after how many failures in a row an attempt at a batch ends: a receiver that is away need not be told of
	// every vehicle that waits for it.
	hopeless = posters
	// shownAnswer is how much of a refusing answer is kept, in bytes.
	shownAnswer = 200
	// maxRetryAfter bounds what a receiver may ask for.
	maxRetryAfter = 5 * time.Minute
)

// poster sends batches to one receiver. It is a sinks.Writer of a pump with one batch under way at a time, in which it remembers
// what was acknowledged, so that a repeated attempt sends only the rest.
//
//	batch ──by vehicle──> queue … queue          each in order, `posters` of them at once
//	                        │ 2xx: next   else: the queue waits for the next attempt
type poster struct {
	def     *Definition
	client  *http.Client
	agent   string
	now     func() time.Time
	metrics *postMetrics
	leaving <-chan struct{} // closed: begin no POST any more
	// minBackOff is about how long it waits after an attempt that brought something.
	minBackOff time.Duration

	acknowledged map[string]struct{} // ids of the batch under way; Write's own

	mu    sync.Mutex
	state Delivery // guarded by mu
}

// Delivery is how the POSTs to a receiver fare on this node.
type Delivery struct {
	Delivered     int64     // since the node took the webhook up
	LastDelivered time.Time // zero: never
	Failing       bool      // the newest POST failed
	LastError     string    // "": none yet
	LastErrorAt   time.Time
}

func (p *poster) delivery() Delivery {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state
}

// queue is one vehicle's events of a batch.
type queue []*sinks.Document

// Write sends a batch, or what is left of it. An error means that some events wait, and that the last attempt brought nothing: a
// receiver that refuses now and then is tried on at a steady pace, one that takes nothing at the pump's, which slows down.
func (p *poster) Write(ctx context.Context, batch []sinks.Document) ([]sinks.Rejection, error) {
	for {
		taken, err := p.try(ctx, batch)
		if err == nil {
			clear(p.acknowledged)
			return nil, nil
		}
		if taken == 0 || !p.pause(ctx, err) {
			return nil, err
		}
	}
}

// pause waits between two attempts; false: there is no other.
func (p *poster) pause(ctx context.Context, err error) bool {
	wait := p.minBackOff/2 + rand.N(p.minBackOff)
	if e, ok := errors.AsType[*sinks.RetryError](err); ok {
		wait = max(wait, e.After)
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-p.leaving:
	}
	return false
}

// try is one attempt; taken is how many events the receiver acknowledged in it.
func (p *poster) try(ctx context.Context, batch []sinks.Document) (taken int, err error) {
	a := &attempt{poster: p, queues: p.queues(batch)}
	var workers sync.WaitGroup
	for range min(posters, len(a.queues)) {
		workers.Go(func() { a.work(ctx) })
	}
	workers.Wait()
	for _, id := range a.done {
		p.acknowledged[id] = struct{}{}
	}
	if a.err != nil {
		return len(a.done), a.err
	}
	if a.left() {
		return len(a.done), &sinks.RetryError{Class: "stopping", Err: errors.New("the webhook is being stopped")}
	}
	return len(a.done), nil
}

// queues are the events that the filter lets through and that are not acknowledged yet, by vehicle, in order.
func (p *poster) queues(batch []sinks.Document) []queue {
	at := map[string]int{}
	var queues []queue
	for i := range batch {
		d := &batch[i]
		if _, ok := p.acknowledged[d.ID]; ok {
			continue
		}
		e, err := readEvent(d.Body)
		if err == nil && !p.def.Filter.passes(&e) { // one that cannot be read is sent all the same: nothing is lost silently
			continue
		}
		n, ok := at[e.vehicle]
		if !ok {
			n = len(queues)
			at[e.vehicle] = n
			queues = append(queues, nil)
		}
		queues[n] = append(queues[n], d)
	}
	return queues
}

// attempt is one try at a batch. Its fields are guarded by mu but for poster.
type attempt struct {
	poster *poster
	mu     sync.Mutex
	queues []queue // the next is taken from the front
	busy   int     // queues that a worker holds unfinished
	done   []string
	err    error // the first failure
	failed int   // in a row
}

// work takes queue after queue until there is none, or no hope.
func (a *attempt) work(ctx context.Context) {
	for {
		q := a.next(ctx)
		if q == nil {
			return
		}
		finished := true
		for _, d := range q {
			if finished = a.send(ctx, d); !finished {
				break
			}
		}
		if finished {
			a.mu.Lock()
			a.busy--
			a.mu.Unlock()
		}
	}
}

func (a *attempt) next(ctx context.Context) queue {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.queues) == 0 || a.failed >= hopeless || ctx.Err() != nil || a.poster.isLeaving() {
		return nil
	}
	q := a.queues[0]
	a.queues = a.queues[1:]
	a.busy++
	return q
}

func (a *attempt) send(ctx context.Context, d *sinks.Document) bool {
	if a.poster.isLeaving() {
		return false
	}
	err := a.poster.post(ctx, d)
	a.mu.Lock()
	defer a.mu.Unlock()
	if err != nil {
		a.failed++
		if a.err == nil {
			a.err = err
		}
		return false
	}
	a.failed = 0
	a.done = append(a.done, d.ID)
	return true
}

// left reports whether queues were not finished.
func (a *attempt) left() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.busy > 0 || len(a.queues) > 0
}

func (p *poster) isLeaving() bool {
	select {
	case <-p.leaving:
		return true
	default:
		return false
	}
}

// post sends one event and notes how that went.
func (p *poster) post(ctx context.Context, d *sinks.Document) error {
	began := p.now()
	err := p.exchange(ctx, d)
	p.metrics.observe(err, p.now().Sub(began))
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		p.state.Delivered++
		p.state.LastDelivered, p.state.Failing = p.now(), false
		return nil
	}
	if ctx.Err() == nil || !p.state.Failing { // that we end it ourselves is no news of the receiver
		p.state.Failing, p.state.LastError, p.state.LastErrorAt = true, err.Error(), p.now()
	}
	return err
}

func (p *poster) exchange(ctx context.Context, d *sinks.Document) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.def.URL, bytes.NewReader(d.Body))
	if err != nil {
		return &sinks.RetryError{Class: "refused", Err: err}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", p.agent)
	req.Header.Set(HeaderEventID, d.ID)
	req.Header.Set(HeaderSignature, Signature(p.def.Secret, p.now(), d.Body))
	resp, err := p.client.Do(req)
	if err != nil {
		return unreachable(err)
	}
	defer resp.Body.Close()
	answer, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10)) // read so that the connection is used again; only shown
	if resp.StatusCode >= 200 && resp.StatusCode <= 299 {
		return nil
	}
	return refused(resp, answer)
}

// unreachable is a POST without an answer. The error names no URL: that may hold a token.
func unreachable(err error) error {
	class := "unreachable"
	if u, ok := errors.AsType[*url.Error](err); ok {
		if u.Timeout() {
			class = "timeout"
		}
		err = u.Err
	}
	return &sinks.RetryError{Class: class, Err: err}
}

func refused(resp *http.Response, answer []byte) error {
	class := "refused"
	switch {
	case resp.StatusCode == http.StatusTooManyRequests:
		class = "overloaded"
	case resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden:
		class = "unauthorized"
	case resp.StatusCode >= 500:
		class = "server"
	}
	detail := strings.Map(printable, strings.ToValidUTF8(string(answer[:min(len(answer), shownAnswer)]), ""))
	err := fmt.Errorf("the receiver answered %d", resp.StatusCode)
	if detail != "" {
		err = fmt.Errorf("the receiver answered %d: %s", resp.StatusCode, detail)
	}
	retry := &sinks.RetryError{Class: class, Err: err}
	if s, bad := strconv.Atoi(resp.Header.Get("Retry-After")); bad == nil && s > 0 {
		retry.After = min(time.Duration(min(s, 3600))*time.Second, maxRetryAfter)
	}
	return retry
}

func printable(r rune) rune {
	if r < ' ' || r == 0x7f {
		return ' '
	}
	return r
}
