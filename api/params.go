package api

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/trackmesh/trackmesh/geo"
	"github.com/trackmesh/trackmesh/track"
)

// params reads a request's query parameters and keeps the first one that is wrong.
type params struct {
	values url.Values
	err    *problem
}

// readParams takes the query of a request; parameters other than the allowed ones are refused, so that a typing error does not go
// unnoticed.
func readParams(r *http.Request, allowed ...string) *params {
	values, err := url.ParseQuery(r.URL.RawQuery)
	p := &params{values: values}
	if err != nil {
		p.fail("query", "cannot be read: "+err.Error())
	}
	for name := range values {
		if !slices.Contains(allowed, name) {
			p.fail(name, "is not a parameter here; there are "+strings.Join(allowed, ", "))
		}
	}
	return p
}

func (p *params) fail(name, detail string) {
	if p.err == nil {
		p.err = badParameter(name, detail)
	}
}

// problem returns what was wrong, as an error that is nil when nothing was.
func (p *params) problem() error {
	if p.err == nil {
		return nil
	}
	return p.err
}

func (p *params) has(name string) bool { return p.values.Get(name) != "" }

func (p *params) text(name string) string { return p.values.Get(name) }

// list reads a parameter that may be repeated or hold commas.
func (p *params) list(name string) []string {
	var all []string
	for _, v := range p.values[name] {
		for item := range strings.SplitSeq(v, ",") {
			if item = strings.TrimSpace(item); item != "" {
				all = append(all, item)
			}
		}
	}
	return all
}

// each reads a parameter that may be repeated, each taken as it stands: ids may hold commas.
func (p *params) each(name string) []string {
	return slices.DeleteFunc(slices.Clone(p.values[name]), func(s string) bool { return s == "" })
}

func (p *params) flag(name string) bool {
	switch v := p.values.Get(name); v {
	case "", "false", "0":
		return false
	case "true", "1":
		return true
	default:
		p.fail(name, "must be true or false")
		return false
	}
}

// choice reads one of some words; absent, the first.
func (p *params) choice(name string, words ...string) string {
	v := p.values.Get(name)
	if v == "" {
		return words[0]
	}
	if !slices.Contains(words, v) {
		p.fail(name, "must be one of "+strings.Join(words, ", "))
	}
	return v
}

