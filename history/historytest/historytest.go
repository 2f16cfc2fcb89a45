package historytest

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/geo"
	"github.com/trackmesh/trackmesh/history"
	"github.com/trackmesh/trackmesh/sinks"
)

// Subject is a store under test, empty.
type Subject struct {
	Writer sinks.Writer
	Store  history.Store
	// Settle waits until everything written can be found.
	Settle func(ctx context.Context) error
}

// suite is the fixture and a store that holds it.
type suite struct {
	*fixture
	store history.Store
}

// Run asks a store everything. open is called once.
func Run(t *testing.T, open func(t *testing.T) Subject) {
	t.Helper()
	s := &suite{fixture: newFixture()}
	subject := open(t)
	s.store = subject.Store
	t.Run("an empty store answers with nothing", s.empty)
	for range 2 { // the second time changes nothing
		for batch := range slices.Chunk(s.documents, 700) {
			rejections, err := subject.Writer.Write(t.Context(), batch)
			require.NoError(t, err)
			require.Empty(t, rejections)
		}
	}
	if subject.Settle != nil {
		require.NoError(t, subject.Settle(t.Context()))
	}
	for name, test := range map[string]func(t *testing.T){
		"path is a vehicle's fixes in order":           s.path,
		"path with a limit is the newest part":         s.pathLimit,
		"events of one vehicle go by sequence":         s.eventsOfVehicle,
		"events of many go by time and id":             s.eventsOfMany,
		"events are filtered":                          s.eventsFiltered,
		"an event is found by its id":                  s.eventByID,
		"cells count fixes":                            s.cells,
		"cells in a box":                               s.cellsInBox,
		"cells with a limit are the fullest":           s.cellsLimit,
		"at is each vehicle's newest fix":              s.at,
		"at in a box is where the newest fix is in it": s.atInBox,
		"replay is a window in order of time":          s.replay,
		"replay in steps is each vehicle's first fix":  s.replaySteps,
		"histogram counts by interval":                 s.histogram,
		"senseless questions are refused":              s.senseless,
	} {
		t.Run(name, test)
	}
}

// spans of time to ask about: all, one day of two, a part, the past.
func spans() map[string][2]time.Time {
	return map[string][2]time.Time{
		"always":       {},
		"second day":   {noon.Add(12 * time.Hour), {}},
		"first day":    {{}, noon.Add(12 * time.Hour)},
		"five minutes": {noon.Add(4*time.Minute + 3*time.Millisecond), noon.Add(9 * time.Minute)},
		"2013":         {{}, time.Date(2014, 1, 1, 0, 0, 0, 0, time.UTC)},
		"never":        {noon.Add(48 * time.Hour), noon.Add(49 * time.Hour)},
	}
}

// boxes to ask about. Their edges are between the six decimals that the fixes have.
func boxes() map[string]*geo.Box {
	return map[string]*geo.Box{
		"everywhere":   nil,
		"midtown":      {West: -73.9850005, South: 40.7450005, East: -73.9750005, North: 40.7550005},
		"antimeridian": {West: 179.9500005, South: -18, East: -179.9500005, North: -17},
		"nowhere":      {West: 10, South: 10, East: 11, North: 11},
	}
}

func inBox(b *geo.Box, p geo.Point) bool { return b == nil || b.Contains(p) }

// same compares positions; absent numbers are NaN, which equals nothing.
func same(t *testing.T, want, got []history.Position) {
	t.Helper()
	text := func(positions []history.Position) []string {
		lines := make([]string, len(positions))
		for i := range positions {
			lines[i] = fmt.Sprintf("%+v", positions[i])
		}
		return lines
	}
	require.Equal(t, text(want), text(got))
}

func (s *suite) empty(t *testing.T) {
	path, err := s.store.Path(t.Context(), history.PathQuery{Vehicle: "cab 1"})
	require.NoError(t, err)
	require.Empty(t, path)
	events, next, err := s.store.Events(t.Context(), history.EventQuery{})
	require.NoError(t, err)
	require.Empty(t, events)
	require.Empty(t, next)
	_, err = s.store.Event(t.Context(), "deadbeef-0-0")
	require.ErrorIs(t, err, history.ErrNotFound)
	cells, err := s.store.Cells(t.Context(), history.CellQuery{Precision: 5})
	require.NoError(t, err)
	require.Empty(t, cells)
	fleet, err := s.store.At(t.Context(), history.AtQuery{At: noon})
	require.NoError(t, err)
	require.Empty(t, fleet)
	window, err := s.store.Replay(t.Context(), history.ReplayQuery{})
	require.NoError(t, err)
	require.Empty(t, window)
	buckets, err := s.store.Histogram(t.Context(), time.Time{}, time.Time{}, time.Minute)
	require.NoError(t, err)
	require.Empty(t, buckets)
}

