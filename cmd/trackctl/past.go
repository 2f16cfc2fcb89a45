package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/trackmesh/trackmesh/client"
)

// pathFeature is the answer of a path question.
type pathFeature struct {
	Geometry *struct {
		Type        string          `json:"type"`
		Coordinates json.RawMessage `json:"coordinates"`
	} `json:"geometry"`
	Properties struct {
		Times     []string `json:"times"`
		Speeds    []number `json:"speeds_mps"`
		Headings  []number `json:"headings_degrees"`
		Limit     int      `json:"limit"`
		Truncated bool     `json:"truncated"`
		History   string   `json:"history"`
		Complete  *string  `json:"complete_from"`
	} `json:"properties"`
}

func (a *app) tracksPath() *cobra.Command {
	var when span
	var limit int
	var simplify float64
	cmd := leaf("path VEHICLE", "Show the way a vehicle took", 1, nil)
	when.flags(cmd)
	cmd.Flags().IntVar(&limit, "limit", 1000, "the newest so many fixes, at most 10000")
	cmd.Flags().Float64Var(&simplify, "simplify", 0, "leave out points nearer than this to the line without them, in metres")
	cmd.Example = "  trackctl tracks path taxi-0001 --from 1h --output geojson > path.geojson"
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		q := a.query()
		when.into(q)
		q.set("limit", strconv.Itoa(limit))
		if simplify > 0 {
			q.set("simplify_metres", strconv.FormatFloat(simplify, 'f', -1, 64))
		}
		raw, err := a.client.Get(cmd.Context(), client.Path("tracks", args[0], "path"), q.values)
		if err != nil {
			return err
		}
		return a.showPath(raw)
	}
	return cmd
}

func (a *app) showPath(raw []byte) error {
	var f pathFeature
	if err := json.Unmarshal(raw, &f); err != nil {
		return fmt.Errorf("reading the path: %w", err)
	}
	points, err := f.points()
	if err != nil {
		return err
	}
	var notes []string
	if f.Properties.Truncated {
		notes = append(notes, fmt.Sprintf("There are more than these %d: raise --limit or narrow the times.", f.Properties.Limit))
	}
	if f.Properties.Complete != nil {
		notes = append(notes, "Nothing older than "+moment(*f.Properties.Complete)+" is known: this deployment keeps no history.")
	}
	return a.show(answer{raw: raw, geo: asIs(raw), notes: notes, table: func(w io.Writer) error {
		if len(points) == 0 {
			_, err := fmt.Fprintln(w, "No fixes in that time.")
			return err
		}
		t := newTable("time", "position", "speed", "heading")
		p := &f.Properties
		for i, at := range points {
			t.add(moment(nth(p.Times, i)), place(at), speed(nth(p.Speeds, i)), heading(nth(p.Headings, i)))
		}
		return t.write(w)
	}})
}

// nth is an element, or nothing where there is none.
func nth[T any](items []T, i int) (v T) {
	if i < len(items) {
		v = items[i]
	}
	return v
}

// points are the line's, the point, or none.
func (f *pathFeature) points() (points [][]float64, err error) {
	switch {
	case f.Geometry == nil:
		return nil, nil
	case f.Geometry.Type == "Point":
		points = make([][]float64, 1)
		err = json.Unmarshal(f.Geometry.Coordinates, &points[0])
	case f.Geometry.Type == "MultiLineString": // cut at the antimeridian
		var lines [][][]float64
		err = json.Unmarshal(f.Geometry.Coordinates, &lines)
		for _, line := range lines {
			points = append(points, line...)
		}
	default:
		err = json.Unmarshal(f.Geometry.Coordinates, &points)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the path: %w", err)
	}
	return points, nil
}

// maxPage is the server's bound on one page of a list.
const maxPage = 1000

