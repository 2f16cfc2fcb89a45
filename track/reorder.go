package track

import (
	"cmp"
	"slices"
)

// The reorder window (off by default): a fix waits until the event clock has passed its time by the window, so that those
// which come out of order are applied in order of time:
//
//	         ┌── too many wait, or too much: the oldest goes ──┐
//	comes ──> held, by time ── the clock reaches its time + window ──> late? jump? apply
//
// All timers run on the clock less the window.

// Bounds of what a track holds, and so of its snapshot.
const (
	maxHeld      = 512
	maxHeldBytes = 128 << 10
)

// heldOverhead is about what a held fix takes in a snapshot without its attributes, bytes.
const heldOverhead = 100

func (h *held) size() int { return heldOverhead + len(h.fix.Attributes) }

// oldestHeld is the next to be applied.
func (t *Track) oldestHeld() (h held, ok bool) {
	if t.rare == nil || len(t.rare.held) == 0 {
		return held{}, false
	}
	return t.rare.held[0], true
}

// hold keeps a copy of the fix until its time has come.
func (t *Track) hold(env *Env, fix *Fix, out *Output) Outcome {
	h := held{fix: fix.clone(), arrived: env.EventClock - env.Settings.ReorderWindow.Milliseconds()}
	r := t.few()
	at, _ := slices.BinarySearchFunc(r.held, fix.Time+1, func(h held, time int64) int { return cmp.Compare(h.fix.Time, time) })
	r.held = slices.Insert(r.held, at, h)
	r.heldBytes += h.size()
	for t.holdsTooMuch() {
		t.releaseOldest(env, out)
	}
	t.advance(env, env.EventClock, out)
	return Held
}

func (t *Track) holdsTooMuch() bool {
	return t.rare != nil && (len(t.rare.held) > maxHeld || t.rare.heldBytes > maxHeldBytes)
}

// releaseOldest applies the earliest held fix. It arrives when its time had come, or when it came after that.
func (t *Track) releaseOldest(env *Env, out *Output) {
	h := t.rare.held[0]
	t.rare.held = slices.Delete(t.rare.held, 0, 1)
	t.rare.heldBytes -= h.size()
	t.rise()
	if t.has && h.fix.Time <= t.time {
		t.unapplied(env, h.fix, FlagLate, out)
		return
	}
	t.accept(env, h.fix, max(h.arrived, h.fix.Time), out)
}

// clone copies a fix for keeping: its attributes lie in a large fetch.
func (f *Fix) clone() *Fix {
	c := *f
	c.Attributes = slices.Clone(f.Attributes)
	return &c
}
