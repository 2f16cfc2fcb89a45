package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/trackmesh/trackmesh/client"
)

// errEnough ends a tail after --count.
var errEnough = errors.New("enough")

func errIsEnough(err error) bool { return errors.Is(err, errEnough) }

// tail shows events one by one. Columns have widths of their own: nobody knows what comes.
type tail struct {
	app    *app
	cursor string
	left   int // below one: no bound
	begun  bool
}

// tailWidths are the widths of the columns before the last.
var tailWidths = []int{24, 13, 16, 28, 20, 0}

func (t *tail) show(e client.StreamedEvent) error {
	if err := t.print(e.Body); err != nil {
		return err
	}
	t.cursor = e.Cursor
	if t.left--; t.left == 0 {
		return errEnough
	}
	return nil
}

func (t *tail) print(raw json.RawMessage) error {
	switch t.app.output {
	case "json":
		return writeJSON(t.app.out, raw)
	case "geojson":
		f, err := pointFeature(raw, "id", "location")
		if err != nil {
			return err
		}
		return writeJSON(t.app.out, f)
	}
	var e event
	if err := json.Unmarshal(raw, &e); err != nil {
		return fmt.Errorf("reading an event: %w", err)
	}
	if !t.begun {
		t.begun = true
		if err := t.line([]string{"TIME", "TYPE", "VEHICLE", "FENCE", "POSITION", "ABOUT"}); err != nil {
			return err
		}
	}
	return t.line(e.cells()[:len(tailWidths)])
}

func (t *tail) line(cells []string) error {
	var b strings.Builder
	for i, cell := range cells {
		fmt.Fprintf(&b, "%-*s", tailWidths[i], plain(cell))
		if i < len(cells)-1 {
			b.WriteString("  ")
		}
	}
	_, err := fmt.Fprintln(t.app.out, strings.TrimRight(b.String(), " "))
	return err
}
