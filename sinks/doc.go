// Package sinks is the contract between the committed log and a store that is written from it, and the cursor that
// remembers how far a store is.
//
// A sink reads .enriched, .events and .dead from its own cursor: first it catches up, then it is live. It never delays the pipeline.
// sinks/elastic and sinks/sqlite implement stores; actors runs them, one sink actor per partition where the store is
// shared, one per node where it is not.
package sinks
