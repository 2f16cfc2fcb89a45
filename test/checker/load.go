package checker

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// Record is one input record of a load.
type Record struct {
	Vehicle string // its key
	Value   string
}

// loadStart is the event time of the first fixes: long ago, so that nothing is in the future.
const loadStart = 1767600000000

// Fences of a load: two squares and a circle in the way of its vehicles.
const Fences = `{"type":"FeatureCollection","features":[
{"type":"Feature","id":"a","geometry":{"type":"Polygon","coordinates":[[[-73.99,40.74],[-73.98,40.74],[-73.98,40.76],[-73.99,40.76],[-73.99,40.74]]]},"properties":{"name":"A","dwell_seconds":60}},
{"type":"Feature","id":"b","geometry":{"type":"Polygon","coordinates":[[[-73.97,40.74],[-73.96,40.74],[-73.96,40.76],[-73.97,40.76],[-73.97,40.74]]]},"properties":{"name":"B"}},
{"type":"Feature","id":"c","geometry":{"type":"Point","coordinates":[-73.975,40.75]},"properties":{"name":"C","radius_metres":250}}]}`

// Load is a seeded mix of what vehicles send: drives through fences, stops, silences, repeated, late and bad records.
func Load(seed uint64, vehicles, fixes int) []Record {
	random := rand.New(rand.NewPCG(seed, 1))
	cars := make([]car, vehicles)
	for i := range cars {
		cars[i] = car{id: fmt.Sprintf("car-%03d", i), lon: -74 + random.Float64()*0.05, lat: 40.745 + random.Float64()*0.01, speed: 0.0001}
	}
	var records []Record
	for n := range fixes {
		for i := range cars {
			records = append(records, cars[i].send(random, n)...)
		}
	}
	return records
}

type car struct {
	id       string
	lon, lat float64
	speed    float64 // degrees of longitude a step
	resting  int     // steps to stand still
	silent   int     // steps to say nothing
}

func (c *car) send(random *rand.Rand, step int) []Record {
	c.move(random)
	if c.silent > 0 {
		c.silent--
		return nil
	}
	line := func(at int64) string {
		return fmt.Sprintf(`{"vehicle":%q,"time":%d,"longitude":%.7f,"latitude":%.7f,"accuracy":%d,"n":%d}`, c.id, at, c.lon, c.lat, random.IntN(20), step)
	}
	now := int64(loadStart + step*10_000)
	records := []Record{{c.id, line(now)}}
	switch random.IntN(100) {
	case 0:
		records = append(records, records[0])
	case 1:
		records = append(records, Record{c.id, line(now - 60_000)})
	case 2:
		records = append(records, Record{c.id, strings.TrimSuffix(records[0].Value, "}") + " bad"})
	case 3:
		records = append(records, Record{c.id, fmt.Sprintf(`{"vehicle":%q,"time":%d,"longitude":500,"latitude":%d}`, c.id, now, step)})
	}
	return records
}

func (c *car) move(random *rand.Rand) {
	switch {
	case c.resting > 0:
		c.resting--
	case random.IntN(60) == 0:
		c.resting = 5 + random.IntN(30)
	case random.IntN(200) == 0:
		c.silent = 20 + random.IntN(40)
	default:
		c.lon += c.speed * (0.5 + random.Float64())
		if c.lon > -73.95 || c.lon < -74 {
			c.speed = -c.speed
		}
	}
}
