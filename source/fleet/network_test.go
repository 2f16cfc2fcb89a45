package fleet

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/trackmesh/trackmesh/fence"
	"github.com/trackmesh/trackmesh/geo"
)

// reach counts the nodes that can be reached from node 0, forwards or backwards.
func reach(n *Network, backwards bool) int {
	next := make([][]int32, len(n.nodes))
	for _, e := range n.edges {
		if backwards {
			next[e.to] = append(next[e.to], e.from)
		} else {
			next[e.from] = append(next[e.from], e.to)
		}
	}
	seen := make([]bool, len(n.nodes))
	seen[0] = true
	queue := []int32{0}
	for i := 0; i < len(queue); i++ {
		for _, to := range next[queue[i]] {
			if !seen[to] {
				seen[to] = true
				queue = append(queue, to)
			}
		}
	}
	return len(queue)
}

func within(ring [][2]float64, x, y float64) bool {
	in := false
	for i, a := range ring[:len(ring)-1] {
		b := ring[i+1]
		in = in != crosses(a, b, x, y)
	}
	return in
}

func TestNewYorkIsOneNetworkOverAllBoroughsAndAirports(t *testing.T) {
	t.Parallel()
	n, err := newYork()
	require.NoError(t, err)
	require.Equal(t, n.Nodes(), reach(n, false))
	require.Equal(t, n.Nodes(), reach(n, true))
	require.Greater(t, n.Nodes(), 8000)
	require.Len(t, n.landmarks, len(errands))
	for id, least := range map[string]int{
		"borough-manhattan": 2000, "borough-brooklyn": 1500, "borough-queens": 2000, "borough-bronx": 800, "borough-staten-island": 600,
		"airport-jfk": 3, "airport-lga": 2, "airport-ewr": 3,
	} {
		inside := 0
		for _, o := range parsedOutlines() {
			if o.id != id {
				continue
			}
			for _, piece := range o.polygons {
				outline := newStrips(flat(piece[0]))
				for _, p := range n.nodes {
					if outline.has(p.Lon, p.Lat) {
						inside++
					}
				}
			}
		}
		require.GreaterOrEqual(t, inside, least, id)
	}
}

func TestDemoFencesAreFences(t *testing.T) {
	t.Parallel()
	var ids []string
	for _, f := range DemoFences() {
		parsed, err := fence.Parse(f.ID, f.Feature, 1)
		require.NoError(t, err, f.ID)
		require.NotNil(t, parsed)
		var feature struct {
			ID         string
			Properties struct{ Name string }
		}
		require.NoError(t, json.Unmarshal(f.Feature, &feature))
		require.Equal(t, f.ID, feature.ID)
		require.NotEmpty(t, feature.Properties.Name)
		limit := 800
		if strings.HasPrefix(f.ID, "airport-") {
			limit = 200
		}
		require.LessOrEqual(t, strings.Count(string(f.Feature), "[-7"), limit)
		ids = append(ids, f.ID)
	}
	require.ElementsMatch(t, []string{
		"airport-jfk", "airport-lga", "airport-ewr", "airport-teb", "borough-manhattan", "borough-bronx", "borough-brooklyn", "borough-queens",
		"borough-staten-island",
	}, ids)
}

// loop is a one-way square with a street that leads nowhere and another that is not routable.
const loop = `{"type":"FeatureCollection","name":"x","features":[
{"type":"Feature","properties":{"oneway":true,"mph":20},"geometry":{"type":"LineString","coordinates":[[0,0],[0.01,0],[0.01,0.01],[0,0.01],[0,0]]}},
{"type":"Feature","properties":{"oneway":true},"geometry":{"type":"LineString","coordinates":[[0.01,0.01],[0.02,0.02]]}},
{"type":"Feature","properties":{"routable":false},"geometry":{"type":"LineString","coordinates":[[0,0],[0.05,0.05]]}},
{"type":"Feature","properties":{},"geometry":{"type":"LineString","coordinates":[[0,0],[-0.01,0]]}},
{"type":"Feature","properties":{},"geometry":{"type":"Point","coordinates":[0,0]}}
]}`

