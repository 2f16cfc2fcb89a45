package track

import (
	"maps"
	"time"

	trackmeshv1 "github.com/trackmesh/trackmesh/messages/trackmesh/v1"
)

// Bounds of a track's annotations.
const (
	maxAnnotations     = 64
	maxAnnotationBytes = 4 << 10
)

// Apply handles a message to the track. What it cannot take (too many annotations) it leaves out.
func (t *Track) Apply(env *Env, cmd *trackmeshv1.Command, out *Output) {
	t.advance(env, env.EventClock, out)
	switch body := cmd.GetBody().(type) {
	case *trackmeshv1.Command_Annotate:
		t.annotate(body.Annotate.GetAttributes())
	case *trackmeshv1.Command_ResetOdometer:
		t.odometer = 0
	case *trackmeshv1.Command_Configure:
		t.configure(body.Configure)
	case *trackmeshv1.Command_Forget:
		t.forget(env, out)
	}
}

// forget ends the track. Fixes that wait in the reorder window are the first of the next one.
func (t *Track) forget(env *Env, out *Output) {
	if t.forgotten {
		return
	}
	from := len(out.Events)
	t.leaveAll(env, t.clockAt(env.EventClock-env.Settings.ReorderWindow.Milliseconds()), CauseCommand, out)
	t.number(out, from)
	t.forgotten = true
	if _, waiting := t.oldestHeld(); waiting {
		t.rise()
	}
}

func (t *Track) annotate(attributes map[string]string) {
	next := map[string]string{}
	maps.Copy(next, t.annotations())
	for key, value := range attributes {
		if value == "" {
			delete(next, key)
			continue
		}
		next[key] = value
	}
	bytes := 0
	for key, value := range next {
		bytes += len(key) + len(value)
	}
	if len(next) <= maxAnnotations && bytes <= maxAnnotationBytes {
		t.few().annotations = next
	}
}

func (t *Track) annotations() map[string]string {
	if t.rare == nil {
		return nil
	}
	return t.rare.annotations
}

// Bounds of what a track may be told: whatever comes, sums of times stay in range and memory small.
const (
	maxPathFixes = 10_000
	longest      = 10 * 366 * 24 * int64(time.Hour/time.Millisecond)
)

// configure takes over what is there; 0 brings a setting back to the node's.
func (t *Track) configure(c *trackmeshv1.Configure) {
	own := &t.few().own
	if c.StopRadiusMetres != nil {
		own.stopRadiusMetres = c.GetStopRadiusMetres()
	}
	if c.StopAfterMs != nil {
		own.stopAfter = min(c.GetStopAfterMs(), longest)
	}
	if c.GapAfterMs != nil {
		own.gapAfter = min(c.GetGapAfterMs(), longest)
	}
	if c.JumpSpeedMps != nil {
		own.jumpSpeedMPS = c.GetJumpSpeedMps()
	}
	if c.PathFixes != nil {
		own.pathFixes = int32(min(c.GetPathFixes(), maxPathFixes))
	}
}
