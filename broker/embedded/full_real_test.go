//go:build real && linux

package embedded

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// disk is a small file system. It needs the right to mount one.
func disk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size), "this test runs as root, where mounting is allowed")
	t.Cleanup(func() { require.NoError(t, unix.Unmount(dir, unix.MNT_DETACH)) })
	return dir
}

func TestADiskWithoutRoomForALogSaysSo(t *testing.T) {
	for _, size := range []string{"12k", "16k"} { // bbolt's first pages, then ours, do not fit
		dir := disk(t, size)
		_, err := Open(t.Context(), options(dir))
		require.ErrorContains(t, err, "free space on its disk, or choose another --data-dir", size)
		require.NoError(t, unix.Mount("tmpfs", dir, "tmpfs", unix.MS_REMOUNT, "size=16m"))
		newFiller(t, open(t, options(dir))).check()
	}
}

func TestAFullDiskRefusesWritesAndGoesOn(t *testing.T) {
	dir := disk(t, "24m")
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
