package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/trackmesh/trackmesh/client"
)

func (a *app) fencesCommand() *cobra.Command {
	cmd := group("fences", "Geofences: list, read, put, delete, import, backtest")
	cmd.AddCommand(a.fencesList(), a.fencesGet(), a.fencesPut(), a.fencesDelete(), a.fencesImport(), a.fencesBacktest())
	return cmd
}

// fenceFeature is what tables show of a fence.
type fenceFeature struct {
	ID       string `json:"id"`
	Version  int64  `json:"version"`
	Geometry struct {
		Type string `json:"type"`
	} `json:"geometry"`
	Properties struct {
		Name    string   `json:"name"`
		Margin  number   `json:"exit_margin_metres"`
		Dwell   number   `json:"dwell_seconds"`
		Radius  number   `json:"radius_metres"`
		Width   number   `json:"width_metres"`
		Events  []string `json:"events"`
		Follows string   `json:"follows"`
	} `json:"properties"`
}

// shape is a few words about the geometry.
func (f *fenceFeature) shape() string {
	switch {
	case f.Properties.Radius != nil:
		return "circle of " + metres(f.Properties.Radius)
	case f.Properties.Width != nil:
		return "corridor of " + metres(f.Properties.Width)
	}
	return strings.ToLower(f.Geometry.Type)
}

func (a *app) fencesList() *cobra.Command {
	var box string
	var limit int
	cmd := leaf("list", "List fences by id", 0, nil)
	cmd.Flags().StringVar(&box, "bbox", "", "west,south,east,north")
	cmd.Flags().IntVar(&limit, "limit", 1000, "at most so many; 0: all")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		q := a.query()
		q.set("bbox", box)
		features, more, err := a.allFences(cmd, q, limit)
		if err != nil {
			return err
		}
		t := newTable("id", "version", "name", "shape", "dwell", "events")
		for _, raw := range features {
			var f fenceFeature
			if err := json.Unmarshal(raw, &f); err != nil {
				return fmt.Errorf("reading the fences: %w", err)
			}
			events := "all"
			if f.Properties.Events != nil {
				events = list(f.Properties.Events)
			}
			t.add(f.ID, strconv.FormatInt(f.Version, 10), f.Properties.Name, f.shape(), duration(f.Properties.Dwell), events)
		}
		doc, err := json.Marshal(map[string]any{"type": "FeatureCollection", "features": features, "truncated": more})
		if err != nil {
			return fmt.Errorf("reading the fences: %w", err)
		}
		var notes []string
		if more {
			notes = append(notes, "There are more: raise --limit (0: all) or give --bbox.")
		}
		return a.show(answer{raw: doc, geo: asIs(doc), notes: notes, table: func(w io.Writer) error {
			if len(features) == 0 {
				_, err := fmt.Fprintln(w, "No fences.")
				return err
			}
			return t.write(w)
		}})
	}
	return cmd
}

// allFences asks for page after page.
func (a *app) allFences(cmd *cobra.Command, q *query, limit int) ([]json.RawMessage, bool, error) {
	all := []json.RawMessage{}
	for {
		page := 10_000
		if limit > 0 {
			page = min(page, limit-len(all))
		}
		q.set("limit", strconv.Itoa(page))
		raw, err := a.client.Get(cmd.Context(), client.Path("fences"), q.values)
		if err != nil {
			return nil, false, err
		}
		var answer struct {
			Features []json.RawMessage `json:"features"`
			Next     string            `json:"next"`
		}
		if err := json.Unmarshal(raw, &answer); err != nil {
			return nil, false, fmt.Errorf("reading the fences: %w", err)
		}
		all = append(all, answer.Features...)
		if answer.Next == "" || limit > 0 && len(all) >= limit {
			return all, answer.Next != "", nil
		}
		q.values.Set("after", answer.Next)
	}
}

