//go:build real

package real

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/trackmesh/trackmesh/test/servers"
)

const start0 = 1767600000000

func fix(vehicle string, second int) kgo.Record {
	return kgo.Record{Key: []byte(vehicle), Value: fmt.Appendf(nil, `{"vehicle":%q,"time":%d,"longitude":%.6f,"latitude":40.75,"cargo":"fish"}`,
		vehicle, start0+second*1000, -73.98+float64(second)*0.00012)}
}

// TestANodeBesideRealServers shares one Kafka and one Elasticsearch among what needs both.
func TestANodeBesideRealServers(t *testing.T) {
	kafka := servers.Kafka(t, servers.KafkaOptions{Config: map[string]string{"message.max.bytes": "12000000", "replica.fetch.max.bytes": "12000000"}})
	search := servers.Elasticsearch(t, servers.ElasticsearchOptions{})
	t.Run("a user's own queries work without further set-up", func(t *testing.T) { userQueries(t, kafka, search) })
	t.Run("poison, a 10 MB record and a hot vehicle cost nobody else anything", func(t *testing.T) { badTraffic(t, kafka, search) })
	t.Run("Elasticsearch goes and comes back", func(t *testing.T) { searchDown(t, kafka, search) })
	t.Run("the broker restarts under load", func(t *testing.T) { brokerRestart(t, kafka) })
}

func userQueries(t *testing.T, kafka *servers.KafkaServer, search *servers.ElasticsearchServer) {
	n := start(t, options(t, "queries", kafka.Brokers, search.URL))
	ask(t, http.MethodPut, "http://"+n.Addr()+"/api/v1/fences/yard?wait=10s", `{"type":"Feature","geometry":{"type":"Point","coordinates":[-73.979,40.75]},"properties":{"radius_metres":60}}`, nil)
	var records []kgo.Record
	for i := range 40 {
		records = append(records, fix("v1", i))
	}
	produce(t, kafka.Brokers, "queries", records...)
	eventually(t, "each record is one document", func() bool { return count(t, search.URL, "queries-positions-*") == 40 })
	eventually(t, "each event is one document", func() bool { return count(t, search.URL, "queries-events-*") >= 1 })

	var found struct {
		Hits struct{ Total struct{ Value int } }
		Agg  struct {
			Cells struct{ Buckets []struct{ Key string } }
		} `json:"aggregations"`
	}
	ask(t, http.MethodPost, search.URL+"/queries-positions-*/_search", `{"track_total_hits":true,"query":{"geo_distance":{"distance":"30m","location":[-73.98,40.75]}}}`, &found)
	require.Equal(t, 3, found.Hits.Total.Value)
	ask(t, http.MethodPost, search.URL+"/queries-positions-*/_search", `{"size":0,"aggs":{"cells":{"geohash_grid":{"field":"location","precision":7}}}}`, &found)
	require.NotEmpty(t, found.Agg.Cells.Buckets)
	var caps struct {
		Fields map[string]map[string]any
	}
	ask(t, http.MethodGet, search.URL+"/queries-*/_field_caps?fields=location,vehicle,@timestamp,geohash", "", &caps)
	require.Contains(t, caps.Fields["location"], "geo_point")
	require.Contains(t, caps.Fields["vehicle"], "keyword")
	require.Contains(t, caps.Fields["@timestamp"], "date")
	require.Contains(t, caps.Fields["geohash"], "keyword")
}

func badTraffic(t *testing.T, kafka *servers.KafkaServer, search *servers.ElasticsearchServer) {
	n := start(t, options(t, "bad", kafka.Brokers, search.URL))
	require.NoError(t, setTopicConfig(kafka.Brokers, "bad", "max.message.bytes", "12000000"))
	records := []kgo.Record{fix("v1", 0), {Key: []byte("v1"), Value: []byte("poison")}, {Key: []byte("v1"), Value: append([]byte(`{"vehicle":"v1","x":"`), append([]byte(strings.Repeat("x", 10<<20)), '"', '}')...)}}
	for i := range 300 {
		records = append(records, fix("hot", i))
	}
	records = append(records, fix("v1", 10), fix("v2", 0))
	produce(t, kafka.Brokers, "bad", records...)
	eventually(t, "all good records are documents", func() bool { return count(t, search.URL, "bad-positions-*") == 303 })
	reasons := map[string]int{}
	for p := range 2 {
		var body string
		eventually(t, "the dead letters are shown", func() bool {
			resp, err := http.Get(fmt.Sprintf("http://%s/api/v1/log/bad.dead?partition=%d&limit=100", n.Addr(), p))
			if err != nil {
				return false
			}
			defer resp.Body.Close()
			b := new(strings.Builder)
			_, err = fmt.Fprint(b, readAll(resp))
			body = b.String()
			return err == nil && resp.StatusCode == http.StatusOK
		})
		reasons["unparsable"] += strings.Count(body, `"reason":"unparsable"`)
		reasons["position"] += strings.Count(body, `"reason":"position"`)
		require.Less(t, len(body), 1<<20, "the large record is truncated")
	}
	require.Equal(t, 2, reasons["unparsable"]+reasons["position"])
}

