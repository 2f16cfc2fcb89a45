package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/trackmesh/trackmesh/client"
)

func (a *app) tracksCommand() *cobra.Command {
	cmd := group("tracks", "Where vehicles are, were, and what they did")
	cmd.AddCommand(a.tracksGet(), a.tracksNear(), a.tracksSearch(), a.tracksPath(), a.tracksEvents(),
		a.episodes(tripEpisodes), a.episodes(stopEpisodes), a.tracksSend())
	return cmd
}

// trackState is what tables show of a track.
type trackState struct {
	Vehicle        string          `json:"vehicle"`
	Time           string          `json:"time"`
	Position       []float64       `json:"position,omitempty"`
	SpeedMPS       number          `json:"speed_mps"`
	HeadingDegrees number          `json:"heading_degrees"`
	Status         string          `json:"status"`
	OdometerMetres number          `json:"odometer_metres"`
	Fences         []string        `json:"fences"`
	Attributes     json.RawMessage `json:"attributes"`
	LastOffset     *logPosition    `json:"last_offset"`
	Node           string          `json:"node"`
	DistanceMetres number          `json:"distance_metres"`
}

type logPosition struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
}

func (p *logPosition) String() string {
	if p == nil {
		return "-"
	}
	return fmt.Sprintf("%s[%d]@%d", p.Topic, p.Partition, p.Offset)
}

func (a *app) tracksGet() *cobra.Command {
	cmd := leaf("get VEHICLE", "Show a vehicle's state now", 1, func(cmd *cobra.Command, args []string) error {
		raw, err := a.client.Get(cmd.Context(), client.Path("tracks", args[0]), nil)
		if err != nil {
			return err
		}
		var s trackState
		if err := json.Unmarshal(raw, &s); err != nil {
			return fmt.Errorf("reading the track: %w", err)
		}
		return a.show(answer{
			raw: raw,
			geo: func() (json.RawMessage, error) { return pointFeature(raw, "vehicle", "position") },
			table: func(w io.Writer) error {
				t := fields(
					"vehicle", s.Vehicle, "time", moment(s.Time), "position", place(s.Position), "speed", speed(s.SpeedMPS), "heading", heading(s.HeadingDegrees),
					"status", s.Status, "odometer", metres(s.OdometerMetres), "fences", list(s.Fences),
				)
				for _, pair := range attributes(s.Attributes) {
					t.add("  "+pair[0], pair[1])
				}
				t.add("last record", s.LastOffset.String())
				t.add("node", s.Node)
				return t.write(w)
			},
		})
	})
	cmd.Example = "  trackctl tracks get taxi-0001"
	return cmd
}

// attributes are a JSON object's members in its order, values as text.
func attributes(raw json.RawMessage) [][2]string {
	var pairs [][2]string
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	if _, err := dec.Token(); err != nil {
		return nil
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return pairs
		}
		var value json.RawMessage
		if dec.Decode(&value) != nil {
			return pairs
		}
		text := string(value)
		var unquoted string
		if json.Unmarshal(value, &unquoted) == nil {
			text = unquoted
		}
		pairs = append(pairs, [2]string{fmt.Sprint(name), text})
	}
	return pairs
}

// pointFeature makes a Feature of an object that has a place.
func pointFeature(raw json.RawMessage, id, place string) (json.RawMessage, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	f := struct {
		Type       string                     `json:"type"`
		ID         json.RawMessage            `json:"id"`
		Geometry   any                        `json:"geometry"`
		Properties map[string]json.RawMessage `json:"properties"`
	}{Type: "Feature", ID: members[id], Properties: members}
	if at := members[place]; len(at) > 0 && string(at) != "null" {
		f.Geometry = map[string]any{"type": "Point", "coordinates": at}
	}
	delete(members, place)
	return json.Marshal(f)
}

// trackList is a FeatureCollection of tracks.
type trackList struct {
	Features []struct {
		Geometry   point      `json:"geometry"`
		Properties trackState `json:"properties"`
	} `json:"features"`
	collectionEnd
}

type point struct {
	Coordinates []float64 `json:"coordinates"`
}

// collectionEnd is what stands beside the features of a collection.
type collectionEnd struct {
	Limit      int       `json:"limit"`
	Truncated  bool      `json:"truncated"`
	Partitions *coverage `json:"partitions"`
}

type coverage struct {
	Asked    int     `json:"asked"`
	Answered int     `json:"answered"`
	Missing  []int32 `json:"missing"`
}

// notes say what the answer lacks.
func (e *collectionEnd) notes() []string {
	var notes []string
	if e.Truncated {
		notes = append(notes, fmt.Sprintf("There are more than these %d: raise --limit or narrow the question.", e.Limit))
	}
	if e.Partitions != nil && e.Partitions.Answered < e.Partitions.Asked {
		notes = append(notes, fmt.Sprintf("%d of %d partitions answered; missing: %v.", e.Partitions.Answered, e.Partitions.Asked, e.Partitions.Missing))
	}
	return notes
}

