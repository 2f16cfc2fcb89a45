package elastic

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"time"

	"github.com/elastic/elastic-transport-go/v8/elastictransport"
	"github.com/prometheus/client_golang/prometheus"
)

// Compression of request bodies.
type Compression uint8

// Auto compresses unless every URL is this machine's, where it would cost more than it saves.
const (
	Auto Compression = iota
	On
	Off
)

// Options of a Sink.
type Options struct {
	URLs []string // http or https, one per node; they are used in turn
	// APIKey is the encoded key (base64 of id:key). It wins over Username and Password.
	APIKey             string
	Username, Password string
	CACert             []byte // PEM; nil: the system's roots

	IndexPrefix string // default "trackmesh"
	// MaxRequestBytes bounds one bulk request; larger batches are cut. Default 16 MiB: the pump's bound is below it.
	MaxRequestBytes int
	Compression     Compression
	// MaxAge of history, for DeleteOld. Zero: nothing is deleted.
	MaxAge time.Duration
	// Replicas of new indices. Default: none on one node, else one (auto_expand_replicas 0-1).
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	// Transport is a seam for tests and for proxies; nil: one made from CACert.
	Transport http.RoundTripper
	Now       func() time.Time // default time.Now
}

// prefixPattern is what Elasticsearch allows at the start of an index name, and we allow: no wildcard, no date arithmetic.
var prefixPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]{0,63}$`)

func (o *Options) validate() error {
	var errs []error
	if len(o.URLs) == 0 {
		errs = append(errs, errors.New("elastic: no URL"))
	}
	for _, raw := range o.URLs {
		u, err := url.Parse(raw)
		if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			errs = append(errs, fmt.Errorf("elastic: %q is not a URL like https://host:9200", redacted(raw)))
		}
	}
	if o.IndexPrefix == "" {
		o.IndexPrefix = "trackmesh"
	}
	if !prefixPattern.MatchString(o.IndexPrefix) {
		errs = append(errs, fmt.Errorf("elastic: index prefix %q: use lower case letters, digits, '-', '_' and '.'", o.IndexPrefix))
	}
	if o.Logger == nil {
		errs = append(errs, errors.New("elastic: option Logger is missing"))
	}
	if o.Registerer == nil {
		errs = append(errs, errors.New("elastic: option Registerer is missing"))
	}
	if o.MaxRequestBytes <= 0 {
		o.MaxRequestBytes = 16 << 20
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return errors.Join(errs...)
}

// redacted is a URL without its password.
func redacted(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "a URL that cannot be parsed"
	}
	return u.Redacted()
}

func (o *Options) compress() bool {
	if o.Compression != Auto {
		return o.Compression == On
	}
	for _, raw := range o.URLs {
		u, err := url.Parse(raw)
		if err != nil {
			return true
		}
		ip := net.ParseIP(u.Hostname())
		if u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return true
		}
	}
	return false
}

// client is the connection to the cluster. It is the client library's transport: above it is a check of the product's name,
// which a reply by a proxy would fail, and every request of the API in a typed form, which takes minutes to compile.
type client struct {
	*elastictransport.Client
	http http.RoundTripper
}

// connect makes the client. Its own retries are off: the pump repeats, and knows why.
func (o *Options) connect() (*client, error) {
	transport := o.Transport
	if transport == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.MaxIdleConnsPerHost = 16
		if o.CACert != nil {
			roots := x509.NewCertPool()
			if !roots.AppendCertsFromPEM(o.CACert) {
				return nil, errors.New("elastic: the CA file holds no certificate in PEM form")
			}
			t.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
		}
		transport = t
	}
	urls := make([]*url.URL, len(o.URLs))
	for i, raw := range o.URLs {
		u, err := url.Parse(raw)
		if err != nil {
			return nil, fmt.Errorf("elastic: %w", err)
		}
		urls[i] = u
	}
	with := []elastictransport.Option{
		elastictransport.WithUserAgent("trackmesh"), elastictransport.WithURLs(urls...), elastictransport.WithDisableRetry(),
		elastictransport.WithTransport(transport),
	}
	if o.APIKey != "" {
		with = append(with, elastictransport.WithAPIKey(o.APIKey))
	} else if o.Username != "" {
		with = append(with, elastictransport.WithBasicAuth(o.Username, o.Password))
	}
	c, err := elastictransport.NewClient(with...)
	if err != nil {
		return nil, fmt.Errorf("elastic: %w", err)
	}
	return &client{c, transport}, nil
}

// close ends idle connections, and the goroutines that look after nodes that failed.
func (c *client) close(ctx context.Context) error {
	if t, ok := c.http.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
	if err := c.Close(ctx); err != nil {
		return fmt.Errorf("closing the connection to Elasticsearch: %w", err)
	}
	return nil
}
