package embedded

import (
	"encoding/binary"
	"fmt"
	"log/slog"

	"go.etcd.io/bbolt"
)

// migrations[v] brings a file of format v to v+1. A migration may take several transactions; it must give the same when
// it begins again after a crash, and what it writes must not hinder a program of format v before the version is changed.
var migrations = map[int]func(*bbolt.DB) error{
	1: indexByOffset,
}

// migrate brings the file to this program's format.
func migrate(db *bbolt.DB, path string, version int, logger *slog.Logger) error {
	if version > formatVersion {
		return fmt.Errorf("%s has format %d and this program knows %d at most: run the newer program that wrote it, or choose another --data-dir",
			path, version, formatVersion)
	}
	for v := version; v < formatVersion; v++ {
		step, ok := migrations[v]
		if !ok {
			return damaged(path, fmt.Sprintf("format %d is not known", v))
		}
		logger.Info("migrating the log", "path", path, "from", v, "to", v+1)
		if err := step(db); err != nil {
			return fmt.Errorf("migrating %s from format %d to %d: %w", path, v, v+1, err)
		}
		err := db.Update(func(tx *bbolt.Tx) error {
			return tx.Bucket(bucketLog).Put(keyVersion, binary.BigEndian.AppendUint32(nil, uint32(v+1)))
		})
		if err != nil {
			return fmt.Errorf("migrating %s from format %d to %d: %w", path, v, v+1, err)
		}
	}
	return nil
}

// indexByOffset: format 1 had the compacted streams by key alone, and no bucket "earliest".
func indexByOffset(db *bbolt.DB) error {
	var all []place
	err := db.Update(func(tx *bbolt.Tx) error {
		v := tx.Bucket(bucketLog).Get(keyPartitions)
		if len(v) != 4 {
			return errBadBlock
		}
		all = places(int32(min(binary.BigEndian.Uint32(v), maxPartitions)))
		_, err := tx.CreateBucketIfNotExists(bucketEarliest)
		return err
	})
	if err != nil {
		return err
	}
	for _, at := range all {
		if !at.s.Compacted() {
			continue
		}
		if err := db.Update(func(tx *bbolt.Tx) error { return indexPlace(tx, at) }); err != nil {
			return fmt.Errorf("%s: %w", at, err)
		}
	}
	return nil
}

func indexPlace(tx *bbolt.Tx, at place) error {
	for _, kind := range []byte{'o', 't'} {
		if _, err := tx.CreateBucketIfNotExists(at.bucket(kind)); err != nil {
			return err
		}
	}
	keys, order, tombs := tx.Bucket(at.bucket('k')), tx.Bucket(at.bucket('o')), tx.Bucket(at.bucket('t'))
	return keys.ForEach(func(k, v []byte) error {
		entry, err := parseEntry(v)
		if err != nil {
			return err
		}
		if entry.tombstone {
			if err := tombs.Put(offsetKey(entry.offset), nil); err != nil {
				return err
			}
		}
		return order.Put(offsetKey(entry.offset), k)
	})
}
