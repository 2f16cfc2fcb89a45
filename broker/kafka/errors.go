package kafka

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/trackmesh/trackmesh/broker"
)

// owned brings Kafka's errors to those of the contract, keeping the original in the chain.
func owned(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, kerr.ProducerFenced), errors.Is(err, kerr.InvalidProducerEpoch), errors.Is(err, kerr.InvalidProducerIDMapping),
		errors.Is(err, kerr.InvalidTxnState): // a transaction that the coordinator has ended for us: for a new owner, or at its time-out
		return contractError{broker.ErrFenced, err}
	case errors.Is(err, kerr.MessageTooLarge), errors.Is(err, kerr.RecordListTooLarge):
		return contractError{broker.ErrTooLarge, err}
	case errors.Is(err, kgo.ErrClientClosed):
		return contractError{broker.ErrClosed, err}
	}
	return err
}

// within adds that ctx has ended to an error that says only what was tried until then.
func within(ctx context.Context, err error) error {
	if ctx.Err() == nil || errors.Is(err, ctx.Err()) {
		return err
	}
	return fmt.Errorf("%w (%w)", err, ctx.Err())
}

// contractError is an error of the contract with Kafka's as its cause.
type contractError struct{ is, cause error }

func (e contractError) Error() string   { return e.is.Error() + ": " + e.cause.Error() }
func (e contractError) Unwrap() []error { return []error{e.is, e.cause} }

func isDialError(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// worthWaiting tells a broker that is not up yet from one that will never understand us.
func worthWaiting(err error) bool {
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns):
		return !dns.IsNotFound
	case isDialError(err), errors.Is(err, context.DeadlineExceeded), kerr.IsRetriable(err):
		return true
	}
	return false
}
