// Package geo is geometry on WGS84: geodesy, boxes, geohash cells, and the shapes that fences are made of.
//
// It owns what "how far", "where along" and "inside" mean. It refuses to read JSON (package fence does), to know fences,
// tracks or time, and to guess: an invalid shape is refused with the ring, the vertex and the reason. Shapes are immutable
// and safe for any number of readers. Nobody starts or stops it; it fails only by returning a ShapeError.
//
// Units are degrees for places and bearings, metres for distances, and fractions 0..1 along a segment.
package geo
