package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/trackmesh/trackmesh/broker"
)

const (
	fileName = "log.db"
	// growBytes is the step in which the file grows.
	growBytes = 4 << 20
	// mapBytes is the address space taken for the file at first. While the file is smaller bbolt never maps it anew, for
	// which it would have to wait for all readers. It is no memory.
	mapBytes = 4 << 30
)

// bolt is an open bbolt file. The *os.File is bbolt's own: settle writes through it.
type bolt struct {
	db   *bbolt.DB
	file *os.File
	path string
	used bool // there was something in the file
}

// openFile opens the log's file or makes it. A new one gets its name when it is whole, so that a disk that is full just then,
// or a crash, leaves nothing behind that looks damaged.
func openFile(ctx context.Context, opts Options) (bolt, error) {
	if err := os.MkdirAll(opts.Dir, 0o750); err != nil {
		return bolt{}, fmt.Errorf("making the data directory (--data-dir): %w", err)
	}
	path := filepath.Join(opts.Dir, fileName)
	b, err := bolt{}, error(nil)
	if exists(path) {
		b, err = openBolt(ctx, path, opts)
	} else {
		b, err = makeFile(ctx, path, opts)
	}
	if err != nil {
		return bolt{}, openError(path, opts.Dir, err)
	}
	b.path = path
	return b, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func makeFile(ctx context.Context, path string, opts Options) (bolt, error) {
	unfinished := path + ".new"
	b, err := openBolt(ctx, unfinished, opts)
	if err == nil && exists(path) { // somebody was faster
		_ = b.db.Close()
		_ = os.Remove(unfinished)
		return openBolt(ctx, path, opts)
	}
	if b.used && !errors.Is(err, bolterrors.ErrTimeout) { // what an attempt that failed has left: nobody has it locked
		if err == nil {
			_ = b.db.Close()
		}
		if err := os.Remove(unfinished); err != nil {
			return bolt{}, err
		}
		b, err = openBolt(ctx, unfinished, opts)
	}
	if err != nil {
		return bolt{}, err
	}
	if err := b.finish(path, opts); err != nil {
		_ = b.db.Close()
		_ = os.Remove(unfinished)
		return bolt{}, err
	}
	return b, nil
}

// finish makes an empty log of the file and gives it its name. The file stays open, and with it locked, all the time.
func (b bolt) finish(path string, opts Options) error {
	if err := b.db.Update(func(tx *bbolt.Tx) error { return create(tx, opts) }); err != nil {
		return err
	}
	if err := os.Rename(b.db.Path(), path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }()
	return dir.Sync()
}

func openBolt(ctx context.Context, path string, opts Options) (b bolt, err error) {
	options := &bbolt.Options{
		Timeout: lockTimeout(ctx, opts), FreelistType: bbolt.FreelistMapType,
		OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
			var err error
			if b.file, err = os.OpenFile(name, flag, mode); err != nil {
				return nil, err
			}
			info, err := b.file.Stat()
			b.used = err == nil && info.Size() > 0
			return b.file, err
		},
	}
	if ^uint(0)>>32 != 0 { // 32 bits have no room
		options.InitialMmapSize = mapBytes
	}
	open := func() (err error) { b.db, err = bbolt.Open(path, 0o600, options); return err }
	if err = guard(path, open); errors.Is(err, syscall.ENOMEM) { // a limit on address space: map only what there is
		options.InitialMmapSize = 0
		err = guard(path, open)
	}
	if err == nil {
		b.db.AllocSize = growBytes
	} else if b.file != nil {
		_ = b.file.Close() // after a panic bbolt still has it locked
	}
	return b, err
}

func lockTimeout(ctx context.Context, opts Options) time.Duration {
	timeout := opts.LockTimeout
	if deadline, ok := ctx.Deadline(); ok {
		timeout = min(timeout, time.Until(deadline))
	}
	return max(timeout, 100*time.Millisecond) // bbolt would take zero for "for ever"
}

func openError(path, dir string, err error) error {
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return fmt.Errorf("data directory %s is in use by another process: stop that one, or choose another --data-dir", dir)
	case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrVersionMismatch), errors.Is(err, bolterrors.ErrChecksum):
		return damaged(path, err)
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("opening %s: %w: run as the user that owns it, or choose another --data-dir", path, err)
	case full(err):
		return fmt.Errorf("opening %s: %w: free space on its disk, or choose another --data-dir", path, err)
	}
	return fmt.Errorf("opening the log: %w", err)
}

// errDamaged marks what guard caught.
var errDamaged = errors.New("the file contradicts itself")

// guard turns bbolt's way of finding damage, which is to panic or to read beyond the end of the mapped file, into an error.
func guard(path string, f func() error) (err error) {
	before := debug.SetPanicOnFault(true) // of this goroutine
	defer debug.SetPanicOnFault(before)
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %w", errDamaged, damaged(path, p))
		}
	}()
	return f()
}

// view is a read transaction. f copies what it needs: nothing of it may be used afterwards, and nothing slow belongs in it,
// for pages are not used again while it lasts.
func (l *Log) view(f func(*bbolt.Tx) error) error {
	err := guard(l.path, func() error { return l.db.View(f) })
	switch {
	case errors.Is(err, errBadBlock):
		return damaged(l.path, err)
	case errors.Is(err, bolterrors.ErrDatabaseNotOpen):
		return broker.ErrClosed
	}
	return err
}

// checkSize finds a file that was cut off, before anything reads beyond its end.
func checkSize(db *bbolt.DB, file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	return db.View(func(tx *bbolt.Tx) error {
		if tx.Size() > info.Size() {
			return fmt.Errorf("it has %d bytes and should have %d", info.Size(), tx.Size())
		}
		return nil
	})
}

// settle makes sure that what the file's two meta pages say is on the disk, after a write that failed. Had the kernel
// dropped a meta page that it could not write, the next transaction would overwrite pages that the disk's older meta page
// still needs, and a crash would find neither whole.
func (l *Log) settle() error {
	page := make([]byte, l.db.Info().PageSize)
	for i := range int64(2) {
		at := i * int64(len(page))
		if _, err := l.file.ReadAt(page, at); err != nil {
			return err
		}
		if _, err := l.file.WriteAt(page, at); err != nil {
			return err
		}
	}
	return l.file.Sync()
}
