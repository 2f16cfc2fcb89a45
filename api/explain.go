package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"time"

	"github.com/trackmesh/trackmesh/fence"
	"github.com/trackmesh/trackmesh/geo"
)

// proof is what an explanation needs of an event.
type proof struct {
	ID       string     `json:"id"`
	Type     string     `json:"type"`
	Cause    string     `json:"cause"`
	Time     time.Time  `json:"@timestamp"`
	Location [2]float64 `json:"location"`
	Fence    *struct {
		ID      string `json:"id"`
		Version int64  `json:"version"`
	} `json:"fence"`
	Evidence struct {
		Before *evidence `json:"before"`
		After  *evidence `json:"after"`
	} `json:"evidence"`
	Stop *struct {
		Location [2]float64 `json:"location"`
	} `json:"stop"`
}

type evidence struct {
	Time     time.Time  `json:"time"`
	Location [2]float64 `json:"location"`
	Offset   int64      `json:"offset"`
}

func pointOf(lonLat [2]float64) geo.Point { return geo.Point{Lon: lonLat[0], Lat: lonLat[1]} }

// explanation is a drawing in the making: the event with the rule and the numbers, then what it stands on.
type explanation struct {
	event    proof
	fence    *fence.Fence // at the event's version; nil: none, or it is another by now
	facts    map[string]any
	features []any
}

// explain answers with the event, its two fixes, the segment between them, its stop and its fence as a FeatureCollection.
func (s *Server) explain(w http.ResponseWriter, r *http.Request, raw json.RawMessage) error {
	x := explanation{}
	if err := json.Unmarshal(raw, &x.event); err != nil {
		return fmt.Errorf("reading a stored event: %w", err)
	}
	x.facts = map[string]any{"role": "event", "event": raw, "cause": x.event.Cause}
	x.features = []any{newFeature(x.event.ID, pointGeometry(pointOf(x.event.Location)), x.facts)}
	if err := s.drawFence(r.Context(), &x); err != nil {
		return err
	}
	x.drawFix("before", x.event.Evidence.Before)
	x.drawFix("after", x.event.Evidence.After)
	x.drawSegment()
	if stop := x.event.Stop; stop != nil {
		x.facts["stop_radius_metres"] = s.opts.Settings.StopRadiusMetres
		x.facts["stop_after_seconds"] = s.opts.Settings.StopAfter.Seconds()
		x.features = append(x.features, newFeature("stop", pointGeometry(pointOf(stop.Location)), map[string]any{"role": "stop"}))
	}
	if x.event.Type == "gap_started" || x.event.Type == "gap_ended" {
		x.facts["gap_after_seconds"] = s.opts.Settings.GapAfter.Seconds()
	}
	x.facts["rule"] = x.rule(s.opts.Settings.GapAfter)
	return writeGeoJSON(w, map[string]any{"type": "FeatureCollection", "features": x.features})
}

// drawFence draws the fence, when it still is the one that was judged by: the drawing must not show another.
func (s *Server) drawFence(ctx context.Context, x *explanation) error {
	ref := x.event.Fence
	if ref == nil {
		return nil
	}
	current, err := s.opts.Fences.Get(ctx, ref.ID)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	same := err == nil && current.Version == ref.Version
	x.facts["fence_version"], x.facts["fence_unchanged"] = ref.Version, same
	if !same {
		return nil
	}
	if x.fence, err = fence.Parse(current.ID, current.Feature, current.Version); err != nil {
		return fmt.Errorf("reading fence %q: %w", ref.ID, err)
	}
	margin := s.opts.Settings.ExitMarginMetres
	if x.fence.HasMargin() {
		margin = x.fence.ExitMarginMetres
	}
	x.facts["exit_margin_metres"] = margin
	if x.fence.Dwell > 0 {
		x.facts["dwell_seconds"] = float64(x.fence.Dwell) / 1000
	}
	x.features = append(x.features, json.RawMessage(current.Feature))
	return nil
}

