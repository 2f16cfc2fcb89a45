// Package sinks is the contract between the committed log and a store that is written from it, and the pump that keeps
// both together.
//
// A Pump reads .enriched and .events of its partitions from its own cursors: first it catches up, then it is live. It
// never delays the pipeline, and holds a bounded number of bytes however long a store is away: the log is the buffer. It
// writes batches until the store takes them, hands what the store refuses for good to Reject, and only then moves the
// cursor. So every document is written at least once, under an id that never comes again; a store that is idempotent by
// that id has each exactly once.
//
// It refuses to lose anything silently: a cursor that is no longer in the log is a log line, a metric and an error of
// Health. Whoever makes a Pump starts and stops it; partitions come and go with Add and Remove. sinks/elastic and
// sinks/sqlite are stores.
package sinks
