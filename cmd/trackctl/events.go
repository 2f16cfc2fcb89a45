package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/trackmesh/trackmesh/client"
)

func (a *app) eventsCommand() *cobra.Command {
	cmd := group("events", "What happened: list, follow, explain")
	cmd.AddCommand(a.eventsList(), a.eventsGet(), a.eventsExplain(), a.eventsTail())
	return cmd
}

// event is what tables show of an event.
type event struct {
	ID       string    `json:"id"`
	Type     string    `json:"type"`
	Cause    string    `json:"cause"`
	Time     string    `json:"@timestamp"`
	Vehicle  string    `json:"vehicle"`
	Location []float64 `json:"location"`
	Fence    *struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	} `json:"fence"`
	Stop *episode `json:"stop"`
	Trip *episode `json:"trip"`
	Gap  *struct {
		Duration number `json:"duration_seconds"`
	} `json:"gap"`
}

func (e *event) fence() string {
	switch {
	case e.Fence == nil:
		return "-"
	case e.Fence.Name != "" && e.Fence.Name != e.Fence.ID:
		return e.Fence.ID + " (" + e.Fence.Name + ")"
	}
	return e.Fence.ID
}

// about is what the type has beside.
func (e *event) about() string {
	switch {
	case e.Trip != nil && e.Trip.Distance != nil:
		return metres(e.Trip.Distance) + " in " + duration(e.Trip.Duration)
	case e.Stop != nil && e.Stop.Duration != nil:
		return duration(e.Stop.Duration)
	case e.Gap != nil && e.Gap.Duration != nil:
		return duration(e.Gap.Duration)
	}
	return ""
}

func (e *event) cells() []string {
	return []string{moment(e.Time), e.Type, e.Vehicle, e.fence(), place(e.Location), e.about(), e.ID}
}

var eventHeader = []string{"time", "type", "vehicle", "fence", "position", "about", "id"}

// eventFilters are the flags that choose events.
type eventFilters struct {
	types, fences, vehicles []string
	box                     string
}

func (f *eventFilters) flags(cmd *cobra.Command, many bool) {
	cmd.Flags().StringSliceVar(&f.types, "type", nil, "only these types: enter, exit, cross, dwell, stop_started, …")
	if many {
		cmd.Flags().StringArrayVar(&f.fences, "fence", nil, "only of this fence; repeat for more")
		cmd.Flags().StringArrayVar(&f.vehicles, "vehicle", nil, "only of this vehicle; repeat for more")
		cmd.Flags().StringVar(&f.box, "bbox", "", "only in this box: west,south,east,north")
	}
}

// showEvents shows a list of events.
func (a *app) showEvents(items []json.RawMessage, more bool) error {
	t := newTable(eventHeader...)
	for _, raw := range items {
		var e event
		if err := json.Unmarshal(raw, &e); err != nil {
			return fmt.Errorf("reading the events: %w", err)
		}
		t.add(e.cells()...)
	}
	return a.showList("events", items, more, t, func() (json.RawMessage, error) {
		features := make([]json.RawMessage, len(items))
		for i, raw := range items {
			f, err := pointFeature(raw, "id", "location")
			if err != nil {
				return nil, err
			}
			features[i] = f
		}
		return json.Marshal(map[string]any{"type": "FeatureCollection", "features": features, "truncated": more})
	})
}

// listEvents is the body of both lists; with a vehicle it is that one's.
func (a *app) listEvents(use, short string, ofVehicle bool) *cobra.Command {
	var when span
	var types []string
	var fence, vehicle string
	var limit int
	args := 0
	if ofVehicle {
		args = 1
	}
	cmd := leaf(use, short, args, nil)
	when.flags(cmd)
	cmd.Flags().StringSliceVar(&types, "type", nil, "only these types: enter, exit, cross, dwell, stop_started, …")
	cmd.Flags().StringVar(&fence, "fence", "", "only of this fence")
	if !ofVehicle {
		cmd.Flags().StringVar(&vehicle, "vehicle", "", "only of this vehicle")
	}
	cmd.Flags().IntVar(&limit, "limit", 100, "at most so many; 0: all")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		q := a.query()
		when.into(q)
		q.set("type", strings.Join(types, ","))
		q.set("fence", fence)
		q.set("vehicle", vehicle)
		path := client.Path("events")
		if ofVehicle {
			path = client.Path("tracks", args[0], "events")
		}
		items, more, err := a.pages(cmd, path, q, "events", limit)
		if err != nil {
			return err
		}
		return a.showEvents(items, more)
	}
	return cmd
}

