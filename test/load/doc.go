// Package load wires the data path of a node (reader, lanes, tracks, fences, commits) without HTTP, stores and the map, over any log, and
// makes the fleet that its benchmarks use. It is for measuring only. What it starts, Stop ends.
package load