func byTime(a, b row) int {
	return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.offset, b.offset), cmp.Compare(a.partition, b.partition))
}

func (s *suite) pathRows(vehicle string, from, to time.Time, late bool) []row {
	return s.fixes(func(r *row) bool {
		return r.Vehicle == vehicle && inSpan(r.Time, from, to) && (late || !r.Late)
	}, byTime)
}

func (s *suite) path(t *testing.T) {
	for name, span := range spans() {
		for _, vehicle := range []string{"cab 1", `a "quoted" \ name`, "Österreich-42", strings.Repeat("x", 128), "ferry", "taxi-2013", "unknown"} {
			for _, late := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%.8s/late=%t", name, vehicle, late), func(t *testing.T) {
					got, err := s.store.Path(t.Context(), history.PathQuery{Vehicle: vehicle, From: span[0], To: span[1], Late: late})
					require.NoError(t, err)
					same(t, positions(s.pathRows(vehicle, span[0], span[1], late)), got)
				})
			}
		}
	}
}

func (s *suite) pathLimit(t *testing.T) {
	all := s.pathRows("cab 1", time.Time{}, time.Time{}, true)
	for _, limit := range []int{1, 2, 63, 200, len(all), len(all) + 1} {
		got, err := s.store.Path(t.Context(), history.PathQuery{Vehicle: "cab 1", Late: true, Limit: limit})
		require.NoError(t, err)
		same(t, positions(all[max(0, len(all)-limit):]), got)
	}
}

// listed are the events that a question is about, in the order of its answer.
func (s *suite) listed(q history.EventQuery) []json.RawMessage {
	var all []happening
	for _, e := range s.events {
		if (q.Vehicle == "" || e.vehicle == q.Vehicle) && (q.Fence == "" || e.fence == q.Fence) &&
			(len(q.Types) == 0 || slices.Contains(q.Types, e.kind)) && inSpan(e.time, q.From, q.To) {
			all = append(all, e)
		}
	}
	slices.SortFunc(all, func(a, b happening) int {
		newest := cmp.Or(cmp.Compare(b.time, a.time), strings.Compare(b.id, a.id))
		if q.Vehicle != "" {
			return cmp.Or(cmp.Compare(b.sequence, a.sequence), newest)
		}
		return newest
	})
	bodies := []json.RawMessage{}
	for _, e := range all {
		bodies = append(bodies, e.body)
	}
	return bodies
}

// pages asks page by page and checks that together they are the list.
func (s *suite) pages(t *testing.T, q history.EventQuery) {
	t.Helper()
	want := s.listed(q)
	got := []json.RawMessage{}
	for {
		events, next, err := s.store.Events(t.Context(), q)
		require.NoError(t, err)
		got = append(got, events...)
		if next == "" {
			break
		}
		require.Len(t, events, q.Limit, "a page with a next one is full")
		q.After = next
	}
	require.Len(t, got, len(want))
	for i := range want {
		require.JSONEq(t, string(want[i]), string(got[i]))
	}
}

func (s *suite) eventsOfVehicle(t *testing.T) {
	for _, vehicle := range []string{"cab 1", `a "quoted" \ name`, "taxi-0007", "unknown"} {
		for _, limit := range []int{1, 7, 1000} {
			s.pages(t, history.EventQuery{Vehicle: vehicle, Limit: limit})
		}
	}
}

func (s *suite) eventsOfMany(t *testing.T) {
	s.pages(t, history.EventQuery{Limit: 13})
	s.pages(t, history.EventQuery{Limit: len(s.events)})
	events, next, err := s.store.Events(t.Context(), history.EventQuery{})
	require.NoError(t, err)
	require.Len(t, events, history.DefaultEvents)
	require.NotEmpty(t, next)
}

func (s *suite) eventsFiltered(t *testing.T) {
	for name, span := range spans() {
		for _, q := range []history.EventQuery{
			{},
			{Types: []string{"enter"}},
			{Types: []string{"enter", "exit", "stop_ended"}},
			{Fence: "airport: JFK"},
			{Fence: "nowhere"},
			{Fence: "manhattan", Types: []string{"cross"}, Vehicle: "cab 1"},
		} {
			q.From, q.To, q.Limit = span[0], span[1], 9
			t.Run(fmt.Sprintf("%s/%v/%s", name, q.Types, q.Fence), func(t *testing.T) { s.pages(t, q) })
		}
	}
}

