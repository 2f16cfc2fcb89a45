package sqlite

import (
	"context"
	"database/sql"
	"math"

	"github.com/trackmesh/trackmesh/geo"
	"github.com/trackmesh/trackmesh/sinks/sqlite/packed"
)

// Bounds of a chunk. No fix is as much as maxSpan after its chunk's first: questions rely on that. It is part of the format.
const (
	maxSpan       = 10 * 60 * 1000 // ms of event time
	maxChunkFixes = 64
	maxChunkBytes = 6 << 10
	maxPassedOver = 8              // older fixes, each a chunk of its own, after which a vehicle's time has gone back
	maxOpenFor    = 60 * 60 * 1000 // ms between the first and the last that came in
)

// grid is what a chunk's box is widened to, in 1e-7 degrees: about 2 km of latitude.
const grid = 200_000

// box is a chunk's place in the rtree, in 1e-7 degrees.
type box struct{ west, east, south, north int32 }

func (b box) union(o box) box {
	return box{min(b.west, o.west), max(b.east, o.east), min(b.south, o.south), max(b.north, o.north)}
}

// boxAround is the grid's cell that a point is in.
func boxAround(p geo.Point) box {
	west, east := gridCell(p.Lon, 180)
	south, north := gridCell(p.Lat, 90)
	return box{west, east, south, north}
}

func gridCell(degrees, limit float64) (from, to int32) {
	const unit = 1e7
	n := math.Floor(degrees * unit / grid)
	return int32(max(n*grid, -limit*unit)), int32(min((n+1)*grid, limit*unit))
}

// chunk is one that may still grow.
//
//	open ──full, too long, source changes, leap over the antimeridian, pushed out, write failed──> closed (not in memory any more)
//
// A closed chunk is never opened again, so the writer reads none.
type chunk struct {
	id, vehicle, source int64
	first, last         int64 // UTC ms
	fixes, shown        int64 // shown: without jumps
	began, ingested     int64 // UTC ms; the first and the newest that came in
	east                bool  // the longitudes are positive
	data                []byte
	packer              packed.Packer

	place         box
	stored        bool // it has a row
	placed, moved bool // it has an rtree entry; that must change
	dirty         bool
	older, newer  *chunk // in the book's order of use
	passedOver    int    // fixes that were older
}

// fits says whether a position may be added.
func (c *chunk) fits(p *packed.Position, source int64) bool {
	return source == c.source && p.Time >= c.first && p.Time-c.first < maxSpan && p.Ingested-c.began < maxOpenFor &&
		c.fixes < maxChunkFixes && len(c.data) < maxChunkBytes && (p.At.Lon >= 0) == c.east
}

func (c *chunk) add(p *packed.Position, standardID bool) {
	c.data = c.packer.Pack(c.data, p, standardID)
	c.last, c.ingested = max(c.last, p.Time), max(c.ingested, p.Ingested)
	c.fixes++
	if p.Has&packed.IsJump != 0 {
		return // where it may not have been at all
	}
	c.shown++
	at := boxAround(p.At)
	if c.shown == 1 {
		c.place, c.moved = at, true
	} else if u := c.place.union(at); u != c.place {
		c.place, c.moved = u, true
	}
}

// sourceKey is what the ids of a chunk's positions have in common.
type sourceKey struct {
	prefix, topic string
	partition     int32
}

// book is what the writer knows of the file.
type book struct {
	vehicles    map[string]int64
	allVehicles bool // every name in the file is in vehicles
	sources     map[sourceKey]int64
	open        map[int64]*chunk // by vehicle
	use         chunk            // ring of the open chunks: use.newer is the least recently used one
	bytes       int              // of open
	nextChunk   int64
	nextVehicle int64
	nextSource  int64
	written     []*chunk // those that the write under way changed
}

// maxOpenBytes bounds the chunks that are kept open; each counts with what Go needs for it.
const (
	maxOpenBytes  = 64 << 20
	chunkOverhead = 400
	maxVehicles   = 1 << 20 // names kept in memory
)

func loadBook(ctx context.Context, c *sql.Conn) (*book, error) {
	b := &book{vehicles: map[string]int64{}, sources: map[sourceKey]int64{}, open: map[int64]*chunk{}}
	b.use.older, b.use.newer = &b.use, &b.use
	if err := c.QueryRowContext(ctx, `SELECT (SELECT coalesce(max(id), 0) + 1 FROM chunks), (SELECT coalesce(max(id), 0) + 1 FROM vehicles),
		(SELECT coalesce(max(id), 0) + 1 FROM sources)`).Scan(&b.nextChunk, &b.nextVehicle, &b.nextSource); err != nil {
		return nil, err
	}
	rows, err := c.QueryContext(ctx, "SELECT id, prefix, topic, partition FROM sources")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var k sourceKey
		var id int64
		if err := rows.Scan(&id, &k.prefix, &k.topic, &k.partition); err != nil {
			return nil, err
		}
		b.sources[k] = id
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	return b, b.loadVehicles(ctx, c)
}

func (b *book) loadVehicles(ctx context.Context, c *sql.Conn) error {
	rows, err := c.QueryContext(ctx, "SELECT id, name FROM vehicles LIMIT ?", maxVehicles+1)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		var name string
		if err := rows.Scan(&id, &name); err != nil {
			return err
		}
		b.vehicles[name] = id
	}
	b.allVehicles = len(b.vehicles) <= maxVehicles
	return rows.Err()
}

// chunkFor is the open chunk that a position goes into; a new one is begun where none fits.
func (b *book) chunkFor(p *packed.Position, vehicle, source int64) *chunk {
	c := b.open[vehicle]
	if c != nil && c.fits(p, source) {
		b.touch(c)
		return c
	}
	fresh := &chunk{
		id: b.nextChunk, vehicle: vehicle, source: source, first: p.Time, last: p.Time, began: p.Ingested, ingested: p.Ingested,
		east: p.At.Lon >= 0,
	}
	b.nextChunk++
	if c != nil && p.Time < c.first && c.passedOver < maxPassedOver {
		c.passedOver++
		return fresh // out of order: by itself, and the one that grows goes on growing
	}
	if c != nil {
		b.close(c)
	}
	b.open[vehicle] = fresh
	b.bytes += chunkOverhead
	b.touch(fresh)
	return fresh
}

// touch makes a chunk the most recently used one.
func (b *book) touch(c *chunk) {
	if c.older != nil {
		c.older.newer, c.newer.older = c.newer, c.older
	}
	c.older, c.newer = b.use.older, &b.use
	c.older.newer, b.use.older = c, c
}

func (b *book) close(c *chunk) {
	c.older.newer, c.newer.older = c.newer, c.older
	c.older, c.newer = nil, nil
	b.bytes -= chunkOverhead + len(c.data)
	delete(b.open, c.vehicle)
}

// shrink closes the least recently used chunks until the bound holds. Only between writes.
func (b *book) shrink() {
	for b.bytes > maxOpenBytes {
		b.close(b.use.newer)
	}
	if len(b.vehicles) > maxVehicles {
		clear(b.vehicles) // they are in the file
		b.allVehicles = false
	}
}