func (a *app) fencesGet() *cobra.Command {
	return leaf("get ID", "Show a fence", 1, func(cmd *cobra.Command, args []string) error {
		raw, err := a.client.Get(cmd.Context(), client.Path("fences", args[0]), nil)
		if err != nil {
			return err
		}
		var f fenceFeature
		var members struct {
			Properties json.RawMessage `json:"properties"`
		}
		if err := json.Unmarshal(raw, &f); err != nil {
			return fmt.Errorf("reading the fence: %w", err)
		}
		if err := json.Unmarshal(raw, &members); err != nil {
			return fmt.Errorf("reading the fence: %w", err)
		}
		return a.show(answer{raw: raw, geo: asIs(raw), table: func(w io.Writer) error {
			t := fields("id", f.ID, "version", strconv.FormatInt(f.Version, 10), "shape", f.shape())
			for _, pair := range attributes(members.Properties) {
				t.add(pair[0], pair[1])
			}
			return t.write(w)
		}})
	})
}

// fenceChange is the answer to a put or delete.
type fenceChange struct {
	ID      string `json:"id"`
	Version int64  `json:"version"`
	Live    bool   `json:"live"`
}

// changeFlags are common to put and delete.
type changeFlags struct {
	ifMatch string
	isNew   bool
	wait    time.Duration
}

func (c *changeFlags) request(a *app, method, id string, body []byte) client.Request {
	req := client.Request{Method: method, Path: client.Path("fences", id), Header: http.Header{}}
	if body != nil {
		req.Header.Set("Content-Type", "application/geo+json")
		req.Body = bytes.NewReader(body)
	}
	precondition(req.Header, c.ifMatch, c.isNew)
	if c.wait > 0 {
		q := a.query()
		q.set("wait", c.wait.String())
		req.Query = q.values
	}
	return req
}

func (a *app) showChange(raw []byte, what string, wait time.Duration) error {
	var c fenceChange
	if err := json.Unmarshal(raw, &c); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	return a.show(answer{raw: raw, table: func(w io.Writer) error {
		state := ""
		switch {
		case c.Live:
			state = ", live on every partition"
		case wait > 0:
			state = fmt.Sprintf(", not live on every partition after %s", wait)
		}
		_, err := fmt.Fprintf(w, "Fence %s %s: version %d%s\n", plain(c.ID), what, c.Version, state)
		return err
	}})
}

func (a *app) fencesPut() *cobra.Command {
	var change changeFlags
	var set []string
	cmd := &cobra.Command{
		Use: "put ID FILE", Short: "Put a fence from a GeoJSON file", Args: usage(cobra.ExactArgs(2)), DisableFlagsInUseLine: true,
		Long:    "Put a fence from a file with a GeoJSON Feature or a bare geometry (- for standard input).",
		Example: "  trackctl fences put depot depot.geojson --wait 2s\n  echo '{\"type\":\"Point\",\"coordinates\":[-73.98,40.75]}' | trackctl fences put square - --set radius_metres=300 --set name=Square",
	}
	cmd.Flags().StringVar(&change.ifMatch, "if-match", "", "only when it has this version")
	cmd.Flags().BoolVar(&change.isNew, "new", false, "only when there is none of that id")
	cmd.Flags().DurationVar(&change.wait, "wait", 2*time.Second, "wait until it is live on every partition, so long at most; 0: do not")
	cmd.Flags().StringArrayVar(&set, "set", nil, "property=value: set a property (JSON, or text); repeat for more")
	cmd.MarkFlagsMutuallyExclusive("if-match", "new")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		for _, pair := range set {
			if name, _, ok := strings.Cut(pair, "="); !ok || name == "" {
				return badUsage(cmd, "--set %q: write it as property=value", pair)
			}
		}
		raw, err := a.readAll(args[1])
		if err != nil {
			return err
		}
		body, err := asFeature(raw, set)
		if err != nil {
			return fmt.Errorf("%s: %w", args[1], err)
		}
		resp, err := a.client.Do(cmd.Context(), change.request(a, http.MethodPut, args[0], body))
		if err != nil {
			return err
		}
		return a.showChange(resp.Body, "stored", change.wait)
	}
	return cmd
}

