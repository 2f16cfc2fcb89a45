// Package packed is the form in which sinks/sqlite keeps positions: documents taken apart, and packed into a few bytes
// without loss. It is apart from the store so that its fuzzers need not compile SQLite. It owns the format and no state;
// what it cannot read is an error.
package packed