// drawFix draws one of the fixes, with how it lies to the event and to the fence.
func (x *explanation) drawFix(role string, e *evidence) {
	if e == nil {
		return
	}
	at := pointOf(e.Location)
	facts := map[string]any{
		"role": role, "time": formatMS(e.Time.UnixMilli()), "offset": e.Offset, "metres_to_event": number(geo.Distance(at, pointOf(x.event.Location))),
	}
	if x.fence != nil {
		facts["inside"], facts["metres_outside"] = x.fence.Contains(at), number(outsideBy(x.fence, at))
	}
	x.features = append(x.features, newFeature(role, pointGeometry(at), facts))
}

func (x *explanation) drawSegment() {
	before, after := x.event.Evidence.Before, x.event.Evidence.After
	if before == nil || after == nil {
		return
	}
	a, b := pointOf(before.Location), pointOf(after.Location)
	length, seconds := geo.Distance(a, b), after.Time.Sub(before.Time).Seconds()
	facts := map[string]any{"role": "segment", "length_metres": number(length), "seconds": seconds}
	if seconds > 0 {
		facts["speed_mps"] = number(length / seconds)
	}
	x.features = append(x.features, newFeature("segment", &geometry{"LineString", []lonLat{lonLat(a), lonLat(b)}}, facts))
}

// outsideBy is how far a place is outside a fence, metres to a centimetre; 0 inside, NaN beyond a thousand kilometres.
func outsideBy(f *fence.Fence, at geo.Point) float64 {
	const most, finest = 1e6, 0.005
	switch {
	case f.Contains(at):
		return 0
	case f.OutsideBy(at, most):
		return math.NaN()
	}
	low, high := 0.0, most
	for high-low > finest {
		if middle := (low + high) / 2; f.OutsideBy(at, middle) {
			low = middle
		} else {
			high = middle
		}
	}
	return high
}

// rule is the sentence of the semantics that made the event.
func (x *explanation) rule(gapAfter time.Duration) string {
	e := &x.event
	before, after := e.Evidence.Before, e.Evidence.After
	switch {
	case e.Cause != "fix" && (e.Type == "enter" || e.Type == "exit"):
		return changeRules[e.Type+" "+e.Cause]
	case e.Type == "enter" && before == nil:
		return "the vehicle's first fix ever is inside: it enters there and then"
	case (e.Type == "enter" || e.Type == "exit") && before != nil && after != nil && after.Time.Sub(before.Time) > gapAfter:
		return rules[e.Type] + "; the fixes are more than gap-after apart, so nobody knows the way taken: dated at the newer one"
	case e.Type == "exit" && before != nil && e.Time.Equal(before.Time):
		return "inside before, and outside by more than the margin now; the older fix was outside already, within the margin: dated at that"
	}
	return rules[e.Type]
}

// rules say in a sentence what made an event.
var rules = map[string]string{
	"enter":        "outside before and inside now; dated where the segment first meets the boundary",
	"exit":         "inside before, and outside by more than the margin now; dated where the segment last leaves the boundary",
	"cross":        "both fixes outside, and the segment between them meets the interior; dated where it goes in",
	"dwell":        "inside for dwell_seconds since the enter, silence and the margin included",
	"stop_started": "all fixes for at least stop-after were within the stop radius of the first of them; dated and placed at that one",
	"stop_ended":   "two fixes in a row further than the stop radius from the stop's place; dated at the first of them",
	"trip_started": "the stop before it ended",
	"trip_ended":   "the next stop started; dated at the stop's first fix",
	"gap_started":  "no fix for longer than gap-after on the track's own clock; dated then",
	"gap_ended":    "the next accepted fix after a gap; dated at the fix, not before the gap's start",
}

// changeRules are those of an enter or exit that no fix of the vehicle made.
var changeRules = map[string]string{
	"enter fence_changed": "the fence was put, changed or moved, and the vehicle's newest fix is inside it now; dated at the track's clock",
	"exit fence_changed":  "the fence was changed, moved or deleted, and the vehicle's newest fix is outside by more than the margin now; dated at the track's clock",
	"enter schedule":      "the fence opened while the vehicle's newest fix was inside; dated at the opening",
	"exit schedule":       "the fence closed while the vehicle was inside; dated at the closing",
	"exit clock":          "the vehicle was silent for forget-after, and its track was forgotten",
	"exit command":        "a message told the track to be forgotten",
}
