package remote

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// authority signs certificates for nodes.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	dir  string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{dir: t.TempDir()}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "the cluster"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	var err error
	a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	require.NoError(t, err)
	a.cert, err = x509.ParseCertificate(der)
	require.NoError(t, err)
	a.write(t, "ca.pem", "CERTIFICATE", der)
	return a
}

func (a *authority) write(t *testing.T, name, kind string, der []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(a.dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
}

// node is the configuration of a node with a certificate of this authority, which names no host.
func (a *authority) node(t *testing.T) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "a node"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, KeyUsage: x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	require.NoError(t, err)
	a.write(t, "node.pem", "CERTIFICATE", der)
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	a.write(t, "node.key", "PRIVATE KEY", raw)
	config, err := ReadTLS(filepath.Join(a.dir, "node.pem"), filepath.Join(a.dir, "node.key"), filepath.Join(a.dir, "ca.pem"))
	require.NoError(t, err)
	return config
}

func TestNodesWithCertificatesOfTheirAuthorityUnderstandEachOther(t *testing.T) {
	ca := newAuthority(t)
	with := func(o *Options) { o.TLS = ca.node(t) }
	a, b := start(t, echo, with), start(t, echo, with)
	answer, err := a.Ask(within(t, 5*time.Second), member(b), question("x"))
	require.NoError(t, err)
	require.Equal(t, "x", answer.GetDetail())
}

func TestWhoHasNoCertificateOfTheAuthorityIsRefusedBothWays(t *testing.T) {
	ca := newAuthority(t)
	b := start(t, echo, func(o *Options) { o.TLS = ca.node(t) })
	strangers := map[string]*tls.Config{
		"plain text": nil, "no certificate": {InsecureSkipVerify: true}, //nolint:gosec // a stranger checks nothing
		"another authority": newAuthority(t).node(t),
	}
	for name, config := range strangers {
		t.Run(name, func(t *testing.T) {
			a := start(t, echo, func(o *Options) { o.TLS = config })
			_, err := a.Ask(within(t, 500*time.Millisecond), member(b), question("x"))
			require.Error(t, err)
			_, err = b.Ask(within(t, 500*time.Millisecond), member(a), question("x"))
			require.Error(t, err)
		})
	}
}

func TestReadTLSNamesTheFileAtFault(t *testing.T) {
	_, err := ReadTLS("nowhere.pem", "nowhere.key", "nowhere-ca.pem")
	require.ErrorContains(t, err, "certificate and key")
	ca := newAuthority(t)
	ca.node(t)
	_, err = ReadTLS(filepath.Join(ca.dir, "node.pem"), filepath.Join(ca.dir, "node.key"), filepath.Join(ca.dir, "node.key"))
	require.ErrorContains(t, err, "holds no PEM certificate")
}
