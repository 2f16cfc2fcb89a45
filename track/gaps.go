package track

// A gap opens by the clock and ends with the next applied fix:
//
//	heard ── the clock passed the newest fix by more than gap_after ──> silent ── a fix is applied ──> heard
//
// Late fixes, duplicates and unconfirmed jumps are not applied, so they neither end nor postpone it.
func (t *Track) startGap(due int64, out *Output) {
	t.silent, t.gapStarted = true, due
	out.Events = append(out.Events, Event{
		Type: GapStarted, Cause: CauseClock, Time: due, Vehicle: t.vehicle, Location: t.pos, SourceOffset: -1,
		Before: out.evidence.put(t.newest()),
		Gap:    out.gaps.put(Gap{Since: t.time}),
	})
}

// endGap: the data was late and never missing when the fix is from before the gap was noticed.
func (t *Track) endGap(s *step, out *Output) {
	t.silent = false
	e := t.fixEvent(GapEnded, s, out)
	e.Time = max(s.fix.Time, t.gapStarted)
	e.Gap = out.gaps.put(Gap{Since: t.time, Until: s.fix.Time, Delayed: s.fix.Time <= t.gapStarted})
}