func TestStreetsKeepDirectionsSpeedsAndTheLargestPart(t *testing.T) {
	t.Parallel()
	n, err := ReadStreets(strings.NewReader(loop))
	require.NoError(t, err)
	require.Equal(t, 5, n.Nodes())
	require.Equal(t, 6, n.Edges())
	slow := 0
	for _, e := range n.edges {
		if e.speed < 10 {
			slow++
			require.InDelta(t, 20*metresPerSecond, e.speed, 1e-3)
		}
	}
	require.Equal(t, 4, slow)
	f, err := New(n, Options{Vehicles: 5, Seed: 1, Start: start})
	require.NoError(t, err)
	require.Len(t, f.Step(start.Add(2e9)), 5)
}

func TestBadStreetsAreRefusedWithTheFeature(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		``:                             "no FeatureCollection",
		`[]`:                           "no FeatureCollection",
		`{"type":"FeatureCollection"}`: "no FeatureCollection",
		`{"features":3}`:               "no FeatureCollection",
		`{"features":[]}`:              "no street",
		`{"features":[`:                "do not end",
		`{"features":[{"geometry":{"type":"LineString","coordinates":[[1]]}}]}`:                                      "feature 1",
		`{"features":[{},{"geometry":{"type":"LineString","coordinates":[[0,0],[0,91]]}}]}`:                          "feature 2",
		`{"features":[{"geometry":{"type":"LineString","coordinates":"x"}}]}`:                                        "feature 1",
		`{"features":[{"properties":{"oneway":true},"geometry":{"type":"LineString","coordinates":[[0,0],[0,1]]}}]}`: "no street",
	} {
		_, err := ReadStreets(strings.NewReader(body))
		require.ErrorContains(t, err, want, body)
	}
}

func TestEveryPartThatIsKeptIsStronglyConnected(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b := &builder{}
		count := rapid.IntRange(2, 30).Draw(t, "nodes")
		for i := range count {
			b.node(geo.Point{Lon: float64(i) * 0.01, Lat: float64(i%7) * 0.01}, false)
		}
		for range rapid.IntRange(1, 90).Draw(t, "edges") {
			b.oneWay(int32(rapid.IntRange(0, count-1).Draw(t, "from")), int32(rapid.IntRange(0, count-1).Draw(t, "to")), 10)
		}
		n, err := b.build()
		if err != nil {
			require.ErrorIs(t, err, errNoStreets)
			return
		}
		require.Equal(t, n.Nodes(), reach(n, false))
		require.Equal(t, n.Nodes(), reach(n, true))
		for i := range n.nodes {
			from, to := n.leaving(int32(i))
			require.Less(t, from, to)
		}
	})
}

func TestTheWayToAHubIsNeverLongerThanOneEdgeMoreThanTheNextNodes(t *testing.T) {
	t.Parallel()
	n, err := newYork()
	require.NoError(t, err)
	h := hub{node: 17}
	h.search(n, n.reversed())
	for i := range n.nodes {
		if int32(i) == h.node {
			require.Equal(t, int32(-1), h.next[i])
			continue
		}
		e := n.edges[h.next[i]]
		require.Equal(t, int32(i), e.from)
		require.Less(t, h.seconds[e.to], h.seconds[i])
	}
}

func FuzzReadStreets(f *testing.F) {
	f.Add([]byte(loop))
	f.Add([]byte(`{"features":[{"geometry":{"type":"LineString","coordinates":[[0,0],[0,1]]}}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		n, err := ReadStreets(strings.NewReader(string(body)))
		if err != nil {
			return
		}
		require.Equal(t, n.Nodes(), reach(n, false))
		require.Equal(t, n.Nodes(), reach(n, true))
	})
}
