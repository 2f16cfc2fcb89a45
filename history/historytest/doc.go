// Package historytest is the conformance suite of history.Store: every store gives the same answers, and they are those of
// a plain list that is searched from end to end.
//
// It writes a made fleet through the store's own sinks.Writer, in the documents of package track: vehicles in New York and
// over the antimeridian, today's and 2013's, late fixes, jumps, equal times, names that need escaping.
package historytest
