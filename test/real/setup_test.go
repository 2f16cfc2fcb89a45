//go:build real

package real

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/trackmesh/trackmesh/internal/node"
)

// options of a node beside real servers.
func options(t *testing.T, topic string, brokers []string, elasticsearch string) node.Options {
	t.Helper()
	o := node.DefaultOptions()
	o.HTTPAddr, o.DataDir, o.Demo, o.NodeName, o.Topic, o.Group = "127.0.0.1:0", t.TempDir(), "off", "test", topic, "g-"+topic
	o.KafkaBrokers, o.Partitions, o.CommitInterval = brokers, 2, 50*time.Millisecond
	o.ElasticsearchBulkAge, o.ElasticsearchIndexPrefix = 100*time.Millisecond, topic
	if elasticsearch != "" {
		o.ElasticsearchURLs = []string{elasticsearch}
	}
	return o
}

func start(t *testing.T, o node.Options) *node.Node {
	t.Helper()
	n, err := node.Start(context.Background(), o, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, n.Stop(context.Background())) })
	return n
}

// produce writes records with an ordinary client, as anybody may.
func produce(t *testing.T, brokers []string, topic string, records ...kgo.Record) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ProducerBatchMaxBytes(20<<20))
	require.NoError(t, err)
	defer cl.Close()
	for i := range records {
		records[i].Topic = topic
		require.NoError(t, cl.ProduceSync(context.Background(), &records[i]).FirstErr())
	}
}

// ask makes a request and decodes a JSON answer.
func ask(t *testing.T, method, url, body string, into any) int {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, url, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	if into != nil {
		require.NoError(t, json.Unmarshal(raw, into), "%s", raw)
	}
	return resp.StatusCode
}

// count asks Elasticsearch how many documents an index pattern has; 0 while it has none.
func count(t *testing.T, url, pattern string) int {
	t.Helper()
	var a struct{ Count int }
	ask(t, http.MethodPost, url+"/"+pattern+"/_refresh", "", nil)
	ask(t, http.MethodGet, url+"/"+pattern+"/_count", "", &a)
	return a.Count
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	require.Eventually(t, holds, 2*time.Minute, 200*time.Millisecond, what)
}

func lines(b []byte) []string {
	return strings.Split(string(bytes.TrimSpace(b)), "\n")
}
