package track

// A gap opens by the clock and ends with the next applied fix:
//
//	heard ── the clock passed the newest fix by more than gap_after ──> silent ── a fix is applied ──> heard
//
// Late fixes, duplicates and unconfirmed jumps are not applied, so they neither end nor postpone it.
func (t *Track) startGap(timer timer, out *Output) {
	t.silent = true
	out.Events = append(out.Events, Event{
		Type: GapStarted, Cause: CauseClock, Time: timer.due, Vehicle: t.vehicle, Location: t.pos, SourceOffset: -1,
		Before: out.evidence.put(t.newest()),
		Gap:    out.gaps.put(Gap{Since: t.time}),
	})
}

func (t *Track) endGap(env *Env, s *step, out *Output) {
	t.silent = false
	started := t.time + t.gapAfter(env)
	e := t.fixEvent(GapEnded, s, out)
	e.Time = max(s.fix.Time, started)
	e.Location = s.fix.Position
	e.Gap = out.gaps.put(Gap{Since: t.time, Until: s.fix.Time, Delayed: s.fix.Time <= started})
}

// fixEvent appends an event caused by the step's fix, dated and placed there, with both fixes as evidence.
func (t *Track) fixEvent(kind EventType, s *step, out *Output) *Event {
	out.Events = append(out.Events, Event{
		Type: kind, Cause: CauseFix, Time: s.fix.Time, Vehicle: t.vehicle, Location: s.fix.Position, SourceOffset: s.fix.Offset,
		After: out.evidence.put(s.evidence()),
	})
	e := &out.Events[len(out.Events)-1]
	if !s.first {
		e.Before = out.evidence.put(t.newest())
	}
	return e
}

func (s *step) evidence() Evidence {
	return Evidence{Time: s.fix.Time, Location: s.fix.Position, Offset: s.fix.Offset}
}
