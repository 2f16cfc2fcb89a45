// Package embedded is the log for one process without servers: a bbolt file, log.db, under the data directory.
//
// One bbolt transaction is one or several whole commits, durable by fsync before anybody is told or sees it. So kill -9
// loses nothing that was acknowledged, and a full disk refuses what does not fit and goes on when there is space.
//
// It owns the file: a second process is refused. It owns all partitions; claims are fenced within the process, their
// terms are kept over restarts. It does not serve other nodes.
//
//	Produce, Commit ──> encode (the caller's goroutine) ──> queue ──> writer (one goroutine): one transaction ──> fsync ──> publish
//	Poll <── decode (the caller's goroutine) <── copy out of a short read transaction <── published bounds <───────────────┘
//
// Append-only streams are runs of compressed blocks, keyed by their first offset. Compacted streams keep the newest
// record of each key in place, with an index by offset. Retention hides records by age at once, and frees their pages
// when pages are needed; by bytes it frees the oldest, so that the file, which never shrinks, stays under its bound.
//
// internal/node opens a Log and closes it. After Open one goroutine runs, the writer; Close ends it. A write that fails
// fails every commit that was joined with it, and Health says so until a write succeeds again. A file that turns out to
// be damaged stops all writing; errors say what to do.
package embedded
