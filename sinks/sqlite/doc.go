// Package sqlite keeps history in one SQLite file, history.db in the data directory: the store of a node without
// Elasticsearch. It writes what a sinks.Pump gives it and answers history's questions.
//
// The cursors are in the same file, and move in the transaction that writes what lies before them, so each record is there
// exactly once without an index of ids: what is offered again lies before the cursor and is passed over. The file is
// written with synchronous=NORMAL: a power cut may take its newest transactions, with their cursors, and the log, which is
// durable, gives them again.
//
// Fixes are not rows. A chunk is one vehicle's fixes of at most ten minutes and 64 in number, packed losslessly (deltas;
// what was not changed since the fix before takes no space), about 25 bytes a fix. It has one row, one entry in each of two
// indexes and one in the rtree, whose box is widened to a coarse grid so that it seldom changes while the chunk grows.
// Chunks are numbered in the order in which they were begun, so the oldest are next to each other in the file, and
// retention (by age of ingested_at, by size of the file) frees whole pages, which are used again: the file stays under its
// bound and never needs a vacuum.
//
// It refuses a file that another process uses, and one that a newer version wrote; an older one is migrated. A full disk is
// a *sinks.RetryError and an error of Health until a write succeeds. Whoever opens a Store closes it, after its pump.
package sqlite