// asFeature wraps a bare geometry and sets properties. A Feature without anything to set stays as it is.
func asFeature(raw []byte, set []string) ([]byte, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return nil, fmt.Errorf("not a GeoJSON object: %w", err)
	}
	var kind string
	if err := json.Unmarshal(members["type"], &kind); err != nil {
		return nil, errors.New("not a GeoJSON object: it has no type")
	}
	if kind == "FeatureCollection" {
		return nil, errors.New("a FeatureCollection holds many fences: use trackctl fences import")
	}
	if kind != "Feature" {
		members = map[string]json.RawMessage{"type": json.RawMessage(`"Feature"`), "geometry": raw, "properties": json.RawMessage("{}")}
	}
	properties := map[string]json.RawMessage{}
	if p := members["properties"]; len(p) > 0 {
		if err := json.Unmarshal(p, &properties); err != nil {
			return nil, fmt.Errorf("its properties are no object: %w", err)
		}
	}
	if properties == nil { // they were null
		properties = map[string]json.RawMessage{}
	}
	for _, pair := range set {
		name, value, _ := strings.Cut(pair, "=")
		properties[name] = json.RawMessage(value)
		if !json.Valid([]byte(value)) {
			properties[name], _ = json.Marshal(value) //nolint:errchkjson // a string
		}
	}
	all, err := json.Marshal(properties)
	if err != nil {
		return nil, err
	}
	members["properties"] = all
	return json.Marshal(members)
}

func (a *app) fencesDelete() *cobra.Command {
	var change changeFlags
	cmd := leaf("delete ID", "Delete a fence", 1, func(cmd *cobra.Command, args []string) error {
		resp, err := a.client.Do(cmd.Context(), change.request(a, http.MethodDelete, args[0], nil))
		if err != nil {
			return err
		}
		return a.showChange(resp.Body, "deleted", change.wait)
	})
	cmd.Flags().StringVar(&change.ifMatch, "if-match", "", "only when it has this version")
	cmd.Flags().DurationVar(&change.wait, "wait", 2*time.Second, "wait until it is gone on every partition, so long at most; 0: do not")
	return cmd
}

// imported is the answer to an import.
type imported struct {
	Stored  int                `json:"stored"`
	Errors  []client.LineError `json:"errors"`
	Omitted int                `json:"errors_omitted"`
	Version int64              `json:"version"`
	Live    bool               `json:"live"`
}

func (a *app) fencesImport() *cobra.Command {
	var wait time.Duration
	cmd := leaf("import FILE", "Import many fences: a FeatureCollection, or a Feature a line", 1, nil)
	cmd.Long = "Import many fences from a FeatureCollection or from lines of Features (NDJSON); - for standard input. Each Feature needs an id.\n" +
		"Lines that are refused are listed; the others are stored."
	cmd.Flags().DurationVar(&wait, "wait", 2*time.Second, "wait until all are live on every partition, so long at most; 0: do not")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		in, err := a.fileArg(args[0])
		if err != nil {
			return err
		}
		defer func() { _ = in.close() }() // it was only read
		bar := a.bytesBar("importing", in.size)
		body := bufio.NewReaderSize(bar.reader(in), sniffBytes)
		req := client.Request{
			Method: http.MethodPost, Path: client.Path("fences", "import"), Body: body,
			Header: http.Header{"Content-Type": {fencesType(in.name, body)}},
		}
		if wait > 0 {
			q := a.query()
			q.set("wait", wait.String())
			req.Query = q.values
		}
		resp, err := a.client.Open(cmd.Context(), req) // an import of any length has any time
		bar.done(err == nil)
		if err != nil {
			return a.importBroke(err)
		}
		defer func() { _ = resp.Body.Close() }() // it was only read
		raw, err := io.ReadAll(resp.Body)
		if err != nil {
			return fmt.Errorf("reading the answer: %w", err)
		}
		return a.showImport(raw, wait)
	}
	return cmd
}

// sniffBytes is how much of a file is looked at to tell its form.
const sniffBytes = 256 << 10

// fencesType tells lines of Features from one document: by the first line where that is whole, else by the file's name.
func fencesType(name string, in *bufio.Reader) string {
	head, _ := in.Peek(sniffBytes) // a shorter file is no mistake
	head = bytes.TrimLeft(head, " \t\r\n\xef\xbb\xbf")
	line, _, whole := bytes.Cut(head, []byte("\n"))
	var doc struct {
		Type string `json:"type"`
	}
	if (whole || len(head) < sniffBytes) && json.Unmarshal(line, &doc) == nil {
		if doc.Type == "FeatureCollection" {
			return "application/geo+json"
		}
		return "application/x-ndjson"
	}
	switch filepath.Ext(name) {
	case ".ndjson", ".jsonl", ".geojsonl", ".geojsons":
		return "application/x-ndjson"
	}
	return "application/geo+json"
}
