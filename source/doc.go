// Package source turns what vehicles send into fixes: JSON, GeoJSON, CSV (also the taxi layout) and protobuf, one record at a
// time, and cuts the bodies of ingest requests into such records.
//
// It owns what a record means and why one is refused. It refuses to judge a fix against others (package track does) and to
// read or write anything. source/playback plays files, source/fleet simulates vehicles. Nobody starts or stops it; it fails
// only by refusing a record, with a reason of docs/semantics.md.
package source
