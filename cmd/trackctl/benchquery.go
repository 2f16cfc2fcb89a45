package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/trackmesh/trackmesh/client"
)

// queryKinds are the questions of bench query, in the order of its table.
var queryKinds = []string{"get", "near", "search", "cells", "path", "events"}

func (a *app) benchQuery() *cobra.Command {
	var load loadFlags
	var kinds []string
	var box string
	cmd := leaf("query", "Measure how fast questions are answered", 0, nil)
	load.flags(cmd, 8)
	cmd.Flags().StringSliceVar(&kinds, "kinds", queryKinds[:4], "which questions: "+strings.Join(queryKinds, ", "))
	cmd.Flags().StringVar(&box, "bbox", "-74.05,40.60,-73.75,40.85", "where: west,south,east,north")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := load.check(cmd); err != nil {
			return err
		}
		q := questions{client: a.client}
		if _, err := fmt.Sscanf(strings.TrimSpace(box), "%g,%g,%g,%g", &q.west, &q.south, &q.east, &q.north); err != nil || q.west >= q.east || q.south >= q.north {
			return badUsage(cmd, "--bbox %q: write it as west,south,east,north", box)
		}
		for _, kind := range kinds {
			if !slices.Contains(queryKinds, kind) {
				return badUsage(cmd, "--kinds %q is not known: use %s", kind, strings.Join(queryKinds, ", "))
			}
		}
		var err error
		if q.vehicles, err = q.someVehicles(cmd.Context()); err != nil {
			return err
		}
		results, err := a.press(cmd.Context(), &load, kinds, func(ctx context.Context, worker int, run func(kind, records int, do func() error)) {
			random := rand.New(rand.NewPCG(2, uint64(worker))) //nolint:gosec // no secret
			for n := 0; ctx.Err() == nil; n++ {
				kind := n % len(kinds)
				path, query := q.ask(kinds[kind], random)
				run(kind, 1, func() error {
					_, err := a.client.Get(ctx, path, query)
					return err
				})
			}
		})
		if err != nil {
			return err
		}
		return a.showMeasured("requests/s", results)
	}
	return cmd
}

// questions makes random questions about a box.
type questions struct {
	client                   *client.Client
	west, south, east, north float64
	vehicles                 []string
}

func (q *questions) someVehicles(ctx context.Context) ([]string, error) {
	raw, err := q.client.Get(ctx, client.Path("tracks"), url.Values{"limit": {"1000"}})
	if err != nil {
		return nil, err
	}
	var found trackList
	if err := json.Unmarshal(raw, &found); err != nil {
		return nil, fmt.Errorf("reading the tracks: %w", err)
	}
	if len(found.Features) == 0 {
		return nil, errors.New("the node knows no vehicle: play some in first, as with trackctl source simulate")
	}
	ids := make([]string, len(found.Features))
	for i := range found.Features {
		ids[i] = found.Features[i].Properties.Vehicle
	}
	return ids, nil
}

func (q *questions) ask(kind string, random *rand.Rand) (string, url.Values) {
	vehicle := q.vehicles[random.IntN(len(q.vehicles))]
	lon, lat := q.west+random.Float64()*(q.east-q.west), q.south+random.Float64()*(q.north-q.south)
	width, height := (q.east-q.west)/10, (q.north-q.south)/10
	box := fmt.Sprintf("%.5f,%.5f,%.5f,%.5f", lon-width/2, lat-height/2, lon+width/2, lat+height/2)
	switch kind {
	case "near":
		return client.Path("tracks"), url.Values{"near": {fmt.Sprintf("%.5f,%.5f", lon, lat)}, "k": {"10"}}
	case "search":
		return client.Path("tracks"), url.Values{"bbox": {box}}
	case "cells":
		return client.Path("cells"), url.Values{"bbox": {box}, "precision": {"6"}}
	case "path":
		return client.Path("tracks", vehicle, "path"), nil
	case "events":
		return client.Path("tracks", vehicle, "events"), nil
	}
	return client.Path("tracks", vehicle), nil
}
