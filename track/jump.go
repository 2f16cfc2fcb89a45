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
//
// An unconfirmed jump changes nothing but the event clock.
func (t *Track) accept(env *Env, fix *Fix, arrived int64, out *Output) Outcome {
	if !t.has {
		s := firstStep(fix)
		t.apply(env, &s, arrived, out)
		return Accepted
	}
	leg := geo.LegFrom(t.pos, t.vector(), fix.Position)
	if t.reachable(env, fix.Time-t.time, leg.Metres) {
		t.setJump(held{})
		s := t.step(env, fix, leg)
		t.apply(env, &s, arrived, out)
		return Accepted
	}
	if p := t.jump(); p.fix != nil && t.reachable(env, fix.Time-p.fix.Time, geo.Distance(p.fix.Position, fix.Position)) {
		t.setJump(held{})
		leap := t.leapStep(p.fix)
		t.apply(env, &leap, p.arrived, out)
		s := t.step(env, fix, geo.LegFrom(t.pos, t.vector(), fix.Position))
		t.apply(env, &s, arrived, out)
		return Accepted
	}
	t.unapplied(env, fix, FlagJump, out)
	kept := *fix
	kept.Attributes = nil // its document is out, and when it is applied the next fix's are newer
	t.setJump(held{fix: &kept, arrived: arrived})
	return Jump
}

// jump is the pending one; without a fix when there is none.
func (t *Track) jump() held {
	if t.rare == nil {
		return held{}
	}
	return t.rare.jump
}

func (t *Track) setJump(h held) {
	if h.fix != nil || t.rare != nil {
		t.few().jump = h
	}
}

// reachable reports whether a vehicle can go so many metres in so many milliseconds.
func (t *Track) reachable(env *Env, elapsed int64, metres float64) bool {
	return elapsed > 0 && metres <= t.jumpSpeed(env)*float64(elapsed)/1000
}
