package node

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trackmesh/trackmesh/broker"
	"github.com/trackmesh/trackmesh/broker/embedded"
	"github.com/trackmesh/trackmesh/broker/kafka"
)

// openLog opens Kafka where brokers are named, else the embedded log.
func openLog(ctx context.Context, o *Options, logger *slog.Logger, registry prometheus.Registerer) (broker.Log, error) {
	common := broker.OpenOptions{
		Topic: o.Topic, Group: o.Group, Partitions: o.Partitions, RetentionAge: o.RetentionAge, RetentionBytes: o.RetentionBytes,
		Enriched: o.History != "off",
	}
	if len(o.KafkaBrokers) == 0 {
		return embedded.Open(ctx, embedded.Options{OpenOptions: common, Dir: o.DataDir, Logger: logger, Registerer: registry})
	}
	config, err := o.kafkaTLS()
	if err != nil {
		return nil, err
	}
	password, err := secret("kafka-sasl-password-file", o.KafkaSASLPasswordFile)
	if err != nil {
		return nil, err
	}
	return kafka.Open(ctx, kafka.Options{
		OpenOptions: common, Brokers: o.KafkaBrokers, TLS: config, ClientID: "trackmesh-" + o.NodeName,
		SASL:   kafka.SASL{Mechanism: o.KafkaSASLMechanism, Username: o.KafkaSASLUsername, Password: password},
		Logger: logger, Registerer: registry,
	})
}

func (o *Options) kafkaTLS() (*tls.Config, error) {
	if !o.KafkaTLS && o.KafkaCAFile == "" && o.KafkaCertFile == "" {
		return nil, nil //nolint:nilnil // plain text is no error
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.KafkaCAFile != "" {
		pem, err := os.ReadFile(o.KafkaCAFile)
		if err != nil {
			return nil, fmt.Errorf("--kafka-ca-file: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("--kafka-ca-file: %s holds no PEM certificate", o.KafkaCAFile)
		}
	}
	if o.KafkaCertFile != "" {
		pair, err := tls.LoadX509KeyPair(o.KafkaCertFile, o.KafkaKeyFile)
		if err != nil {
			return nil, fmt.Errorf("--kafka-cert-file and --kafka-key-file: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// secret reads a file that holds one secret. The secret never appears in errors or logs.
func secret(flag, file string) (string, error) {
	if file == "" {
		return "", nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("--%s: %w", flag, err)
	}
	return strings.TrimSpace(string(b)), nil
}
