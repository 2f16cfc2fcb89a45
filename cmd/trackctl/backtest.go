package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/trackmesh/trackmesh/client"
)

// backtested is the answer to a backtest.
type backtested struct {
	Events    []json.RawMessage `json:"events"`
	Fixes     int               `json:"fixes"`
	Vehicles  int               `json:"vehicles"`
	Truncated bool              `json:"truncated"`
}

func (a *app) fencesBacktest() *cobra.Command {
	var when span
	var vehicles []string
	var file string
	var limit int
	cmd := leaf("backtest ID", "Show the events that a fence would have made on history", 1, nil)
	cmd.Long = "Run a fence over history and show the events that it would have made: the fence that is stored, or with --feature one that is not.\n" +
		"Vehicles begin where they were in the half hour before --from."
	cmd.Example = "  trackctl fences backtest depot --from 24h\n  trackctl fences backtest draft --feature draft.geojson --from 2026-03-01T00:00:00Z --to 2026-03-08T00:00:00Z"
	when.flags(cmd)
	cmd.Flags().StringArrayVar(&vehicles, "vehicle", nil, "only this vehicle; repeat for more")
	cmd.Flags().StringVar(&file, "feature", "", "a file with a GeoJSON Feature (or a bare geometry) instead of the stored fence; -: standard input")
	cmd.Flags().IntVar(&limit, "limit", 1000, "at most so many events")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if when.from == "" {
			return badUsage(cmd, "--from is needed")
		}
		if when.to == "" {
			when.to = "0s"
		}
		body, err := a.backtestBody(&when, vehicles, file)
		if err != nil {
			return err
		}
		q := a.query()
		q.set("limit", strconv.Itoa(limit))
		resp, err := a.client.Open(cmd.Context(), client.Request{ // it takes as long as there is history
			Method: http.MethodPost, Path: client.Path("fences", args[0], "backtest"), Query: q.values, Body: bytes.NewReader(body),
			Header: http.Header{"Content-Type": {"application/json"}},
		})
		if err != nil {
			return err
		}
		defer func() { _ = resp.Body.Close() }() // it was only read
		raw, err := io.ReadAll(resp.Body)
		if err != nil {
			return fmt.Errorf("reading the answer: %w", err)
		}
		var found backtested
		if err := json.Unmarshal(raw, &found); err != nil {
			return fmt.Errorf("reading the answer: %w", err)
		}
		a.say("%d fixes of %d vehicles\n", found.Fixes, found.Vehicles)
		return a.showEvents(found.Events, found.Truncated)
	}
	return cmd
}

// backtestBody is the question as the node takes it.
func (a *app) backtestBody(when *span, vehicles []string, file string) ([]byte, error) {
	q := a.query()
	when.into(q)
	question := map[string]any{"from": q.values.Get("from"), "to": q.values.Get("to")}
	if len(vehicles) > 0 {
		question["vehicles"] = vehicles
	}
	if file != "" {
		raw, err := a.readAll(file)
		if err != nil {
			return nil, err
		}
		feature, err := asFeature(raw, nil)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		question["feature"] = json.RawMessage(feature)
	}
	return json.Marshal(question)
}
