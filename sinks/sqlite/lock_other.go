//go:build !unix

package sqlite

import (
	"fmt"
	"os"
)

// lockFile only marks the store as used: these systems have no lock that ends with the process. SQLite's own locks keep
// two writers apart.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("opening the store's lock: %w", err)
	}
	return f, nil
}
