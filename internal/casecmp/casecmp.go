// Package casecmp compares what came out of a worked case with what must: JSON lines of enriched documents, events and dead
// letters, in any order, with the tolerances of the cases' own comparer.
//
// It owns the comparison only, for tests of several packages; it starts nothing.
package casecmp

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/trackmesh/trackmesh/geo"
)

type object = map[string]any

// Tolerances: a second for what is dated between fixes, 0.5 % (and half a metre, or 0.05) for numbers, 2 m for places, 1 degree.
const (
	softMS        = 1000
	relative      = 0.005
	metresSlack   = 0.5
	otherSlack    = 0.05
	placeMetres   = 2
	headingSlack  = 1
	nearestMS     = 60_000
	orderLookback = 12
)

// Differences says what differs between the expected and the actual lines; nothing when they agree. Fields that the expected
// lines do not have are not judged.
func Differences(expected, actual [][]byte) []string {
	c := &comparison{}
	want, got := c.load(expected), c.load(actual)
	for _, kind := range []string{"enriched", "dead"} {
		c.documents(kind, want[kind], got[kind])
	}
	c.events(want["event"], got["event"])
	return c.found
}

type comparison struct{ found []string }

func (c *comparison) bad(format string, args ...any) {
	c.found = append(c.found, fmt.Sprintf(format, args...))
}

func (c *comparison) load(lines [][]byte) map[string][]object {
	all := map[string][]object{}
	for _, line := range lines {
		var o object
		if err := json.Unmarshal(line, &o); err != nil {
			c.bad("not JSON: %v: %.200s", err, line)
			continue
		}
		k := kindOf(o)
		all[k] = append(all[k], o)
	}
	return all
}

func kindOf(o object) string {
	if k, ok := o["kind"].(string); ok {
		return k
	}
	if o["type"] != nil && o["sequence"] != nil {
		return "event"
	}
	if o["location"] != nil {
		return "enriched"
	}
	return "dead"
}

func offsetOf(o object) float64 {
	source, _ := o["source"].(object)
	n, _ := source["offset"].(float64)
	return n
}

func (c *comparison) documents(kind string, want, got []object) {
	at := map[float64][]object{}
	for _, d := range got {
		at[offsetOf(d)] = append(at[offsetOf(d)], d)
	}
	for _, e := range want {
		offset := offsetOf(e)
		ds := at[offset]
		delete(at, offset)
		if len(ds) != 1 {
			c.bad("%s offset %v: %d times, expected once", kind, offset, len(ds))
			continue
		}
		for k, v := range e {
			switch {
			case k == "kind" || k == "source" || k == "reason":
			case k == "heading_degrees" && numberOr(e["distance_metres"], 9) < 2:
			case k == "@timestamp" && v != ds[0][k]:
				c.bad("%s offset %v %s: %v, expected %v", kind, offset, k, ds[0][k], v)
			default:
				if why := differs(k, v, ds[0][k], softMS); why != "" {
					c.bad("%s offset %v %s: %s", kind, offset, k, why)
				}
			}
		}
	}
	for offset, ds := range at {
		c.bad("%s offset %v unexpected: %v", kind, offset, ds[0])
	}
}

func numberOr(v any, otherwise float64) float64 {
	if f, ok := v.(float64); ok {
		return f
	}
	return otherwise
}

type eventKey struct{ vehicle, kind, fence string }

func keyOf(e object) eventKey {
	f, _ := e["fence"].(object)
	return eventKey{text(e["vehicle"]), text(e["type"]), text(f["id"])}
}

func text(v any) string { s, _ := v.(string); return s }

func label(e object) string {
	k := keyOf(e)
	return fmt.Sprintf("%s %s %s %v", k.vehicle, k.kind, k.fence, e["@timestamp"])
}

func millis(v any) float64 {
	t, err := time.Parse(time.RFC3339, text(v))
	if err != nil {
		return math.NaN()
	}
	return float64(t.UnixMilli())
}

func (c *comparison) events(want, got []object) {
	left := map[eventKey][]object{}
	for _, e := range got {
		left[keyOf(e)] = append(left[keyOf(e)], e)
	}
	expectedOf := map[eventKey]int{}
	for _, e := range want {
		expectedOf[keyOf(e)]++
	}
	actualOf := map[eventKey]int{}
	for k, es := range left {
		actualOf[k] = len(es)
	}
	var pairs [][2]object
	for _, e := range want {
		k := keyOf(e)
		at := nearest(left[k], millis(e["@timestamp"]))
		if at < 0 || (math.Abs(millis(left[k][at]["@timestamp"])-millis(e["@timestamp"])) > nearestMS && expectedOf[k] != actualOf[k]) {
			c.bad("event missing: %s cause %v", label(e), e["cause"])
			continue
		}
		a := left[k][at]
		left[k] = slices.Delete(left[k], at, at+1)
		pairs = append(pairs, [2]object{e, a})
		c.event(e, a)
	}
	for _, es := range left {
		for _, e := range es {
			c.bad("event unexpected: %s cause %v", label(e), e["cause"])
		}
	}
	c.sequences(got)
	c.order(pairs)
}

