package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	_ "modernc.org/sqlite" // the driver

	"github.com/trackmesh/trackmesh/history"
	"github.com/trackmesh/trackmesh/sinks"
)

// FileName is the name of the file in the data directory.
const FileName = "history.db"

// Name is the sink's: its cursors are under sinks.CursorPrefix + Name.
const Name = "sqlite"

// Options of a Store.
type Options struct {
	Dir string // the data directory; made when it is not there
	// MaxAge of records, by the time they came in. Zero: any.
	MaxAge time.Duration
	// MaxBytes bounds the file and its log together. Zero: no bound; below 64 MiB counts as that.
	MaxBytes   int64
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	Now        func() time.Time // default time.Now
}

const (
	minMaxBytes    = 64 << 20
	maxWALBytes    = 16 << 20 // past this the log is emptied as soon as no reader needs it
	readers        = 4
	readerCache    = 8 << 10  // KiB
	writerCache    = 32 << 10 // KiB
	busyTimeout    = 5000     // ms
	pageBytes      = 8192
	walPagesBefore = 512 // pages in the log at which it is copied into the file
)

// Store is an open history.db. Writes come from one goroutine at a time; questions from any number.
type Store struct {
	opts    Options
	path    string
	lock    *os.File
	write   *sql.DB // one connection
	read    *sql.DB
	metrics *metrics

	failing atomic.Pointer[error] // why the last write failed; nil: it did not

	mu      sync.Mutex // held during a write
	conn    *sql.Conn  // of write
	stmts   statements
	book    *book    // what the next write needs to know of the file
	cursors *cursors // as in the file
	closed  bool
}

var (
	_ sinks.Writer  = (*Store)(nil)
	_ sinks.Cursors = (*Store)(nil)
	_ history.Store = (*Store)(nil)
)

// Open opens or makes the file, and migrates an older one.
func Open(ctx context.Context, opts Options) (*Store, error) {
	if opts.Dir == "" || opts.Logger == nil || opts.Registerer == nil {
		return nil, errors.New("sqlite: options Dir, Logger and Registerer must be set")
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.MaxBytes > 0 {
		opts.MaxBytes = max(opts.MaxBytes, minMaxBytes)
	}
	if err := os.MkdirAll(opts.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("making the data directory: %w", err)
	}
	s := &Store{opts: opts, path: filepath.Join(opts.Dir, FileName)}
	var err error
	if s.lock, err = lockFile(s.path + ".lock"); err != nil {
		return nil, err
	}
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("opening %s: %w", s.path, err), s.release())
	}
	s.metrics = newMetrics(opts.Registerer, s)
	return s, nil
}

func (s *Store) open(ctx context.Context) error {
	var err error
	if s.write, err = connect(s.path, writerCache, "synchronous(normal)", fmt.Sprintf("wal_autocheckpoint(%d)", walPagesBefore),
		fmt.Sprintf("journal_size_limit(%d)", maxWALBytes)); err != nil {
		return err
	}
	s.write.SetMaxOpenConns(1)
	if s.conn, err = s.write.Conn(ctx); err != nil {
		return err
	}
	if err := migrate(ctx, s.conn); err != nil {
		return err
	}
	if err := s.stmts.prepare(ctx, s.conn); err != nil {
		return err
	}
	if s.read, err = connect(s.path, readerCache, "query_only(1)"); err != nil {
		return err
	}
	s.read.SetMaxOpenConns(readers)
	return s.reload(ctx)
}

// reload forgets what a failed write may have left in memory.
func (s *Store) reload(ctx context.Context) error {
	b, err := loadBook(ctx, s.conn)
	if err != nil {
		return err
	}
	c, err := loadCursors(ctx, s.conn)
	if err != nil {
		return err
	}
	s.book, s.cursors = b, c
	return nil
}

func connect(path string, cacheKiB int, pragmas ...string) (*sql.DB, error) {
	q := url.Values{"_txlock": {"immediate"}}
	for _, p := range append([]string{
		fmt.Sprintf("busy_timeout(%d)", busyTimeout), fmt.Sprintf("page_size(%d)", pageBytes), "journal_mode(wal)",
		fmt.Sprintf("cache_size(-%d)", cacheKiB), "temp_store(memory)", "trusted_schema(0)",
	}, pragmas...) {
		q.Add("_pragma", p)
	}
	return sql.Open("sqlite", (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}).String())
}

// Health returns nil while the file can be written, else why the last write failed.
func (s *Store) Health() error {
	if err := s.failing.Load(); err != nil {
		return *err
	}
	return nil
}

// Close closes the file. Idempotent.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	s.metrics.unregister()
	return s.release()
}

func (s *Store) release() error {
	var errs []error
	if s.read != nil {
		errs = append(errs, s.read.Close())
	}
	if s.conn != nil {
		s.stmts.close()
		errs = append(errs, s.conn.Close())
	}
	if s.write != nil {
		errs = append(errs, s.write.Close())
	}
	return errors.Join(append(errs, s.lock.Close())...)
}
