package sqlite

import (
	"context"
	"database/sql"
	"fmt"
)

// applicationID marks the file as ours: "tmhi".
const applicationID = 0x746d6869

// migrations make a file of version n+1 out of one of version n (user_version; a new file has 0). Never change one that
// was released: add another.
var migrations = []string{
	`CREATE TABLE vehicles (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
	 CREATE TABLE sources (id INTEGER PRIMARY KEY, prefix TEXT NOT NULL, topic TEXT NOT NULL, partition INTEGER NOT NULL, UNIQUE (prefix, topic, partition));
	 CREATE TABLE chunks (
	   id INTEGER PRIMARY KEY, vehicle INTEGER NOT NULL, source INTEGER NOT NULL,
	   first INTEGER NOT NULL, last INTEGER NOT NULL, fixes INTEGER NOT NULL, shown INTEGER NOT NULL, ingested INTEGER NOT NULL,
	   data BLOB NOT NULL);
	 CREATE INDEX chunks_by_vehicle ON chunks (vehicle, first);
	 CREATE INDEX chunks_by_time ON chunks (first);
	 CREATE VIRTUAL TABLE places USING rtree_i32 (id, west, east, south, north, first_minute, last_minute);
	 CREATE TABLE events (
	   number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, vehicle TEXT NOT NULL, time INTEGER NOT NULL, sequence INTEGER NOT NULL,
	   type TEXT NOT NULL, fence TEXT, ingested INTEGER NOT NULL, body BLOB NOT NULL);
	 CREATE INDEX events_by_time ON events (time, id);
	 CREATE INDEX events_by_vehicle ON events (vehicle, sequence, time, id);
	 CREATE INDEX events_by_fence ON events (fence, time, id) WHERE fence IS NOT NULL;
	 CREATE TABLE cursors (name TEXT NOT NULL, stream TEXT NOT NULL, partition INTEGER NOT NULL, next INTEGER NOT NULL,
	   PRIMARY KEY (name, stream, partition)) WITHOUT ROWID;`,
}

// migrate brings the file to the newest version, step by step, each in a transaction.
func migrate(ctx context.Context, c *sql.Conn) error {
	var version, application int
	if err := c.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	if err := c.QueryRowContext(ctx, "PRAGMA application_id").Scan(&application); err != nil {
		return err
	}
	switch {
	case application != applicationID && (application != 0 || version != 0):
		return fmt.Errorf("it is an SQLite file of another program (application id %#x): move it away", application)
	case version > len(migrations):
		return fmt.Errorf("%w: its format is %d, this version knows up to %d; use the newer version, or move the file away", ErrNewer, version, len(migrations))
	}
	for ; version < len(migrations); version++ {
		if err := step(ctx, c, version+1, migrations[version]); err != nil {
			return fmt.Errorf("migrating it to format %d: %w", version+1, err)
		}
	}
	return nil
}

func step(ctx context.Context, c *sql.Conn, version int, statements string) error {
	tx, err := c.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after Commit
	if _, err := tx.ExecContext(ctx, statements); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d", applicationID, version)); err != nil {
		return err
	}
	return tx.Commit()
}

// statements of the writer.
type statements struct {
	vehicle, findVehicle, source, insertChunk, updateChunk, insertPlace, movePlace, insertEvent, setCursor *sql.Stmt
	all                                                                                                    []*sql.Stmt
}

func (s *statements) prepare(ctx context.Context, c *sql.Conn) error {
	for _, p := range []struct {
		into **sql.Stmt
		text string
	}{
		{&s.vehicle, "INSERT INTO vehicles (id, name) VALUES (?, ?)"},
		{&s.findVehicle, "SELECT id FROM vehicles WHERE name = ?"},
		{&s.source, "INSERT INTO sources (id, prefix, topic, partition) VALUES (?, ?, ?, ?)"},
		{&s.insertChunk, "INSERT INTO chunks (id, vehicle, source, first, last, fixes, shown, ingested, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"},
		{&s.updateChunk, "UPDATE chunks SET last = ?, fixes = ?, shown = ?, ingested = ?, data = ? WHERE id = ?"},
		{&s.insertPlace, "INSERT INTO places (id, west, east, south, north, first_minute, last_minute) VALUES (?, ?, ?, ?, ?, ?, ?)"},
		{&s.movePlace, "UPDATE places SET west = ?, east = ?, south = ?, north = ? WHERE id = ?"},
		{&s.insertEvent, "INSERT INTO events (id, vehicle, time, sequence, type, fence, ingested, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING"},
		{&s.setCursor, "INSERT INTO cursors (name, stream, partition, next) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET next = excluded.next"},
	} {
		stmt, err := c.PrepareContext(ctx, p.text)
		if err != nil {
			return err
		}
		*p.into = stmt
		s.all = append(s.all, stmt)
	}
	return nil
}

func (s *statements) close() {
	for _, stmt := range s.all {
		_ = stmt.Close() // its connection is closed next
	}
}
