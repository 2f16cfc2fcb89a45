package embedded

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// TestWritesThatFailOnTheFileAreRefusedAndItGoesOn puts /dev/full in the place of the file, under bbolt: pages and meta
// pages fail with ENOSPC as on a full disk, and syncing fails too.
func TestWritesThatFailOnTheFileAreRefusedAndItGoesOn(t *testing.T) {
	l := open(t, options(t.TempDir()))
	f := newFiller(t, l)
	for range 20 {
		require.NoError(t, f.step())
	}
	// Free pages, so that what fails is the writing and not the growth of the file.
	for _, size := range []int{8 << 20, 0} {
		require.NoError(t, l.await(t.Context(), &op{check: noCheck, apply: func(tx *txn) error {
			return tx.Bucket(bucketLog).Put(keyProbe, make([]byte, size))
		}}))
	}
	devFull, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	require.NoError(t, err)
	defer func() { require.NoError(t, devFull.Close()) }()
	fd := int(l.file.Fd())
	kept, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	require.NoError(t, err)
	for range 3 {
		require.NoError(t, unix.Dup3(int(devFull.Fd()), fd, unix.O_CLOEXEC))
		f.untilFull()
		require.NoError(t, unix.Dup3(kept, fd, unix.O_CLOEXEC))
		f.goesOn()
	}
	require.NoError(t, unix.Close(kept))
	require.NoError(t, l.Close())
	f.l = open(t, l.opts)
	f.check()
}
