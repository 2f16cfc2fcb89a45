// Package history is the questions about the past, whoever answers them: sinks/elastic or sinks/sqlite.
//
// It owns the interface, the queries and the rows; it refuses to know how they are stored. historytest holds the
// conformance suite that both answers pass.
package history