func (s *suite) eventByID(t *testing.T) {
	for _, e := range []happening{s.events[0], s.events[len(s.events)-1]} {
		got, err := s.store.Event(t.Context(), e.id)
		require.NoError(t, err)
		require.JSONEq(t, string(e.body), string(got))
	}
	for _, id := range []string{"deadbeef-0-999999", "", `"`} {
		_, err := s.store.Event(t.Context(), id)
		require.ErrorIs(t, err, history.ErrNotFound, id)
	}
}

func (s *suite) counted(q history.CellQuery) []history.Cell {
	counts := map[string]int64{}
	for _, r := range s.fixes(func(r *row) bool { return inSpan(r.Time, q.From, q.To) && inBox(q.Box, r.Location) }, byTime) {
		counts[geo.Geohash(r.Location, q.Precision)]++
	}
	cells := []history.Cell{}
	for hash, n := range counts {
		cells = append(cells, history.Cell{Geohash: hash, Count: n})
	}
	slices.SortFunc(cells, history.CompareCells)
	return cells
}

func (s *suite) cells(t *testing.T) {
	for name, span := range spans() {
		for _, precision := range []int{1, 3, 5, 6, 7, 9} {
			t.Run(fmt.Sprintf("%s/precision=%d", name, precision), func(t *testing.T) {
				q := history.CellQuery{Precision: precision, From: span[0], To: span[1]}
				got, err := s.store.Cells(t.Context(), q)
				require.NoError(t, err)
				require.Equal(t, s.counted(q), got)
			})
		}
	}
}

func (s *suite) cellsInBox(t *testing.T) {
	for name, box := range boxes() {
		for _, span := range spans() {
			q := history.CellQuery{Precision: 7, Box: box, From: span[0], To: span[1]}
			got, err := s.store.Cells(t.Context(), q)
			require.NoError(t, err)
			require.Equal(t, s.counted(q), got, name)
		}
	}
	q := history.CellQuery{Precision: 7, Box: boxes()["antimeridian"]}
	require.NotEmpty(t, s.counted(q), "the fixture has fixes there")
}

func (s *suite) cellsLimit(t *testing.T) {
	all := s.counted(history.CellQuery{Precision: 6})
	limit := 1
	for limit < len(all) && all[limit-1].Count == all[limit].Count {
		limit++ // where the counts differ, so that there is one answer
	}
	got, err := s.store.Cells(t.Context(), history.CellQuery{Precision: 6, Limit: limit})
	require.NoError(t, err)
	require.Equal(t, all[:limit], got)
}

func (s *suite) fleet(q history.AtQuery) []history.Position {
	age := q.MaxAge
	if age == 0 {
		age = 30 * time.Minute
	}
	newest := map[string]row{}
	for _, r := range s.fixes(func(r *row) bool {
		return r.Time > q.At.Add(-age).UnixMilli() && r.Time <= q.At.UnixMilli()
	}, byTime) {
		newest[r.Vehicle] = r
	}
	fleet := []history.Position{}
	for _, r := range newest {
		if inBox(q.Box, r.Location) {
			fleet = append(fleet, r.Position)
		}
	}
	slices.SortFunc(fleet, func(a, b history.Position) int { return strings.Compare(a.Vehicle, b.Vehicle) })
	if q.Limit > 0 {
		fleet = fleet[:min(len(fleet), q.Limit)]
	}
	return fleet
}

func (s *suite) at(t *testing.T) {
	exactly := time.UnixMilli(s.pathRows("cab 1", time.Time{}, time.Time{}, true)[10].Time)
	for _, q := range []history.AtQuery{
		{At: noon.Add(10 * time.Minute)},
		{At: noon.Add(10 * time.Minute), MaxAge: 20 * time.Second},
		{At: noon.Add(10 * time.Minute), Limit: 5},
		{At: noon.Add(40 * time.Minute)},
		{At: noon.Add(12*time.Hour + time.Minute)},
		{At: noon.Add(5 * time.Hour), MaxAge: 24 * time.Hour},
		{At: exactly, MaxAge: time.Millisecond},
		{At: exactly.Add(time.Millisecond), MaxAge: time.Millisecond},
		{At: noon.Add(-time.Hour)},
	} {
		got, err := s.store.At(t.Context(), q)
		require.NoError(t, err)
		same(t, s.fleet(q), got)
	}
}

