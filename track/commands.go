package track

import (
	"maps"

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
		if !t.forgotten {
			from := len(out.Events)
			t.leaveAll(env, t.clockAt(env.EventClock-env.Settings.ReorderWindow.Milliseconds()), CauseCommand, out)
			t.number(out, from)
			t.forgotten = true
		}
	}
}

func (t *Track) annotate(attributes map[string]string) {
	next := maps.Clone(t.annotations)
	if next == nil {
		next = map[string]string{}
	}
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
		t.annotations = next
	}
}

func (t *Track) configure(c *trackmeshv1.Configure) {
	own := overrides{}
	if t.own != nil {
		own = *t.own
	}
	if c.StopRadiusMetres != nil {
		own.stopRadiusMetres = c.GetStopRadiusMetres()
	}
	if c.StopAfterMs != nil {
		own.stopAfter = c.GetStopAfterMs()
	}
	if c.GapAfterMs != nil {
		own.gapAfter = c.GetGapAfterMs()
	}
	if c.JumpSpeedMps != nil {
		own.jumpSpeedMPS = c.GetJumpSpeedMps()
	}
	if c.PathFixes != nil {
		own.pathFixes = int(min(c.GetPathFixes(), maxPathFixes))
	}
	t.own = &own
}

// maxPathFixes bounds what a track may be told to keep in memory.
const maxPathFixes = 10_000
