package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"time"
)

const dialTimeout = 2 * time.Second

// dialer connects to brokers and remembers why it last could not.
type dialer struct {
	tls *tls.Config

	mu   sync.Mutex // guards last
	last error
}

// patient dials as franz-go wants it for a broker that may come back: a refused connection looks like a time-out. franz-go
// gives up on a request whose dial failed at once ("a typo in the address"), but retries a dial that timed out and then
// also forgets the coordinator it had cached, so a broker's restart costs nothing but time.
func (d *dialer) patient(ctx context.Context, network, host string) (net.Conn, error) {
	conn, err := d.dial(ctx, network, host)
	var op *net.OpError
	if err != nil && ctx.Err() == nil && errors.As(err, &op) && op.Op == "dial" {
		err = &net.OpError{Op: "dial", Net: op.Net, Source: op.Source, Addr: op.Addr, Err: waitable{op.Err}}
	}
	return conn, err
}

func (d *dialer) dial(ctx context.Context, network, host string) (conn net.Conn, err error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	plain := &net.Dialer{KeepAlive: 10 * time.Second}
	if d.tls == nil {
		conn, err = plain.DialContext(ctx, network, host)
	} else {
		conn, err = (&tls.Dialer{NetDialer: plain, Config: d.tls}).DialContext(ctx, network, host)
	}
	d.mu.Lock()
	d.last = err
	d.mu.Unlock()
	return conn, err
}

// lastError is why the latest dial failed, nil when it did not.
func (d *dialer) lastError() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.last
}

// waitable marks an error as one that time may heal.
type waitable struct{ error }

func (w waitable) Unwrap() error { return w.error }
func (waitable) Timeout() bool   { return true }
func (waitable) Temporary() bool { return true }
