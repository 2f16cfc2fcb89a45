package kafka

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/trackmesh/trackmesh/broker"
)

// topicName leaves room for the longest suffix.
var topicName = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,239}$`)

// Options say which cluster to use and what the log is called there.
type Options struct {
	broker.OpenOptions

	// Brokers are the host:port to ask first; one that answers is enough.
	Brokers []string
	// TLS nil means plain text.
	TLS *tls.Config
	// SASL with an empty Mechanism means none.
	SASL SASL
	// ClientID is shown in the brokers' logs and quotas. Empty: "trackmesh".
	ClientID string
	// OpenTimeout bounds Open, the wait for a first broker included. Zero: 15 s.
	OpenTimeout time.Duration

	// Logger nil discards.
	Logger *slog.Logger
	// Registerer nil keeps the metrics to ourselves.
	Registerer prometheus.Registerer
}

// SASL is how the clients say who they are.
type SASL struct {
	Mechanism string // plain, scram-sha-256, scram-sha-512 (any case); empty: none
	Username  string
	Password  string
}

// String never shows the password.
func (s SASL) String() string { return s.Mechanism + " " + s.Username }

// LogValue never shows the password.
func (s SASL) LogValue() slog.Value { return slog.StringValue(s.String()) }

func (s SASL) mechanism() (sasl.Mechanism, error) {
	switch strings.ToLower(s.Mechanism) {
	case "":
		return nil, nil
	case "plain":
		return plain.Auth{User: s.Username, Pass: s.Password}.AsMechanism(), nil
	case "scram-sha-256":
		return scram.Auth{User: s.Username, Pass: s.Password}.AsSha256Mechanism(), nil
	case "scram-sha-512":
		return scram.Auth{User: s.Username, Pass: s.Password}.AsSha512Mechanism(), nil
	}
	return nil, fmt.Errorf("--kafka-sasl-mechanism %q is not known: use plain, scram-sha-256 or scram-sha-512", s.Mechanism)
}

// Validate reports every field that cannot be used, all at once.
func (o Options) Validate() error {
	var errs []error
	if len(o.Brokers) == 0 {
		errs = append(errs, errors.New("--kafka-brokers names no broker"))
	}
	if !topicName.MatchString(o.Topic) {
		errs = append(errs, fmt.Errorf("--topic %q cannot be a Kafka topic's name: 1 to 239 letters, digits, dots, underscores and hyphens", o.Topic))
	}
	if o.Group == "" {
		errs = append(errs, errors.New("--group is empty"))
	}
	if o.Partitions < 0 {
		errs = append(errs, fmt.Errorf("--partitions %d is negative", o.Partitions))
	}
	if _, err := o.SASL.mechanism(); err != nil {
		errs = append(errs, err)
	}
	if o.SASL.Mechanism != "" && o.SASL.Username == "" {
		errs = append(errs, errors.New("--kafka-sasl-mechanism needs --kafka-sasl-username"))
	}
	return errors.Join(errs...)
}

func (o Options) withDefaults() Options {
	if o.ClientID == "" {
		o.ClientID = "trackmesh"
	}
	if o.OpenTimeout <= 0 {
		o.OpenTimeout = 15 * time.Second
	}
	if o.Partitions <= 0 {
		o.Partitions = 8
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}
