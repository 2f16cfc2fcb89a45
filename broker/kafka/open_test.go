package kafka

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/trackmesh/trackmesh/broker"
)

func TestOpenMakesTheTopicsThatAreMissing(t *testing.T) {
	opts := optionsFor(t, fake(t))
	opts.RetentionAge, opts.RetentionBytes = 8*time.Hour, 30<<20
	l := open(t, opts)
	require.EqualValues(t, 3, l.Layout().Partitions)
	require.Len(t, l.Layout().InputID, 32)
	require.NotEqual(t, l.Layout().InputID, l.Layout().StateID)
	require.Greater(t, l.Layout().MaxRecordBytes, 900_000)
	configs, err := l.admin.DescribeTopicConfigs(t.Context(), l.topicOf(broker.State), l.topicOf(broker.Events))
	require.NoError(t, err)
	got := map[string]string{}
	for _, c := range configs {
		for _, kv := range c.Configs {
			got[strings.TrimPrefix(c.Name, opts.Topic)+" "+kv.Key] = kv.MaybeValue()
		}
	}
	require.Equal(t, "compact", got[".state cleanup.policy"])
	require.Equal(t, strconv.Itoa(stateSegment), got[".state segment.bytes"])
	require.Equal(t, "delete", got[".events cleanup.policy"])
	require.Equal(t, strconv.Itoa(8*3600*1000), got[".events retention.ms"])
	require.Equal(t, strconv.Itoa(10<<20), got[".events retention.bytes"], "the bound is the topic's, Kafka's a partition's")

	again := open(t, opts)
	require.Equal(t, l.Layout(), again.Layout())
}

func TestOpenWithoutHistoryHasNoEnriched(t *testing.T) {
	opts := optionsFor(t, fake(t))
	opts.Enriched = false
	l := open(t, opts)
	_, _, err := l.Bounds(t.Context(), broker.Enriched, 0)
	require.ErrorContains(t, err, "enriched is switched off")
}

func TestOpenRefusesTopicsThatDoNotFit(t *testing.T) {
	for name, c := range map[string]struct {
		topic      string
		partitions int32
		max        string
		says       []string
	}{
		"too few":        {".events", 2, "", []string{"2 partitions where 3 are needed", "kafka-topics.sh --alter --topic", "--partitions 3"}},
		"too many":       {".state", 4, "", []string{"4 partitions where 3 are needed", "delete it", "--topic"}},
		"not single":     {".fences", 3, "", []string{"3 partitions where 1 are needed"}},
		"small messages": {".events", 3, "1000", []string{"max.message.bytes=1000", "at least 262144", "kafka-configs.sh"}},
	} {
		t.Run(name, func(t *testing.T) {
			brokers := fake(t)
			opts := optionsFor(t, brokers)
			configs := map[string]*string{}
			if c.max != "" {
				configs["max.message.bytes"] = &c.max
			}
			admin := kadm.NewClient(plainClient(t, brokers))
			_, err := admin.CreateTopic(t.Context(), 3, 1, nil, opts.Topic)
			require.NoError(t, err)
			_, err = admin.CreateTopic(t.Context(), c.partitions, 1, configs, opts.Topic+c.topic)
			require.NoError(t, err)
			_, err = Open(t.Context(), opts)
			for _, says := range append(c.says, opts.Topic+c.topic) {
				require.ErrorContains(t, err, says)
			}
			require.NotContains(t, err.Error(), "\n")
		})
	}
}

func TestOpenSaysWhichBrokersDoNotAnswer(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	addr := l.Addr().String()
	require.NoError(t, l.Close())
	opts := optionsFor(t, []string{addr})
	opts.OpenTimeout = time.Second
	began := time.Now()
	_, err = Open(t.Context(), opts)
	require.Less(t, time.Since(began), 5*time.Second)
	for _, says := range []string{addr, "--kafka-brokers", "connection refused"} {
		require.ErrorContains(t, err, says)
	}
	require.NotContains(t, err.Error(), "\n")
}

func TestOpenSaysThatNobodyBehindThePortSpeaksKafka(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) }) // accepts by the kernel's queue, never answers
	opts := optionsFor(t, []string{l.Addr().String()})
	opts.OpenTimeout = 3 * time.Second
	_, err = Open(t.Context(), opts)
	require.ErrorContains(t, err, l.Addr().String())
	require.ErrorContains(t, err, "--kafka-brokers")
}

func TestOpenReportsEveryBadOption(t *testing.T) {
	_, err := Open(t.Context(), Options{SASL: SASL{Mechanism: "kerberos"}})
	for _, says := range []string{"--kafka-brokers", "--topic", "--group", "plain, scram-sha-256 or scram-sha-512", "--kafka-sasl-username"} {
		require.ErrorContains(t, err, says)
	}
}

func TestOpenSpeaksTLSAndSASL(t *testing.T) {
	server, client := certificates(t)
	for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		t.Run(mechanism, func(t *testing.T) {
			brokers := fake(t, kfake.EnableSASL(), kfake.Superuser(mechanism, "me", "secret"), kfake.TLS(server))
			opts := optionsFor(t, brokers)
			opts.TLS = client
			opts.SASL = SASL{Mechanism: strings.ToLower(mechanism), Username: "me", Password: "secret"}
			l := open(t, opts)
			require.NoError(t, owner(t, l, 0).Commit(t.Context(), events(0, "a")))

			wrong := opts
			wrong.SASL.Password = "wrong"
			_, err := Open(t.Context(), wrong)
			require.ErrorContains(t, err, "SASL")
			require.NotContains(t, err.Error(), "wrong\"")

			untrusted := opts
			untrusted.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
			_, err = Open(t.Context(), untrusted)
			require.ErrorContains(t, err, "certificate")
		})
	}
}

func TestSASLNeverShowsThePassword(t *testing.T) {
	s := SASL{Mechanism: "plain", Username: "me", Password: "secret"}
	require.NotContains(t, fmt.Sprintf("%v %s", s, s.LogValue()), "secret")
}

// certificates are a server's of its own authority, and a client's trust in it.
func certificates(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}},
		&tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}
}
