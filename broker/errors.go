package broker

import (
	"errors"
	"fmt"
)

var (
	// ErrFenced: somebody else claimed the partition after us. The claim is lost.
	ErrFenced = errors.New("partition was claimed by another owner")
	// ErrClosed: the log or reader was closed.
	ErrClosed = errors.New("log is closed")
	// ErrFull: the disk under the embedded log is full. Nothing of the failed write was stored.
	ErrFull = errors.New("no space left for the log")
	// ErrTooLarge: a record exceeds Layout.MaxRecordBytes.
	ErrTooLarge = errors.New("record exceeds the log's limit")
)

// OffsetError says that an offset asked for is not in the log: retention removed it, or the topic was made anew.
type OffsetError struct {
	Stream               Stream
	Partition            int32
	Asked, Earliest, End int64
}

func (e *OffsetError) Error() string {
	return fmt.Sprintf("offset %d of %s[%d] is not in the log, which holds %d to %d", e.Asked, e.Stream, e.Partition, e.Earliest, e.End)
}
