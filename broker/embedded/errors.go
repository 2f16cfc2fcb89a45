package embedded

import (
	"errors"
	"fmt"
	"strings"
	"syscall"

	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/trackmesh/trackmesh/broker"
)

// errNotRestored: a commit without the state that it follows on.
var errNotRestored = errors.New("the claim was not restored yet")

// full reports whether a write failed for want of space. bbolt flattens some causes to text when it grows the file, so the
// text is asked too.
func full(err error) bool {
	for _, cause := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG, bolterrors.ErrMaxSizeReached} {
		if errors.Is(err, cause) || strings.Contains(err.Error(), cause.Error()) {
			return true
		}
	}
	return false
}

// writeError brings what bbolt says to the contract's errors.
func (l *Log) writeError(err error) error {
	if full(err) {
		return fmt.Errorf("%w: writing %s: %w: free space on its disk, it goes on by itself", broker.ErrFull, l.path, err)
	}
	return fmt.Errorf("writing %s: %w", l.path, err)
}

// damaged says what to do about a file that contradicts itself.
func damaged(path string, cause any) error {
	return fmt.Errorf("%s is damaged (%v): stop the node, put back a copy of it or move it away, and start again; "+
		"without a copy the log begins anew, and what the history already has stays there", path, cause)
}
