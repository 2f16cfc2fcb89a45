package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// Options say which server to ask, and as whom.
type Options struct {
	// Server is its address, as http://host:port. A host:port alone is taken for http.
	Server string
	// Token goes along as a bearer token. Empty: none.
	Token string
	// Timeout bounds each request that is not a stream. Zero: 30 s.
	Timeout time.Duration
	// HTTP sends the requests. Nil: a client of our own. Its Timeout should be zero, for streams.
	HTTP *http.Client
}

// Client asks one server. It may be used by many goroutines.
type Client struct {
	base    string
	token   string
	timeout time.Duration
	http    *http.Client
}

// New checks the options; it does not reach for the server.
func New(o Options) (*Client, error) {
	server := o.Server
	if !strings.Contains(server, "://") {
		server = "http://" + server
	}
	u, err := url.Parse(server)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("%q is no address of a server: write it as http://127.0.0.1:8080", o.Server)
	}
	c := &Client{base: strings.TrimRight(server, "/"), token: o.Token, timeout: o.Timeout, http: o.HTTP}
	if c.timeout <= 0 {
		c.timeout = 30 * time.Second
	}
	if c.http == nil {
		transport := http.DefaultTransport.(*http.Transport).Clone() // it is one
		transport.MaxIdleConnsPerHost = 64
		c.http = &http.Client{Transport: transport}
	}
	return c, nil
}

// Server is the address that is asked.
func (c *Client) Server() string { return c.base }

// Path joins segments into an escaped path below /api/v1.
func Path(segments ...string) string {
	var b strings.Builder
	b.WriteString("/api/v1")
	for _, s := range segments {
		b.WriteByte('/')
		b.WriteString(url.PathEscape(s))
	}
	return b.String()
}

// Request is one question.
type Request struct {
	Method string // empty: GET
	Path   string // escaped, see Path
	Query  url.Values
	Header http.Header
	Body   io.Reader
}

// Response is an answer that was read whole.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// Do asks and reads the whole answer. One that is not 2xx is a *Problem.
func (c *Client) Do(ctx context.Context, r Request) (*Response, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	resp, err := c.Open(ctx, r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }() // it was only read
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("reading the answer of %s: %w", c.base, err)
	}
	return &Response{Status: resp.StatusCode, Header: resp.Header, Body: body}, nil
}

// Get asks with GET and returns the answer's body.
func (c *Client) Get(ctx context.Context, path string, query url.Values) ([]byte, error) {
	resp, err := c.Do(ctx, Request{Path: path, Query: query})
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// Open asks and returns an answer to be read by the caller, who closes it; only ctx bounds it. One that is not 2xx is a *Problem.
func (c *Client) Open(ctx context.Context, r Request) (*http.Response, error) {
	address := c.base + r.Path
	if len(r.Query) > 0 {
		address += "?" + r.Query.Encode()
	}
	if r.Method == "" {
		r.Method = http.MethodGet
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, address, r.Body)
	if err != nil {
		return nil, fmt.Errorf("asking %s: %w", c.base, err)
	}
	maps.Copy(req.Header, r.Header)
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	req.Header.Set("User-Agent", "trackctl")
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.unreachable(err)
	}
	if resp.StatusCode/100 != 2 {
		defer func() { _ = resp.Body.Close() }() // it was only read
		return nil, readProblem(resp)
	}
	return resp, nil
}

// UnreachableError says that no answer came.
type UnreachableError struct {
	Server string
	Cause  error
}

func (e *UnreachableError) Error() string {
	switch {
	case errors.Is(e.Cause, syscall.ECONNREFUSED):
		return "nobody listens at " + e.Server + ": start a node there, or name another with --server"
	case errors.Is(e.Cause, context.DeadlineExceeded):
		return e.Server + " did not answer in time"
	}
	return "cannot reach " + e.Server + ": " + e.Cause.Error()
}

func (e *UnreachableError) Unwrap() error { return e.Cause }

func (c *Client) unreachable(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err // it would repeat the whole address
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	return &UnreachableError{c.base, err}
}

// CloseIdle closes connections that wait for another request.
func (c *Client) CloseIdle() { c.http.CloseIdleConnections() }
