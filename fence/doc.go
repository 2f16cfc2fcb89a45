// Package fence is the live set of geofences: what a GeoJSON Feature means as a fence, when a scheduled fence is open, and
// which fences hold a point or meet a vehicle's way.
//
// It owns parsing and refusing fences, schedules, and the immutable Set with its index. It is pure: no clock, no I/O, no
// goroutine, no global; times are UTC milliseconds that the caller gives. It refuses to know tracks: margins, visits and
// dwell are package track's, a fence only carries their settings. Nobody starts or stops it. It fails by returning a
// ParseError; sets and fences are safe for any number of readers.
package fence
