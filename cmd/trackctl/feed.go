package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"mime"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/trackmesh/trackmesh/broker"
	"github.com/trackmesh/trackmesh/broker/kafka"
	"github.com/trackmesh/trackmesh/client"
	"github.com/trackmesh/trackmesh/source"
)

// feed takes positions of one content type and returns when the log has them.
type feed interface {
	send(ctx context.Context, contentType string, values [][]byte) (client.Ingested, error)
	close()
}

// feedFlags say where positions go.
type feedFlags struct {
	producer string
	first    uint64
	retryFor time.Duration

	brokers                                       []string
	topic, partitioner                            string
	partitions                                    int32
	tls                                           bool
	caFile, certFile, keyFile                     string
	saslMechanism, saslUsername, saslPasswordFile string
}

func (f *feedFlags) flags(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVar(&f.producer, "producer", "", "name under which lines are numbered; the same name and numbers again store nothing twice. Default: a new one each time")
	fs.Uint64Var(&f.first, "first-sequence", 1, "with --producer: number of the first line")
	fs.DurationVar(&f.retryFor, "retry-for", 2*time.Minute, "how long one request is repeated while the node cannot be reached")
	fs.StringSliceVar(&f.brokers, "kafka-brokers", nil, "host:port,…: straight to Kafka instead of the node's HTTP")
	fs.StringVar(&f.topic, "topic", "positions", "Kafka: the topic")
	fs.StringVar(&f.partitioner, "partitioner", "murmur2", "Kafka: murmur2 or java-hashcode")
	fs.Int32Var(&f.partitions, "partitions", 8, "Kafka: partitions of the topic when it is made")
	fs.BoolVar(&f.tls, "kafka-tls", false, "Kafka: use TLS")
	fs.StringVar(&f.caFile, "kafka-ca-file", "", "Kafka: certificates of the authorities to trust")
	fs.StringVar(&f.certFile, "kafka-cert-file", "", "Kafka: our certificate")
	fs.StringVar(&f.keyFile, "kafka-key-file", "", "Kafka: its key")
	fs.StringVar(&f.saslMechanism, "kafka-sasl-mechanism", "", "Kafka: plain, scram-sha-256 or scram-sha-512")
	fs.StringVar(&f.saslUsername, "kafka-sasl-username", "", "Kafka: who we are")
	fs.StringVar(&f.saslPasswordFile, "kafka-sasl-password-file", "", "Kafka: file with the password")
}

// open connects. decoder reads the vehicle of records that go straight to Kafka.
func (f *feedFlags) open(ctx context.Context, a *app, decoder source.Options) (feed, error) {
	if len(f.brokers) == 0 {
		return &httpFeed{a.client.NewProducer(client.ProducerOptions{Name: f.producer, First: f.first, RetryFor: f.retryFor, OnRetry: a.sayRetry})}, nil
	}
	return f.openKafka(ctx, decoder)
}

// sayRetry tells of a failure that is followed by a repeat.
func (a *app) sayRetry(err error, wait time.Duration) {
	line, _, _ := strings.Cut(err.Error(), "\n")
	a.say("trying again in %s: %s\n", wait.Round(10*time.Millisecond), line)
}

// httpFeed posts to the node.
type httpFeed struct{ producer *client.Producer }

func (h *httpFeed) close() {}

func (h *httpFeed) send(ctx context.Context, contentType string, values [][]byte) (client.Ingested, error) {
	media, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return client.Ingested{}, fmt.Errorf("content type %q: %w", contentType, err)
	}
	switch {
	case strings.HasSuffix(media, "protobuf"):
		return h.each(ctx, contentType, values)
	case media == "text/csv" && params["columns"] != "":
		contentType, columns := headed(media, params)
		values = append([][]byte{[]byte(columns)}, values...)
		done, err := h.producer.Send(ctx, contentType, joined(values), len(values))
		for i := range done.Errors {
			done.Errors[i].Line-- // that of the columns is ours
		}
		return done, err
	case media == "application/json":
		contentType = mime.FormatMediaType("application/x-ndjson", params)
		for i, v := range values {
			values[i] = oneLine(v)
		}
	}
	return h.producer.Send(ctx, contentType, joined(values), len(values))
}

// each posts records one by one: protobuf has no line ends.
func (h *httpFeed) each(ctx context.Context, contentType string, values [][]byte) (client.Ingested, error) {
	var all client.Ingested
	for i, v := range values {
		done, err := h.producer.Send(ctx, contentType, v, 1)
		if err != nil {
			return all, err
		}
		all.Stored += done.Stored
		for _, e := range done.Errors {
			e.Line = i + 1
			all.Errors = append(all.Errors, e)
		}
	}
	return all, nil
}