// pages asks for page after page of a list, up to limit items (zero: all).
func (a *app) pages(cmd *cobra.Command, path string, q *query, member string, limit int) ([]json.RawMessage, bool, error) {
	items := []json.RawMessage{}
	for {
		page := maxPage
		if limit > 0 {
			page = min(page, limit-len(items))
		}
		q.values.Set("limit", strconv.Itoa(page))
		raw, err := a.client.Get(cmd.Context(), path, q.values)
		if err != nil {
			return nil, false, err
		}
		var answer map[string]json.RawMessage
		var got []json.RawMessage
		var next string
		if err := json.Unmarshal(raw, &answer); err != nil {
			return nil, false, fmt.Errorf("reading the list: %w", err)
		}
		if err := json.Unmarshal(answer[member], &got); err != nil {
			return nil, false, fmt.Errorf("reading the list: %w", err)
		}
		if err := json.Unmarshal(answer["next"], &next); err != nil {
			return nil, false, fmt.Errorf("reading the list: %w", err)
		}
		items = append(items, got...)
		switch {
		case next == "":
			return items, false, nil
		case limit > 0 && len(items) >= limit:
			return items, true, nil
		}
		q.values.Set("after", next)
	}
}

// episode is a trip or a stop.
type episode struct {
	Open     bool       `json:"open"`
	Start    *episodeAt `json:"start"`
	End      *episodeAt `json:"end"`
	Started  string     `json:"started"`
	Ended    string     `json:"ended"`
	Location []float64  `json:"location"`
	Duration number     `json:"duration_seconds"`
	Distance number     `json:"distance_metres"`
	Max      number     `json:"max_speed_mps"`
	Mean     number     `json:"mean_speed_mps"`
}

type episodeAt struct {
	Time     string    `json:"time"`
	Location []float64 `json:"location"`
}

func (e *episodeAt) when() string {
	if e == nil {
		return "-"
	}
	return moment(e.Time)
}

func (e *episodeAt) where() string {
	if e == nil {
		return "-"
	}
	return place(e.Location)
}

// episodeKind is what trips and stops differ in.
type episodeKind struct {
	name   string
	header []string
	row    func(*episode) []string
}

var (
	tripEpisodes = episodeKind{
		"trips",
		[]string{"started", "ended", "duration", "distance", "mean", "max", "from", "to"},
		func(e *episode) []string {
			return []string{e.Start.when(), e.ended(e.End.when()), duration(e.Duration), metres(e.Distance), speed(e.Mean), speed(e.Max), e.Start.where(), e.End.where()}
		},
	}
	stopEpisodes = episodeKind{
		"stops",
		[]string{"started", "ended", "duration", "position"},
		func(e *episode) []string {
			return []string{moment(e.Started), e.ended(moment(e.Ended)), duration(e.Duration), place(e.Location)}
		},
	}
)

func (e *episode) ended(at string) string {
	if e.Open {
		return "goes on"
	}
	return at
}

func (a *app) episodes(kind episodeKind) *cobra.Command {
	var when span
	var limit int
	cmd := leaf(kind.name+" VEHICLE", "List a vehicle's "+kind.name+", newest first", 1, nil)
	when.flags(cmd)
	cmd.Flags().IntVar(&limit, "limit", 100, "at most so many; 0: all")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		q := a.query()
		when.into(q)
		items, more, err := a.pages(cmd, client.Path("tracks", args[0], kind.name), q, kind.name, limit)
		if err != nil {
			return err
		}
		t := newTable(kind.header...)
		for _, raw := range items {
			var e episode
			if err := json.Unmarshal(raw, &e); err != nil {
				return fmt.Errorf("reading %s: %w", kind.name, err)
			}
			t.add(kind.row(&e)...)
		}
		return a.showList(kind.name, items, more, t, nil)
	}
	return cmd
}

// showList shows the items of a list: an object with them for json.
func (a *app) showList(name string, items []json.RawMessage, more bool, t *table, geo func() (json.RawMessage, error)) error {
	raw, err := json.Marshal(map[string]any{name: items, "truncated": more})
	if err != nil {
		return fmt.Errorf("reading %s: %w", name, err)
	}
	var notes []string
	if more {
		notes = append(notes, "There are more: raise --limit (0: all) or narrow the question.")
	}
	return a.show(answer{raw: raw, geo: geo, notes: notes, table: func(w io.Writer) error {
		if len(items) == 0 {
			_, err := fmt.Fprintf(w, "No %s.\n", name)
			return err
		}
		return t.write(w)
	}})
}