func nearest(es []object, at float64) int {
	best := -1
	for i, e := range es {
		if best < 0 || math.Abs(millis(e["@timestamp"])-at) < math.Abs(millis(es[best]["@timestamp"])-at) {
			best = i
		}
	}
	return best
}

func (c *comparison) event(e, a object) {
	soft := slices.Contains([]string{"enter", "exit", "cross", "dwell"}, text(e["type"]))
	for k, v := range e {
		if k == "kind" || k == "sequence" || k == "id" {
			continue
		}
		tolerance := 0.0
		if soft || k == "stop" || k == "trip" || k == "gap" {
			tolerance = softMS
		}
		if why := differs(k, v, a[k], tolerance); why != "" {
			c.bad("event %s: %s: %s", label(e), k, why)
		}
	}
}

// sequences of a vehicle go from 1 without a hole; a forgotten vehicle starts again.
func (c *comparison) sequences(got []object) {
	of := map[string][]float64{}
	for _, e := range got {
		of[text(e["vehicle"])] = append(of[text(e["vehicle"])], numberOr(e["sequence"], math.NaN()))
	}
	for v, ns := range of {
		slices.Sort(ns)
		ns = slices.Compact(ns)
		for i, n := range ns {
			if n != float64(i+1) {
				c.bad("sequence of %s has holes: %v", v, ns)
				break
			}
		}
	}
}

func (c *comparison) order(pairs [][2]object) {
	of := map[string][][2]object{}
	for _, p := range pairs {
		v := text(p[0]["vehicle"])
		of[v] = append(of[v], p)
	}
	for _, ps := range of {
		slices.SortStableFunc(ps, func(a, b [2]object) int {
			return cmp.Compare(numberOr(a[0]["sequence"], 0), numberOr(b[0]["sequence"], 0))
		})
		for i, p := range ps {
			for _, q := range ps[i+1 : min(len(ps), i+orderLookback)] {
				if numberOr(p[1]["sequence"], 0) > numberOr(q[1]["sequence"], 0) &&
					math.Abs(millis(p[0]["@timestamp"])-millis(q[0]["@timestamp"])) > softMS {
					c.bad("order: %s came before %s", label(q[0]), label(p[0]))
				}
			}
		}
	}
}

// differs says how the actual value of a field differs from the expected one; "" when it does not.
func differs(key string, e, a any, tolerance float64) string {
	if a == nil {
		return fmt.Sprintf("missing, expected %v", e)
	}
	unequal := fmt.Sprintf("%v, expected %v", a, e)
	switch e := e.(type) {
	case object:
		actual, _ := a.(object)
		for k, v := range e {
			if why := differs(k, v, actual[k], tolerance); why != "" {
				return k + ": " + why
			}
		}
		return ""
	case []any:
		return differsList(key, e, a, unequal)
	case float64:
		if f, ok := a.(float64); ok && near(key, e, f, tolerance) {
			return ""
		}
		return unequal
	case string:
		if at := millis(e); !math.IsNaN(at) && math.Abs(at-millis(a)) <= tolerance {
			return ""
		}
	}
	if e == a {
		return ""
	}
	return unequal
}

func differsList(key string, e []any, a any, unequal string) string {
	actual, _ := a.([]any)
	if key == "location" {
		if p, q := point(e), point(actual); geo.Distance(p, q) > placeMetres {
			return fmt.Sprintf("%s (%.1f m off)", unequal, geo.Distance(p, q))
		}
		return ""
	}
	sorted := func(l []any) []string {
		var s []string
		for _, v := range l {
			s = append(s, fmt.Sprint(v))
		}
		slices.Sort(s)
		return s
	}
	if slices.Equal(sorted(e), sorted(actual)) {
		return ""
	}
	return unequal
}

func point(l []any) geo.Point {
	if len(l) != 2 {
		return geo.Point{Lat: math.NaN()}
	}
	return geo.Point{Lon: numberOr(l[0], math.NaN()), Lat: numberOr(l[1], math.NaN())}
}

func near(key string, e, a, tolerance float64) bool {
	hasSuffix := func(s string) bool { return len(key) >= len(s) && key[len(key)-len(s):] == s }
	switch {
	case key == "heading_degrees":
		return math.Abs(math.Mod(e-a+540, 360)-180) <= headingSlack
	case key == "offset":
		return e == a
	case hasSuffix("_seconds"):
		return math.Abs(e-a) <= tolerance/1000
	case hasSuffix("_metres"):
		return math.Abs(e-a) <= math.Max(relative*math.Abs(e), metresSlack)
	}
	return math.Abs(e-a) <= math.Max(relative*math.Abs(e), otherSlack)
}