func searchDown(t *testing.T, kafka *servers.KafkaServer, search *servers.ElasticsearchServer) {
	n := start(t, options(t, "down", kafka.Brokers, search.URL))
	produce(t, kafka.Brokers, "down", fix("v1", 0))
	eventually(t, "the first document", func() bool { return count(t, search.URL, "down-positions-*") == 1 })
	search.Stop()
	for i := range 50 {
		produce(t, kafka.Brokers, "down", fix("v1", 10+i))
	}
	var view struct {
		Offset struct{ Offset int64 } `json:"last_offset"`
	}
	eventually(t, "tracks go on without Elasticsearch", func() bool {
		return ask(t, http.MethodGet, "http://"+n.Addr()+"/api/v1/tracks/v1", "", &view) == http.StatusOK && view.Offset.Offset >= 50
	})
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	require.NoError(t, search.Start(ctx))
	eventually(t, "the sink catches up", func() bool { return count(t, search.URL, "down-positions-*") == 51 })
}

func brokerRestart(t *testing.T, kafka *servers.KafkaServer) {
	o := options(t, "restart", kafka.Brokers, "")
	n := start(t, o)
	sent := 0
	send := func(k int) {
		for range k {
			produce(t, kafka.Brokers, "restart", fix("v1", sent))
			sent++
		}
	}
	send(20)
	restarted := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		restarted <- kafka.Restart(ctx)
	}()
	send(30) // the client waits for the broker
	require.NoError(t, <-restarted)
	send(10)
	var view struct {
		Offset   struct{ Offset int64 } `json:"last_offset"`
		Odometer float64                `json:"odometer_metres"`
	}
	eventually(t, "the track has all fixes", func() bool {
		return ask(t, http.MethodGet, "http://"+n.Addr()+"/api/v1/tracks/v1", "", &view) == http.StatusOK && view.Offset.Offset == int64(sent-1)
	})
	require.InDelta(t, float64(sent-1)*10.13, view.Odometer, 10, "no fix was lost or applied twice")
	eventually(t, "ready again", func() bool { return ask(t, http.MethodGet, "http://"+n.Addr()+"/readyz", "", nil) == http.StatusOK })
}

// TestSharedDataReplays plays the team's real data through a node where it is there (scripts/replay-shared.sh names the folder).
func TestSharedDataReplays(t *testing.T) {
	dir := os.Getenv("TRACKMESH_SHARED_DATA")
	if dir == "" {
		t.Log("TRACKMESH_SHARED_DATA is not set: this machine has no real data")
		return
	}
	for file, c := range map[string]struct {
		contentType string
		maps        []string
	}{
		"taxi-route.csv": {"text/csv; layout=taxi", nil},
		"nyc-buses.csv":  {"text/csv; header=present", []string{"longitude=lon", "latitude=lat", "speed=speed_mph:mph"}},
	} {
		t.Run(file, func(t *testing.T) {
			raw, err := os.ReadFile(filepath.Join(dir, file))
			require.NoError(t, err)
			o := options(t, "shared", nil, "")
			o.Format, o.Map, o.QuietClock, o.KafkaBrokers = "csv", c.maps, false, nil
			n := start(t, o)
			want := len(lines(raw))
			if strings.Contains(c.contentType, "header") {
				want--
			}
			req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "http://"+n.Addr()+"/api/v1/positions", strings.NewReader(string(raw)))
			require.NoError(t, err)
			req.Header.Set("Content-Type", c.contentType)
			resp, err := http.DefaultClient.Do(req)
			require.NoError(t, err)
			answer := readAll(resp)
			require.Contains(t, answer, fmt.Sprintf(`"stored":%d`, want))
			eventually(t, "all of it is handled", func() bool {
				var state struct {
					Partitions []struct {
						Offset int `json:"input_offset"`
					}
				}
				ask(t, http.MethodGet, "http://"+n.Addr()+"/api/v1/cluster", "", &state)
				sum := 0
				for _, p := range state.Partitions {
					sum += p.Offset
				}
				return sum == want
			})
			metrics := ""
			eventually(t, "nothing was refused", func() bool {
				resp, err := http.Get("http://" + n.Addr() + "/metrics")
				if err != nil {
					return false
				}
				metrics = readAll(resp)
				return strings.Contains(metrics, `trackmesh_records_total{outcome="accepted"}`)
			})
			require.NotContains(t, metrics, `outcome="dead"`)
		})
	}
}
