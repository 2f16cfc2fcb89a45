package webhook

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/trackmesh/trackmesh/geo"
	"github.com/trackmesh/trackmesh/track"
)

// Bounds of a definition.
const (
	maxURLBytes    = 2048
	maxSecretBytes = 256
	minSecretBytes = 16
	maxListed      = 1000 // entries of one list of a filter
	maxNameBytes   = 256  // of one entry
)

// Definition is a webhook as the log keeps it, by its id.
type Definition struct {
	ID      string    `json:"-"`
	Version int64     `json:"-"` // the record's offset
	URL     string    `json:"url"`
	Secret  string    `json:"secret"` // signs; never shown
	Filter  Filter    `json:"filter"`
	Created time.Time `json:"created"`
	// Cursor is the name of its cursor: a webhook that is deleted and made again is another one.
	Cursor string `json:"cursor"`
	// Start is, by partition, the end of the events when it was made: what came before is not its business.
	Start map[int32]int64 `json:"start"`
}

// Filter says which events are sent: those that every list names which is not empty.
type Filter struct {
	Types    []string  `json:"types,omitempty"`
	Fences   []string  `json:"fences,omitempty"`   // ids
	Vehicles []string  `json:"vehicles,omitempty"` // ids
	BBox     []float64 `json:"bbox,omitempty"`     // west, south, east, north in degrees
}

// Change is what a client puts. A nil Secret keeps the one that is there, or has one made.
type Change struct {
	URL    string
	Secret *string
	Filter Filter
}

// InvalidError refuses a part of a change.
type InvalidError struct {
	Pointer string // JSON pointer into the body; "": the id
	Reason  string
}

func (e *InvalidError) Error() string { return e.Reason }

func invalid(pointer, format string, args ...any) error {
	return &InvalidError{Pointer: pointer, Reason: fmt.Sprintf(format, args...)}
}

// ids are short and plain, for they are in names of cursors, actors and metrics.
var ids = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

func checkID(id string) error {
	if !ids.MatchString(id) {
		return invalid("", "a webhook's id has 1 to 64 letters, digits, dots, dashes or underscores and begins with a letter or digit")
	}
	return nil
}

func (c *Change) check() error {
	if err := checkURL(c.URL); err != nil {
		return err
	}
	if s := c.Secret; s != nil && (len(*s) < minSecretBytes || len(*s) > maxSecretBytes) {
		return invalid("/secret", "a secret has %d to %d bytes", minSecretBytes, maxSecretBytes)
	}
	return c.Filter.check()
}

func checkURL(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "":
		return invalid("/url", "the url must be http:// or https:// and name a host")
	case len(raw) > maxURLBytes:
		return invalid("/url", "the url is longer than %d bytes", maxURLBytes)
	case u.User != nil:
		return invalid("/url", "the url must not hold a user or password: check the signature instead")
	case u.Fragment != "":
		return invalid("/url", "the url must not have a fragment")
	}
	return nil
}

func (f *Filter) check() error {
	known := make([]string, track.NumEventTypes)
	for t := range track.NumEventTypes {
		known[t] = t.String()
	}
	for _, t := range f.Types {
		if !slices.Contains(known, t) {
			return invalid("/filter/types", "%q is no type of event: use %s", t, strings.Join(known, ", "))
		}
	}
	for pointer, entries := range map[string][]string{"/filter/fences": f.Fences, "/filter/vehicles": f.Vehicles} {
		if len(entries) > maxListed {
			return invalid(pointer, "more than %d entries", maxListed)
		}
		for _, e := range entries {
			if e == "" || len(e) > maxNameBytes {
				return invalid(pointer, "an entry has 1 to %d bytes", maxNameBytes)
			}
		}
	}
	if len(f.BBox) == 0 {
		return nil
	}
	if len(f.BBox) != 4 {
		return invalid("/filter/bbox", "a box is [west, south, east, north]")
	}
	for i, most := range []float64{180, 90, 180, 90} {
		if !(f.BBox[i] >= -most && f.BBox[i] <= most) {
			return invalid("/filter/bbox", "longitudes are within ±180 and latitudes within ±90 degrees")
		}
	}
	if f.BBox[1] > f.BBox[3] {
		return invalid("/filter/bbox", "its south is above its north")
	}
	return nil
}

// passes reports whether an event is to be sent.
func (f *Filter) passes(e *event) bool {
	return (len(f.Types) == 0 || slices.Contains(f.Types, e.kind)) &&
		(len(f.Fences) == 0 || slices.Contains(f.Fences, e.fence)) &&
		(len(f.Vehicles) == 0 || slices.Contains(f.Vehicles, e.vehicle)) &&
		(len(f.BBox) != 4 || (e.located && geo.Box{West: f.BBox[0], South: f.BBox[1], East: f.BBox[2], North: f.BBox[3]}.Contains(e.location)))
}

// parseDefinition reads a record of the webhooks topic. What somebody else wrote there is no definition.
func parseDefinition(id string, value []byte, version int64) (*Definition, error) {
	d := &Definition{}
	if err := json.Unmarshal(value, d); err != nil {
		return nil, fmt.Errorf("reading the definition: %w", err)
	}
	d.ID, d.Version = id, version
	if err := checkID(id); err != nil {
		return nil, err
	}
	c := Change{URL: d.URL, Secret: &d.Secret, Filter: d.Filter}
	if err := c.check(); err != nil {
		return nil, err
	}
	if d.Cursor == "" {
		return nil, invalid("/cursor", "the definition names no cursor")
	}
	return d, nil
}
