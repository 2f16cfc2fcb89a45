package sqlite

import (
	"errors"
	"fmt"

	sqlite3driver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/trackmesh/trackmesh/sinks"
)

var (
	// ErrInUse: another process has the file.
	ErrInUse = errors.New("the store is in use")
	// ErrNewer: a newer version wrote the file.
	ErrNewer = errors.New("the store was written by a newer version")
	// ErrClosed: the store was closed.
	ErrClosed = errors.New("the store is closed")
	// ErrFull: the disk under the store is full.
	ErrFull = errors.New("no space left for the store")
)

// retryable is the error of a write that may succeed later.
func retryable(err error) error {
	class := "store"
	if e, ok := errors.AsType[*sqlite3driver.Error](err); ok {
		switch e.Code() & 0xff {
		case sqlite3.SQLITE_FULL:
			class, err = "full", fmt.Errorf("%w: %w", ErrFull, err)
		case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
			class = "busy"
		case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY:
			class = "disk"
		case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
			class = "corrupt"
		}
	}
	return &sinks.RetryError{Class: class, Err: fmt.Errorf("writing history: %w", err)}
}
