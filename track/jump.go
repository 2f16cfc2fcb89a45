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
	if !t.has || t.reachable(env, t.time, t.pos, h.fix) {
		t.pending = nil
		t.apply(env, h, false, out)
		return Accepted
	}
	if p := t.pending; p != nil && t.reachable(env, p.fix.Time, p.fix.Position, h.fix) {
		t.pending = nil
		t.apply(env, *p, true, out)
		t.apply(env, h, false, out)
		return Accepted
	}
	t.unapplied(env, h.fix, FlagJump, out)
	h.fix = h.fix.clone()
	t.pending = &h
	return Jump
}

// reachable reports whether a vehicle can come from a place at a time to the fix.
func (t *Track) reachable(env *Env, since int64, from geo.Point, fix *Fix) bool {
	elapsed := fix.Time - since
	return elapsed > 0 && geo.Distance(from, fix.Position) <= t.jumpSpeed(env)*float64(elapsed)/1000
}

// clone copies a fix for keeping.
func (f *Fix) clone() *Fix {
	c := *f
	c.Attributes = append([]byte(nil), f.Attributes...)
	return &c
}
