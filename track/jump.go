package track

import "github.com/trackmesh/trackmesh/geo"

// accept decides whether a fix can be believed:
//
//	               reachable from the newest: the pending jump, if any, was none
//	           ┌──────────────────────────────────────────────────────────┐
//	           ▼                                                          │
//	┌─────────────┐   not reachable    ┌──────────────┐  reachable from the pending one: confirmed, both applied
//	│ no pending  │ ─────────────────> │ pending jump │ ──────────────────────────────────────────────> no pending
//	└─────────────┘                    └──────────────┘ ──┐ neither: it replaces the pending one
//	                                          ▲───────────┘
func (t *Track) accept(env *Env, h held, out *Output) Outcome {
	h.distance = 0
	if t.has {
		h.distance = geo.Distance(t.pos, h.fix.Position)
	}
	if !t.has || t.reachable(env, h.fix.Time-t.time, h.distance) {
		t.pending = nil
		t.apply(env, h, false, out)
		return Accepted
	}
	if p := t.pending; p != nil {
		if leg := geo.Distance(p.fix.Position, h.fix.Position); t.reachable(env, h.fix.Time-p.fix.Time, leg) {
			t.pending = nil
			t.apply(env, *p, true, out)
			h.distance = leg
			t.apply(env, h, false, out)
			return Accepted
		}
	}
	t.unapplied(env, h.fix, FlagJump, out)
	h.fix = h.fix.clone()
	t.pending = &h
	return Jump
}

// reachable reports whether a vehicle can go so far in a time (ms).
func (t *Track) reachable(env *Env, elapsed int64, metres float64) bool {
	return elapsed > 0 && metres <= t.jumpSpeed(env)*float64(elapsed)/1000
}

// clone copies a fix for keeping.
func (f *Fix) clone() *Fix {
	c := *f
	c.Attributes = append([]byte(nil), f.Attributes...)
	return &c
}
