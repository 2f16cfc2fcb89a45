package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/trackmesh/trackmesh/client"
)

func (a *app) cellsCommand() *cobra.Command {
	var when span
	var box string
	var precision, limit int
	cmd := leaf("cells", "Count vehicles by geohash cell, now or over a time", 0, nil)
	when.flags(cmd)
	cmd.Flags().StringVar(&box, "bbox", "", "west,south,east,north")
	cmd.Flags().IntVar(&precision, "precision", 5, "how many characters a cell's geohash has, 1 to 9")
	cmd.Flags().IntVar(&limit, "limit", 1000, "the fullest so many")
	cmd.Example = "  trackctl cells --precision 6\n  trackctl cells --from 1h --output geojson > busy.geojson"
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		q := a.query()
		when.into(q)
		q.set("bbox", box)
		q.set("precision", strconv.Itoa(precision))
		q.set("limit", strconv.Itoa(limit))
		raw, err := a.client.Get(cmd.Context(), client.Path("cells"), q.values)
		if err != nil {
			return err
		}
		return a.showCells(raw)
	}
	return cmd
}

// cellList is a FeatureCollection of cells.
type cellList struct {
	Features []cellFeature `json:"features"`
	collectionEnd
}

type cellFeature struct {
	Geometry struct {
		Coordinates [][][]float64 `json:"coordinates"`
	} `json:"geometry"`
	Properties struct {
		Cell  string `json:"cell"`
		Count int64  `json:"count"`
	} `json:"properties"`
}

func (a *app) showCells(raw []byte) error {
	var cells cellList
	if err := json.Unmarshal(raw, &cells); err != nil {
		return fmt.Errorf("reading the cells: %w", err)
	}
	return a.show(answer{raw: raw, geo: asIs(raw), notes: cells.notes(), table: func(w io.Writer) error {
		if len(cells.Features) == 0 {
			_, err := fmt.Fprintln(w, "No cells.")
			return err
		}
		order := slices.Clone(cells.Features)
		slices.SortStableFunc(order, func(x, y cellFeature) int { return cmp.Compare(y.Properties.Count, x.Properties.Count) })
		t := newTable("cell", "count", "centre")
		for i := range order {
			t.add(order[i].Properties.Cell, strconv.FormatInt(order[i].Properties.Count, 10), place(centre(order[i].Geometry.Coordinates)))
		}
		return t.write(w)
	}})
}

// centre is the middle of a rectangle.
func centre(rings [][][]float64) []float64 {
	if len(rings) == 0 || len(rings[0]) < 3 || len(rings[0][0]) < 2 || len(rings[0][2]) < 2 {
		return nil
	}
	x, y := rings[0][0], rings[0][2]
	return []float64{(x[0] + y[0]) / 2, (x[1] + y[1]) / 2}
}