func (a *app) showTracks(raw []byte) error {
	var found trackList
	if err := json.Unmarshal(raw, &found); err != nil {
		return fmt.Errorf("reading the tracks: %w", err)
	}
	return a.show(answer{raw: raw, geo: asIs(raw), notes: found.notes(), table: func(w io.Writer) error {
		if len(found.Features) == 0 {
			_, err := fmt.Fprintln(w, "No tracks.")
			return err
		}
		near := found.Features[0].Properties.DistanceMetres != nil
		header := []string{"vehicle", "time", "position", "speed", "heading", "status", "fences"}
		if near {
			header = append([]string{"vehicle", "distance"}, header[1:]...)
		}
		t := newTable(header...)
		for i := range found.Features {
			f := &found.Features[i]
			p := &f.Properties
			row := []string{p.Vehicle}
			if near {
				row = append(row, metres(p.DistanceMetres))
			}
			t.add(append(row, moment(p.Time), place(f.Geometry.Coordinates), speed(p.SpeedMPS), heading(p.HeadingDegrees), p.Status, list(p.Fences))...)
		}
		return t.write(w)
	}})
}

func (a *app) tracksNear() *cobra.Command {
	var k int
	var radius float64
	var statuses []string
	cmd := leaf("near LON,LAT", "Find the vehicles nearest to a place", 1, nil)
	cmd.Flags().IntVar(&k, "k", 10, "how many")
	cmd.Flags().Float64Var(&radius, "radius", 0, "no further than this, in metres; without --k: all within it")
	cmd.Flags().StringSliceVar(&statuses, "status", nil, "only moving, stopped or silent ones")
	cmd.Example = "  trackctl tracks near -73.98,40.75 --k 5"
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		at, err := coordinate(args[0])
		if err != nil {
			return badUsage(cmd, "%w", err)
		}
		q := a.query()
		q.set("near", at)
		if radius > 0 {
			q.set("radius_metres", strconv.FormatFloat(radius, 'f', -1, 64))
		}
		if radius <= 0 || cmd.Flags().Changed("k") {
			q.set("k", strconv.Itoa(k))
		}
		q.set("status", strings.Join(statuses, ","))
		raw, err := a.client.Get(cmd.Context(), client.Path("tracks"), q.values)
		if err != nil {
			return err
		}
		return a.showTracks(raw)
	}
	return cmd
}

func (a *app) tracksSearch() *cobra.Command {
	var box, fence, polygon, at, maxAge string
	var limit int
	var statuses []string
	cmd := leaf("search", "Find vehicles in a box, a fence or a polygon, now or at a past moment", 0, nil)
	f := cmd.Flags()
	f.StringVar(&box, "bbox", "", "west,south,east,north")
	f.StringVar(&fence, "fence", "", "those that are in this fence")
	f.StringVar(&polygon, "polygon", "", "file with a GeoJSON Polygon, MultiPolygon or Feature of one; - for standard input")
	f.StringVar(&at, "at", "", "where they were then: a time, or an age such as 2h")
	f.StringVar(&maxAge, "max-age", "", "with --at: leave out vehicles whose last fix was older then, such as 30m")
	f.StringSliceVar(&statuses, "status", nil, "only moving, stopped or silent ones")
	f.IntVar(&limit, "limit", 100, "at most so many")
	cmd.MarkFlagsMutuallyExclusive("polygon", "bbox")
	cmd.MarkFlagsMutuallyExclusive("polygon", "fence")
	cmd.MarkFlagsMutuallyExclusive("polygon", "at")
	cmd.Example = "  trackctl tracks search --bbox -74.02,40.70,-73.93,40.80 --status moving\n  trackctl tracks search --fence jfk -o geojson"
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if polygon != "" {
			return a.searchPolygon(cmd, polygon, statuses, limit)
		}
		q := a.query()
		q.set("bbox", box)
		q.set("fence", fence)
		q.moment("at", at)
		q.set("max_age", maxAge)
		q.set("status", strings.Join(statuses, ","))
		q.set("limit", strconv.Itoa(limit))
		raw, err := a.client.Get(cmd.Context(), client.Path("tracks"), q.values)
		if err != nil {
			return err
		}
		return a.showTracks(raw)
	}
	return cmd
}

func (a *app) searchPolygon(cmd *cobra.Command, name string, statuses []string, limit int) error {
	raw, err := a.readAll(name)
	if err != nil {
		return err
	}
	var doc struct {
		Type     string          `json:"type"`
		Geometry json.RawMessage `json:"geometry"`
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		return fmt.Errorf("%s is no GeoJSON: %w", name, err)
	}
	shape := json.RawMessage(raw)
	if doc.Type == "Feature" {
		shape = doc.Geometry
	}
	body, err := json.Marshal(struct {
		Polygon json.RawMessage `json:"polygon"`
		Status  []string        `json:"status,omitempty"`
		Limit   int             `json:"limit"`
	}{shape, statuses, limit})
	if err != nil {
		return fmt.Errorf("%s is no GeoJSON: %w", name, err)
	}
	resp, err := a.client.Do(cmd.Context(), jsonRequest(http.MethodPost, client.Path("tracks", "search"), body))
	if err != nil {
		return err
	}
	return a.showTracks(resp.Body)
}

func (a *app) readAll(name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(a.in)
	}
	return os.ReadFile(name)
}

func jsonRequest(method, path string, body []byte) client.Request {
	return client.Request{
		Method: method, Path: path, Header: http.Header{"Content-Type": {"application/json"}}, Body: strings.NewReader(string(body)),
	}
}
