package geo

import "github.com/mmcloughlin/geohash"

// Geohash is the cell of a point: precision 1..12 characters.
func Geohash(p Point, precision int) string {
	return geohash.EncodeWithPrecision(cellLat(p), NormalizeLon(p.Lon), uint(precision))
}

// GeohashInt is the cell of a point as the integer of its 5 × precision bits: precision 1..12.
func GeohashInt(p Point, precision int) uint64 {
	return geohash.EncodeIntWithPrecision(cellLat(p), NormalizeLon(p.Lon), uint(5*precision))
}

// cellLat keeps the north pole from being taken for the south pole's cell: a cell ends just before its northern edge.
func cellLat(p Point) float64 { return min(p.Lat, 90-1e-9) }

// GeohashString is the cell that GeohashInt numbered.
func GeohashString(cell uint64, precision int) string {
	return geohash.ConvertIntToString(cell, uint(precision))
}

// CellBox is the rectangle of a geohash cell.
func CellBox(hash string) Box {
	b := geohash.BoundingBox(hash)
	return Box{West: b.MinLng, South: b.MinLat, East: b.MaxLng, North: b.MaxLat}
}

// ValidCell reports whether the string is a geohash of 1 to 12 characters.
func ValidCell(hash string) bool {
	return hash != "" && len(hash) <= 12 && geohash.Validate(hash) == nil
}
