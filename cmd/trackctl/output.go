package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// answer is one thing to show, in the form that --output asks for.
type answer struct {
	raw   json.RawMessage                 // for json
	geo   func() (json.RawMessage, error) // for geojson; nil: it has no place on earth
	table func(w io.Writer) error         // for people
	// notes go to stderr, for people only.
	notes []string
}

func (a *app) show(x answer) error {
	switch a.output {
	case "json":
		return writeJSON(a.out, x.raw)
	case "geojson":
		if x.geo == nil {
			return errors.New("this has no geometry: use --output table or json")
		}
		doc, err := x.geo()
		if err != nil {
			return err
		}
		return writeJSON(a.out, doc)
	}
	var buf bytes.Buffer
	if err := x.table(&buf); err != nil {
		return err
	}
	if _, err := a.out.Write(buf.Bytes()); err != nil {
		return err
	}
	for _, note := range x.notes {
		a.say("%s\n", note)
	}
	return nil
}

// say tells a person something beside the answer.
func (a *app) say(format string, args ...any) { _, _ = fmt.Fprintf(a.err, format, args...) } // nobody is left to be told

// writeJSON writes a document on one line.
func writeJSON(w io.Writer, raw json.RawMessage) error {
	var buf bytes.Buffer
	if err := json.Compact(&buf, raw); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	buf.WriteByte('\n')
	_, err := w.Write(buf.Bytes())
	return err
}

// asIs is for answers that are GeoJSON already.
func asIs(raw json.RawMessage) func() (json.RawMessage, error) {
	return func() (json.RawMessage, error) { return raw, nil }
}

// table lines up cells in columns.
type table struct {
	rows [][]string
	bare bool // without a header: names and values
}

func newTable(header ...string) *table { return &table{rows: [][]string{header}} }

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) write(w io.Writer) error {
	var lines bytes.Buffer
	tw := tabwriter.NewWriter(&lines, 0, 0, 2, ' ', 0)
	for i, row := range t.rows {
		cells := make([]string, len(row))
		for j, cell := range row {
			cells[j] = plain(cell)
			if i == 0 && !t.bare {
				cells[j] = strings.ToUpper(cell)
			}
		}
		if _, err := fmt.Fprintln(tw, strings.Join(cells, "\t")); err != nil {
			return err
		}
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(lines.String()) {
		if _, err := io.WriteString(w, strings.TrimRight(line, " \n")+"\n"); err != nil {
			return err
		}
	}
	return nil
}

// plain takes out what a terminal would obey: names come from anybody.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// fields is a table of names and values.
func fields(pairs ...string) *table {
	t := &table{bare: true}
	for i := 0; i+1 < len(pairs); i += 2 {
		t.add(pairs[i], pairs[i+1])
	}
	return t
}

// number is a number that may be absent.
type number = *float64

func metres(v number) string {
	switch {
	case v == nil:
		return "-"
	case math.Abs(*v) >= 10_000:
		return strconv.FormatFloat(*v/1000, 'f', 1, 64) + " km"
	}
	return strconv.FormatFloat(*v, 'f', 0, 64) + " m"
}

func speed(v number) string {
	if v == nil {
		return "-"
	}
	return strconv.FormatFloat(*v, 'f', 1, 64) + " m/s"
}

func heading(v number) string {
	if v == nil {
		return "-"
	}
	return strconv.FormatFloat(*v, 'f', 0, 64) + "°"
}

func place(p []float64) string {
	if len(p) < 2 {
		return "-"
	}
	return strconv.FormatFloat(p[0], 'f', 5, 64) + "," + strconv.FormatFloat(p[1], 'f', 5, 64)
}

func duration(seconds number) string {
	if seconds == nil {
		return "-"
	}
	d := time.Duration(*seconds * float64(time.Second))
	if d < 10*time.Second {
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

// moment shows a time of the interface without its fraction when that is zero.
func moment(s string) string {
	if s == "" {
		return "-"
	}
	return strings.Replace(s, ".000Z", "Z", 1)
}

func list(items []string) string {
	if len(items) == 0 {
		return "-"
	}
	return strings.Join(items, " ")
}