// integer reads a whole number between two bounds.
func (p *params) integer(name string, absent, lowest, highest int) int {
	v := p.values.Get(name)
	if v == "" {
		return absent
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < lowest || n > highest {
		p.fail(name, fmt.Sprintf("must be a whole number from %d to %d", lowest, highest))
		return absent
	}
	return n
}

// offset reads a log offset.
func (p *params) offset(name string, absent int64) int64 {
	v := p.values.Get(name)
	if v == "" {
		return absent
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n < 0 {
		p.fail(name, "must be an offset")
		return absent
	}
	return n
}

// metres reads a length above zero.
func (p *params) metres(name string) float64 {
	v := p.values.Get(name)
	if v == "" {
		return 0
	}
	m, err := strconv.ParseFloat(v, 64)
	if err != nil || !(m > 0) || math.IsInf(m, 0) {
		p.fail(name, "must be a number of metres above zero")
		return 0
	}
	return m
}

// moment reads a time: RFC 3339, or epoch milliseconds. Absent is the zero time.
func (p *params) moment(name string) time.Time {
	v := p.values.Get(name)
	if v == "" {
		return time.Time{}
	}
	t, err := parseTime(v)
	if err != nil {
		p.fail(name, err.Error())
	}
	return t
}

// span reads from and to.
func (p *params) span() (from, to time.Time) {
	from, to = p.moment("from"), p.moment("to")
	if !from.IsZero() && !to.IsZero() && !from.Before(to) {
		p.fail("to", "must be after from")
	}
	return from, to
}

// box reads bbox; absent is nil.
func (p *params) box() *geo.Box {
	v := p.values.Get("bbox")
	if v == "" {
		return nil
	}
	b, err := parseBox(v)
	if err != nil {
		p.fail("bbox", err.Error())
		return nil
	}
	return &b
}

func (p *params) statuses() []track.Status {
	var all []track.Status
	for _, name := range p.list("status") {
		s, ok := statusByName[name]
		if !ok {
			p.fail("status", "must be moving, stopped or silent")
			return nil
		}
		all = append(all, s)
	}
	return all
}

var statusByName = map[string]track.Status{"moving": track.Moving, "stopped": track.Stopped, "silent": track.Silent}

// eventTypes reads type, each of which must be one that there is.
func (p *params) eventTypes() []string {
	types := p.list("type")
	for _, t := range types {
		if !slices.Contains(knownEventTypes, t) {
			p.fail("type", t+" is not a type of event; there are "+strings.Join(knownEventTypes, ", "))
		}
	}
	return types
}

var knownEventTypes = func() []string {
	var names []string
	for t := range track.NumEventTypes {
		names = append(names, t.String())
	}
	return names
}()

// wait reads how long to wait for an effect, at most a minute.
func (p *params) wait() time.Duration {
	v := p.values.Get("wait")
	if v == "" {
		return 0
	}
	d, err := time.ParseDuration(v)
	if err != nil || d < 0 || d > time.Minute {
		p.fail("wait", "must be a duration such as 2s, at most 1m")
		return 0
	}
	return d
}

// earliestMS and latestMS bound the times that are taken for epoch milliseconds: the years 1 to 9999.
const (
	earliestMS = -62135596800000
	latestMS   = 253402300799999
)

// parseTime reads RFC 3339 or epoch milliseconds.
func parseTime(v string) (time.Time, error) {
	if ms, err := strconv.ParseInt(v, 10, 64); err == nil {
		if ms < earliestMS || ms > latestMS {
			return time.Time{}, fmt.Errorf("%d is no time in epoch milliseconds", ms)
		}
		return time.UnixMilli(ms).UTC(), nil
	}
	t, err := time.Parse(time.RFC3339, v)
	if err != nil || t.UnixMilli() < earliestMS || t.UnixMilli() > latestMS {
		return time.Time{}, fmt.Errorf("%q is neither RFC 3339 (a + in it must be sent as %%2B) nor epoch milliseconds", v)
	}
	return t.UTC(), nil
}

// parseBox reads west,south,east,north; west above east crosses the antimeridian. Longitudes beyond ±180, as maps send them, are
// brought back.
func parseBox(v string) (geo.Box, error) {
	n, err := parseNumbers(v, 4)
	if err != nil {
		return geo.Box{}, fmt.Errorf("must be west,south,east,north: %w", err)
	}
	return boxOf(n[0], n[1], n[2], n[3])
}

func boxOf(west, south, east, north float64) (geo.Box, error) {
	switch {
	case south > north:
		return geo.Box{}, fmt.Errorf("south %v is above north %v", south, north)
	case south < -90 || north > 90:
		return geo.Box{}, errors.New("latitudes are from -90 to 90")
	case math.Abs(west) > 540 || math.Abs(east) > 540:
		return geo.Box{}, errors.New("longitudes are from -180 to 180")
	case east-west >= 360:
		return geo.Box{West: -180, South: south, East: 180, North: north}, nil
	}
	if west < -180 || west > 180 {
		west = geo.NormalizeLon(west)
	}
	if east < -180 || east > 180 {
		east = geo.NormalizeLon(east)
	}
	return geo.Box{West: west, South: south, East: east, North: north}, nil
}

// parsePoint reads lon,lat.
func parsePoint(v string) (geo.Point, error) {
	n, err := parseNumbers(v, 2)
	if err != nil {
		return geo.Point{}, fmt.Errorf("must be lon,lat: %w", err)
	}
	if math.Abs(n[0]) > 180 || math.Abs(n[1]) > 90 {
		return geo.Point{}, errors.New("must be lon,lat within ±180,±90")
	}
	return geo.Point{Lon: n[0], Lat: n[1]}, nil
}

func parseNumbers(v string, n int) ([]float64, error) {
	parts := strings.Split(v, ",")
	if len(parts) != n {
		return nil, fmt.Errorf("%d numbers are wanted, there are %d", n, len(parts))
	}
	numbers := make([]float64, n)
	for i, part := range parts {
		f, err := strconv.ParseFloat(strings.TrimSpace(part), 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return nil, fmt.Errorf("%q is not a number", part)
		}
		numbers[i] = f
	}
	return numbers, nil
}

// pathID reads a vehicle or fence id out of the path.
func pathID(r *http.Request, name string) (string, error) {
	id := r.PathValue(name)
	switch {
	case id == "" || len(id) > 128:
		return "", newProblem(http.StatusBadRequest, "an id in the path has 1 to 128 bytes")
	case !utf8.ValidString(id) || strings.ContainsFunc(id, unicode.IsControl):
		return "", newProblem(http.StatusBadRequest, "an id in the path is UTF-8 without control characters, percent-encoded")
	}
	return id, nil
}