func (a *app) eventsList() *cobra.Command {
	return a.listEvents("list", "List events, newest first", false)
}

func (a *app) tracksEvents() *cobra.Command {
	return a.listEvents("events VEHICLE", "List a vehicle's events, newest first", true)
}

func (a *app) eventsGet() *cobra.Command {
	return leaf("get ID", "Show an event", 1, func(cmd *cobra.Command, args []string) error {
		raw, err := a.client.Get(cmd.Context(), client.Path("events", args[0]), nil)
		if err != nil {
			return err
		}
		return a.show(answer{
			raw: raw, geo: func() (json.RawMessage, error) { return pointFeature(raw, "id", "location") },
			table: func(w io.Writer) error {
				t := &table{bare: true}
				for _, pair := range attributes(raw) {
					t.add(pair[0], pair[1])
				}
				return t.write(w)
			},
		})
	})
}

func (a *app) eventsExplain() *cobra.Command {
	return leaf("explain ID", "Show what proves an event", 1, func(cmd *cobra.Command, args []string) error {
		q := a.query()
		q.set("explain", "true")
		raw, err := a.client.Get(cmd.Context(), client.Path("events", args[0]), q.values)
		if err != nil {
			return err
		}
		var doc struct {
			Features []struct {
				ID         string          `json:"id"`
				Properties json.RawMessage `json:"properties"`
			} `json:"features"`
		}
		if err := json.Unmarshal(raw, &doc); err != nil {
			return fmt.Errorf("reading the explanation: %w", err)
		}
		return a.show(answer{raw: raw, geo: asIs(raw), table: func(w io.Writer) error {
			t := &table{bare: true}
			for _, f := range doc.Features {
				t.add(f.ID, "")
				for _, pair := range attributes(f.Properties) {
					if pair[0] != "role" && pair[0] != "event" {
						t.add("  "+pair[0], pair[1])
					}
				}
			}
			return t.write(w)
		}})
	})
}

func (a *app) eventsTail() *cobra.Command {
	var f eventFilters
	var after string
	var count int
	cmd := leaf("tail", "Follow events as they are committed", 0, nil)
	cmd.Long = "Follow events as they are committed. A lost connection is made again and goes on where it was: no event is missed and none comes twice.\n" +
		"With --output json each line is an event, with geojson a Feature."
	f.flags(cmd, true)
	cmd.Flags().StringVar(&after, "after", "", "a cursor to go on from, as --print-cursor shows it; default: from now on")
	printCursor := cmd.Flags().Bool("print-cursor", false, "at the end, print the cursor to go on from to standard error")
	cmd.Flags().IntVar(&count, "count", 0, "end after so many; 0: go on until Ctrl-C")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		q := a.query()
		q.set("type", strings.Join(f.types, ","))
		q.set("bbox", f.box)
		q.values["fence"], q.values["vehicle"] = f.fences, f.vehicles
		t := tail{app: a, left: count, cursor: after}
		err := a.client.Events(cmd.Context(), client.EventsOptions{
			Query: q.values, After: after, OnCursor: func(c string) { t.cursor = c },
			OnReconnect: func(err error, wait time.Duration) {
				a.say("connection lost (%v): trying again in %s\n", err, wait.Round(100*time.Millisecond))
			},
		}, t.show)
		if *printCursor && t.cursor != "" {
			a.say("cursor %s\n", t.cursor)
		}
		if errIsEnough(err) {
			return nil
		}
		return err
	}
	return cmd
}
