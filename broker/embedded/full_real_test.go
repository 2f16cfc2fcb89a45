//go:build real && linux

package embedded

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// TestAFullDiskRefusesWritesAndGoesOn fills a small file system of its own. It needs the right to mount one.
func TestAFullDiskRefusesWritesAndGoesOn(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, unix.Mount("tmpfs", dir, "tmpfs", 0, "size=24m"), "this test runs as root, where mounting is allowed")
	t.Cleanup(func() { require.NoError(t, unix.Unmount(dir, unix.MNT_DETACH)) })
	ballast := filepath.Join(dir, "ballast")
	require.NoError(t, os.WriteFile(ballast, make([]byte, 10<<20), 0o600))

	opts := options(filepath.Join(dir, "data"))
	l := open(t, opts)
	f := newFiller(t, l)
	f.untilFull()
	require.NoError(t, os.Remove(ballast))
	f.goesOn()
	f.untilFull()

	// It opens on the full disk as well, and reads.
	require.NoError(t, l.Close())
	f.l = open(t, opts)
	f.check()
}