func joined(values [][]byte) []byte { return append(bytes.Join(values, []byte("\n")), '\n') }

// oneLine takes line breaks out of JSON.
func oneLine(v []byte) []byte {
	if !bytes.ContainsAny(v, "\r\n") {
		return v
	}
	var buf bytes.Buffer
	if json.Compact(&buf, v) == nil {
		return buf.Bytes()
	}
	return bytes.ReplaceAll(bytes.ReplaceAll(v, []byte("\r"), nil), []byte("\n"), []byte(" "))
}

// kafkaFeed writes to the topic.
type kafkaFeed struct {
	log       *kafka.Log
	decoder   *source.Decoder
	partition broker.Partitioner
	producer  string
	next      uint64
}

func (f *feedFlags) openKafka(ctx context.Context, decoder source.Options) (feed, error) {
	partition, err := broker.PartitionerByName(f.partitioner)
	if err != nil {
		return nil, err
	}
	d, err := source.NewDecoder(decoder, nil)
	if err != nil {
		return nil, err
	}
	opts := kafka.Options{
		OpenOptions: broker.OpenOptions{Topic: f.topic, Group: "trackctl", Partitions: f.partitions, RetentionAge: 168 * time.Hour, Enriched: true},
		Brokers:     f.brokers, ClientID: "trackctl",
	}
	if opts.TLS, err = f.tlsConfig(); err != nil {
		return nil, err
	}
	if opts.SASL, err = f.sasl(); err != nil {
		return nil, err
	}
	log, err := kafka.Open(ctx, opts)
	if err != nil {
		return nil, fmt.Errorf("opening Kafka: %w", err)
	}
	k := &kafkaFeed{log: log, decoder: d, partition: partition, producer: f.producer, next: f.first}
	return k, nil
}

func (f *feedFlags) tlsConfig() (*tls.Config, error) {
	if !f.tls && f.caFile == "" && f.certFile == "" {
		return nil, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if f.caFile != "" {
		pem, err := os.ReadFile(f.caFile)
		if err != nil {
			return nil, fmt.Errorf("--kafka-ca-file: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("--kafka-ca-file: %s holds no certificate in PEM", f.caFile)
		}
	}
	if f.certFile != "" || f.keyFile != "" {
		pair, err := tls.LoadX509KeyPair(f.certFile, f.keyFile)
		if err != nil {
			return nil, fmt.Errorf("--kafka-cert-file, --kafka-key-file: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

func (f *feedFlags) sasl() (kafka.SASL, error) {
	s := kafka.SASL{Mechanism: f.saslMechanism, Username: f.saslUsername}
	if f.saslPasswordFile == "" {
		return s, nil
	}
	raw, err := os.ReadFile(f.saslPasswordFile)
	if err != nil {
		return s, fmt.Errorf("--kafka-sasl-password-file: %w", err)
	}
	s.Password = strings.TrimRight(string(raw), "\r\n")
	return s, nil
}

func (k *kafkaFeed) close() { _ = k.log.Close() } // all was acknowledged

// send produces each record whose vehicle can be read, as the node's ingest does.
func (k *kafkaFeed) send(ctx context.Context, contentType string, values [][]byte) (client.Ingested, error) {
	var done client.Ingested
	layout := k.log.Layout()
	records := make([]broker.Record, 0, len(values))
	for i, value := range values {
		vehicle, refusal := k.decoder.VehicleOf(contentType, value)
		if refusal != nil {
			done.Errors = append(done.Errors, client.LineError{Line: i + 1, Reason: refusal.Error()})
			continue
		}
		if len(vehicle)+len(value) > layout.MaxRecordBytes {
			done.Errors = append(done.Errors, client.LineError{Line: i + 1, Reason: "too_large"})
			continue
		}
		rec := broker.Record{
			Stream: broker.Input, Partition: k.partition([]byte(vehicle), layout.Partitions), Key: []byte(vehicle), Value: value,
			Headers: []broker.Header{{Key: source.HeaderContentType, Value: []byte(contentType)}},
		}
		if k.producer != "" {
			rec.Headers = append(rec.Headers,
				broker.Header{Key: "producer", Value: []byte(k.producer)},
				broker.Header{Key: "sequence", Value: strconv.AppendUint(nil, k.next+uint64(i), 10)}) //nolint:gosec // an index
		}
		records = append(records, rec)
	}
	if _, err := k.log.Produce(ctx, records); err != nil && len(records) > 0 {
		return done, fmt.Errorf("producing to %s: %w", layout.Input, err)
	}
	k.next += uint64(len(values))
	done.Stored = len(records)
	return done, nil
}
