// Package logtest keeps what is logged, so that a test can read it while others still write.
//
// It owns the keeping only, for tests of several packages; it starts nothing.
package logtest

import (
	"bytes"
	"log/slog"
	"sync"
)

// Log is what was logged so far, as text. Safe for many goroutines.
type Log struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// New makes a logger (from Info on) and what it logs.
func New() (*slog.Logger, *Log) {
	l := &Log{}
	return slog.New(slog.NewTextHandler(l, nil)), l
}

// Write implements io.Writer.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

// String is all of it.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}
