package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/trackmesh/trackmesh/internal/node"
)

// authority writes a certificate authority's certificate and returns it with what signs.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{}
	var der []byte
	der, a.key = certificate(t, &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, nil)
	var err error
	a.cert, err = x509.ParseCertificate(der)
	require.NoError(t, err)
	a.file = write(t, "ca.pem", pemOf("CERTIFICATE", der))
	return a
}

// certificate makes one that the authority signs; none: it signs itself.
func certificate(t *testing.T, template *x509.Certificate, by *authority) ([]byte, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template.NotAfter = time.Now().Add(time.Hour)
	parent, signer := template, key
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	require.NoError(t, err)
	return der, key
}

func pemOf(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func TestTheFlagsOfTLSAndSASLReachAKafkaThatDemandsBoth(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	serverDER, serverKey := certificate(t, &x509.Certificate{SerialNumber: big.NewInt(2), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}, ca)
	clientDER, clientKey := certificate(t, &x509.Certificate{SerialNumber: big.NewInt(3), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}, ca)
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-512", "me", "s3cret"), kfake.TLS(&tls.Config{
		MinVersion: tls.VersionTLS12, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool,
		Certificates: []tls.Certificate{{Certificate: [][]byte{serverDER}, PrivateKey: serverKey}},
	}))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	keyDER, err := x509.MarshalPKCS8PrivateKey(clientKey)
	require.NoError(t, err)
	certFile, keyFile := write(t, "me.pem", pemOf("CERTIFICATE", clientDER)), write(t, "me.key", pemOf("PRIVATE KEY", keyDER))
	passwordFile := write(t, "password", "s3cret\n")
	flags := []string{
		"--kafka-brokers", strings.Join(cluster.ListenAddrs(), ","), "--kafka-ca-file", ca.file, "--kafka-cert-file", certFile, "--kafka-key-file", keyFile,
		"--kafka-sasl-mechanism", "scram-sha-512", "--kafka-sasl-username", "me", "--kafka-sasl-password-file", passwordFile, "--partitions", "2",
	}
	file := write(t, "taxi.csv", taxiLines)
	replay := append([]string{"source", "replay", file, "--format", "taxi"}, flags...)
	got := call(t, "http://127.0.0.1:1", "", replay...)
	require.Equal(t, 0, got.code, got.err)
	require.Contains(t, got.out, "3 records sent, 3 stored, 0 refused")

	o := node.DefaultOptions()
	o.HTTPAddr, o.GossipAddr, o.RPCAddr, o.DataDir, o.Demo, o.NodeName = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0", t.TempDir(), "off", "secure"
	o.KafkaBrokers, o.KafkaCAFile, o.KafkaCertFile, o.KafkaKeyFile = cluster.ListenAddrs(), ca.file, certFile, keyFile
	o.KafkaSASLMechanism, o.KafkaSASLUsername, o.KafkaSASLPasswordFile = "scram-sha-512", "me", passwordFile
	n, err := node.Start(t.Context(), o, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, n.Stop(context.WithoutCancel(t.Context()))) })
	require.Eventually(t, func() bool {
		return strings.Contains(call(t, "http://"+n.Addr(), "", "tracks", "get", "7", "-o", "json").out, `"vehicle":"7"`)
	}, 30*time.Second, 50*time.Millisecond)

	for what, c := range map[string]struct{ flag, value, says string }{
		"password":  {"--kafka-sasl-password-file", write(t, "wrong", "wrong"), "SASL"},
		"mechanism": {"--kafka-sasl-mechanism", "kerberos", "plain, scram-sha-256 or scram-sha-512"},
		"authority": {"--kafka-ca-file", file, "no certificate"},
		"key":       {"--kafka-key-file", certFile, "--kafka-key-file"},
		"absent":    {"--kafka-ca-file", "/nonexistent/ca.pem", "/nonexistent/ca.pem"},
	} {
		wrong := call(t, "http://127.0.0.1:1", "", append(replay, c.flag, c.value)...)
		require.Equal(t, 1, wrong.code, what)
		require.Contains(t, wrong.err, c.says, what)
		require.NotContains(t, wrong.err+wrong.out, "s3cret")
	}
}
