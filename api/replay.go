package api

import (
	"cmp"
	"math"
	"net/http"
	"slices"
	"time"

	"github.com/trackmesh/trackmesh/history"
)

const (
	maxReplaySpan    = time.Hour
	maxReplayFixes   = 2_000_000
	defaultReplayFix = 1_000_000
)

// replayAnswer holds the fixes of a window in columns, in order of vehicle, then time. Within a vehicle's run the columns of times
// and places hold differences to the row before; a run's first row holds the difference to from, and to 0, 0.
type replayAnswer struct {
	From      string   `json:"from"`
	To        string   `json:"to"`
	Count     int      `json:"count"`
	Limit     int      `json:"limit"`
	Truncated bool     `json:"truncated"`
	Next      string   `json:"next,omitempty"` // when truncated: "from" of the rest; everything before it is here
	Vehicles  []string `json:"vehicles"`
	Rows      []int    `json:"rows"` // how many rows each vehicle has
	DtMS      []int64  `json:"dt_ms"`
	LonE7     []int64  `json:"lon_e7"`
	LatE7     []int64  `json:"lat_e7"`
	SpeedDMS  []int    `json:"speed_dms"` // decimetres a second; 65535: absent
	Heading   []int    `json:"heading"`   // of 255 for the full circle; 255: absent
	Status    []int    `json:"status"`    // 0 moving, 1 stopped, 2 silent
}

func (s *Server) getReplay(w http.ResponseWriter, r *http.Request) error {
	p := readParams(r, "from", "to", "bbox", "step_ms", "limit", "carry", "format")
	from, to := p.span()
	switch {
	case from.IsZero() || to.IsZero():
		p.fail("from", "and to are needed")
	case to.Sub(from) > maxReplaySpan:
		p.fail("to", "must be at most an hour after from: ask for a minute at a time")
	}
	q := history.ReplayQuery{From: from, To: to, Box: p.box()}
	q.Step = time.Duration(p.integer("step_ms", 0, 0, int(maxReplaySpan.Milliseconds()))) * time.Millisecond
	limit := p.integer("limit", defaultReplayFix, 1, maxReplayFixes)
	carry, binary := p.flag("carry"), p.choice("format", "json", "binary") == "binary"
	if err := p.problem(); err != nil {
		return err
	}
	if s.opts.History == nil {
		return historyOff()
	}
	q.Limit = limit + 1
	fixes, err := s.opts.History.Replay(r.Context(), q)
	if err != nil {
		return err
	}
	fixes, next := wholeMoments(fixes, limit)
	if carry {
		before, err := s.opts.History.At(r.Context(), history.AtQuery{At: from.Add(-time.Millisecond), Box: q.Box, Limit: limit})
		if err != nil {
			return err
		}
		fixes = append(before, fixes...)
	}
	if binary {
		return writeReplayFrame(w, replayFrame(fixes, from.UnixMilli(), to.UnixMilli(), next))
	}
	answer := columns(fixes, from.UnixMilli())
	answer.From, answer.To, answer.Limit = formatTime(from), formatTime(to), limit
	if next != 0 {
		answer.Truncated, answer.Next = true, formatMS(next)
	}
	return writeJSON(w, http.StatusOK, answer)
}

// wholeMoments cuts fixes in order of time to a limit, not within a millisecond unless that alone is over it, so that who goes on from
// next (UTC ms; 0: nothing was cut) misses none and sees none twice.
func wholeMoments(fixes []history.Position, limit int) (kept []history.Position, next int64) {
	if len(fixes) <= limit {
		return fixes, 0
	}
	next = fixes[limit].Time
	n := limit
	for n > 0 && fixes[n-1].Time == next {
		n--
	}
	if n == 0 {
		return fixes[:limit], next + 1
	}
	return fixes[:n], next
}

// byVehicle puts fixes into the order of the answer.
func byVehicle(fixes []history.Position) {
	slices.SortStableFunc(fixes, func(a, b history.Position) int {
		return cmp.Or(cmp.Compare(a.Vehicle, b.Vehicle), cmp.Compare(a.Time, b.Time))
	})
}

// columns turns fixes into columns.
func columns(fixes []history.Position, from int64) *replayAnswer {
	byVehicle(fixes)
	a := &replayAnswer{
		Vehicles: []string{}, Rows: []int{}, DtMS: []int64{}, LonE7: []int64{}, LatE7: []int64{}, SpeedDMS: []int{}, Heading: []int{}, Status: []int{},
	}
	var lastTime, lastLon, lastLat int64
	for i := range fixes {
		f := &fixes[i]
		fresh := len(a.Vehicles) == 0 || a.Vehicles[len(a.Vehicles)-1] != f.Vehicle
		if fresh {
			a.Vehicles, a.Rows = append(a.Vehicles, f.Vehicle), append(a.Rows, 0)
			lastTime, lastLon, lastLat = from, 0, 0
		}
		lon, lat := int64(math.Round(f.Location.Lon*1e7)), int64(math.Round(f.Location.Lat*1e7))
		a.Rows[len(a.Rows)-1]++
		a.DtMS = append(a.DtMS, f.Time-lastTime)
		a.LonE7, a.LatE7 = append(a.LonE7, lon-lastLon), append(a.LatE7, lat-lastLat)
		a.SpeedDMS = append(a.SpeedDMS, int(speedCode(f.SpeedMPS)))
		a.Heading = append(a.Heading, int(headingCode(f.HeadingDegrees)))
		a.Status = append(a.Status, int(statusByName[f.Status]))
		lastTime, lastLon, lastLat = f.Time, lon, lat
	}
	a.Count = len(a.DtMS)
	return a
}

// histogramAnswer counts fixes by interval.
type histogramAnswer struct {
	From       string  `json:"from"`
	To         string  `json:"to"`
	IntervalMS int64   `json:"interval_ms"`
	Times      []int64 `json:"times_ms"` // starts of the intervals that have fixes, UTC
	Counts     []int64 `json:"counts"`
}

// getHistogram counts fixes over time, for the timeline under the map.
func (s *Server) getHistogram(w http.ResponseWriter, r *http.Request) error {
	p := readParams(r, "from", "to", "interval_ms")
	from, to := p.span()
	if from.IsZero() || to.IsZero() {
		p.fail("from", "and to are needed")
	}
	interval := time.Duration(p.integer("interval_ms", 60_000, 1000, math.MaxInt32)) * time.Millisecond
	if p.err == nil && to.Sub(from)/interval > 10_000 {
		p.fail("interval_ms", "is too short for the span: at most 10000 intervals")
	}
	if err := p.problem(); err != nil {
		return err
	}
	if s.opts.History == nil {
		return historyOff()
	}
	buckets, err := s.opts.History.Histogram(r.Context(), from, to, interval)
	if err != nil {
		return err
	}
	a := histogramAnswer{formatTime(from), formatTime(to), interval.Milliseconds(), make([]int64, len(buckets)), make([]int64, len(buckets))}
	for i, b := range buckets {
		a.Times[i], a.Counts[i] = b.Time, b.Count
	}
	return writeJSON(w, http.StatusOK, a)
}