func (s *suite) atInBox(t *testing.T) {
	for _, box := range boxes() {
		for _, minutes := range []int{3, 6, 9, 12, 30, 90} {
			q := history.AtQuery{At: noon.Add(time.Duration(minutes) * time.Minute), Box: box}
			got, err := s.store.At(t.Context(), q)
			require.NoError(t, err)
			same(t, s.fleet(q), got)
		}
	}
}

func (s *suite) replay(t *testing.T) {
	for name, span := range spans() {
		for place, box := range boxes() {
			for _, limit := range []int{0, 1, 100} {
				t.Run(fmt.Sprintf("%s/%s/limit=%d", name, place, limit), func(t *testing.T) {
					got, err := s.store.Replay(t.Context(), history.ReplayQuery{From: span[0], To: span[1], Box: box, Limit: limit})
					require.NoError(t, err)
					want := s.fixes(func(r *row) bool { return inSpan(r.Time, span[0], span[1]) && inBox(box, r.Location) }, func(a, b row) int {
						return cmp.Or(cmp.Compare(a.Time, b.Time), strings.Compare(a.Vehicle, b.Vehicle), byTime(a, b))
					})
					if limit > 0 {
						want = want[:min(len(want), limit)]
					}
					same(t, positions(want), got)
				})
			}
		}
	}
}

func (s *suite) replaySteps(t *testing.T) {
	for name, span := range spans() {
		for place, box := range boxes() {
			for _, step := range []time.Duration{time.Millisecond, 25 * time.Second, 10 * time.Minute} {
				for _, limit := range []int{0, 7} {
					t.Run(fmt.Sprintf("%s/%s/%s/limit=%d", name, place, step, limit), func(t *testing.T) {
						got, err := s.store.Replay(t.Context(), history.ReplayQuery{From: span[0], To: span[1], Box: box, Step: step, Limit: limit})
						require.NoError(t, err)
						same(t, positions(s.stepped(span, box, step, limit)), got)
					})
				}
			}
		}
	}
}

// stepped are the fixes of a replay in steps.
func (s *suite) stepped(span [2]time.Time, box *geo.Box, step time.Duration, limit int) []row {
	type cell struct {
		vehicle string
		step    int64
	}
	seen := map[cell]bool{}
	rows := s.fixes(func(r *row) bool { return inSpan(r.Time, span[0], span[1]) && inBox(box, r.Location) }, func(a, b row) int {
		return cmp.Or(cmp.Compare(a.Time, b.Time), strings.Compare(a.Vehicle, b.Vehicle), byTime(a, b))
	})
	rows = slices.DeleteFunc(rows, func(r row) bool {
		at := cell{r.Vehicle, int64(math.Floor(float64(r.Time) / float64(step.Milliseconds())))}
		again := seen[at]
		seen[at] = true
		return again
	})
	if limit > 0 {
		rows = rows[:min(len(rows), limit)]
	}
	return rows
}

func (s *suite) histogram(t *testing.T) {
	for name, span := range spans() {
		for _, interval := range []time.Duration{time.Minute, 7 * time.Minute, 24 * time.Hour} {
			t.Run(fmt.Sprintf("%s/%s", name, interval), func(t *testing.T) {
				counts := map[int64]int64{}
				for _, r := range s.fixes(func(r *row) bool { return inSpan(r.Time, span[0], span[1]) }, byTime) {
					counts[int64(math.Floor(float64(r.Time)/float64(interval.Milliseconds())))*interval.Milliseconds()]++
				}
				want := []history.Bucket{}
				for at, n := range counts {
					want = append(want, history.Bucket{Time: at, Count: n})
				}
				slices.SortFunc(want, func(a, b history.Bucket) int { return cmp.Compare(a.Time, b.Time) })
				got, err := s.store.Histogram(t.Context(), span[0], span[1], interval)
				require.NoError(t, err)
				require.Equal(t, want, got)
			})
		}
	}
}

func (s *suite) senseless(t *testing.T) {
	for _, precision := range []int{0, -1, 10} {
		_, err := s.store.Cells(t.Context(), history.CellQuery{Precision: precision})
		require.ErrorIs(t, err, history.ErrQuery)
	}
	for _, after := range []string{"x", "e30", "!!"} {
		_, _, err := s.store.Events(t.Context(), history.EventQuery{After: after})
		require.ErrorIs(t, err, history.ErrQuery)
	}
	_, err := s.store.Histogram(t.Context(), noon, noon.Add(time.Hour), 0)
	require.ErrorIs(t, err, history.ErrQuery)
	_, err = s.store.Histogram(t.Context(), noon, noon.Add(24*365*time.Hour), time.Second)
	require.ErrorIs(t, err, history.ErrQuery)
}
