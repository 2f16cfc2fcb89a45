// Package track is the per-vehicle state machine: state + input (fix, tick, fence change, command) → state + outputs.
//
// It is pure: no clock, no I/O, no goroutine, no global. It refuses to decode input, to number documents, and to know
// partitions; package actors does that. Nobody starts or stops it. It fails only by panicking for a bug of its own,
// which the track's actor recovers.
package track
