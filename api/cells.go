package api

import (
	"cmp"
	"net/http"
	"slices"

	"github.com/trackmesh/trackmesh/geo"
	"github.com/trackmesh/trackmesh/history"
	"github.com/trackmesh/trackmesh/live"
)

const (
	defaultCellLimit = 10_000
	maxCellLimit     = 100_000
)

// cellProperties go with a cell's rectangle.
type cellProperties struct {
	Cell  string `json:"cell"`
	Count int64  `json:"count"`
}

// getCells counts by geohash cell: the fleet now, or the fixes of a time range.
func (s *Server) getCells(w http.ResponseWriter, r *http.Request) error {
	p := readParams(r, "precision", "bbox", "from", "to", "limit")
	precision := p.integer("precision", 0, 1, 9)
	if !p.has("precision") {
		p.fail("precision", "is needed: how many characters a geohash has, 1 to 9")
	}
	box := p.box()
	from, to := p.span()
	limit := p.integer("limit", defaultCellLimit, 1, maxCellLimit)
	if err := p.problem(); err != nil {
		return err
	}
	if !from.IsZero() || !to.IsZero() {
		if s.opts.History == nil {
			return historyOff()
		}
		cells, err := s.opts.History.Cells(r.Context(), history.CellQuery{Precision: precision, Box: box, From: from, To: to, Limit: limit + 1})
		if err != nil {
			return err
		}
		return s.answerCells(w, cells, limit, nil)
	}
	everywhere := geo.World
	if box == nil {
		box = &everywhere
	}
	now, coverage, err := s.opts.Live.Cells(r.Context(), precision, *box)
	if err != nil {
		return err
	}
	cells := make([]history.Cell, len(now))
	for i, c := range now {
		cells[i] = history.Cell{Geohash: geo.GeohashString(c.Geohash, precision), Count: int64(c.Count)}
	}
	return s.answerCells(w, cells, limit, &coverage)
}

// answerCells sends the fullest cells, in the order of their names.
func (s *Server) answerCells(w http.ResponseWriter, cells []history.Cell, limit int, c *live.Coverage) error {
	cut := len(cells) > limit
	if cut {
		slices.SortFunc(cells, func(a, b history.Cell) int {
			return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Geohash, b.Geohash))
		})
		cells = cells[:limit]
	}
	slices.SortFunc(cells, func(a, b history.Cell) int { return cmp.Compare(a.Geohash, b.Geohash) })
	features := make([]feature, len(cells))
	for i, cell := range cells {
		features[i] = newFeature(cell.Geohash, rectangle(geo.CellBox(cell.Geohash)), cellProperties{cell.Geohash, cell.Count})
	}
	return s.answerCollection(w, features, limit, cut, c)
}
