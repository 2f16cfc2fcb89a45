package playback

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/trackmesh/trackmesh/source"
)

// Line is one record of the file, ready to be sent.
type Line struct {
	Number      int // in the file, from 1
	Value       []byte
	ContentType string // by which it is read alone
}

// Sender sends lines and returns when they are safe. The lines are its own.
type Sender interface {
	Send(ctx context.Context, lines []Line) error
}

// Progress tells how far a playback is.
type Progress struct {
	Lines     int64 // sent, all rounds together
	BytesRead int64 // of the file, in this round, as it lies on the disk
	BytesAll  int64 // its size
	Round     int   // from 1
}

// Options of a Player.
type Options struct {
	// Path of the file.
	Path string
	// Source is how its records are read. A CSV file's first line names the columns when Header says so.
	Source source.Options
	// Rate lines are sent each Every: a constant rate. Defaults 100 and 1 s. Not with ByTime.
	Rate  int
	Every time.Duration
	// ByTime sends all lines of one time together: each Step, or when their time has come at Speed times the usual pace.
	ByTime bool
	Step   time.Duration
	Speed  float64
	// Loop begins again at the file's end, until the context ends.
	Loop bool
	// RewriteTime puts the time of sending in the place of each line's own, written in the same way. Lines that are sent together at a
	// constant rate are spread over the interval before.
	RewriteTime bool
	// Skipped is told of each line that cannot be played: it is too long, or has no time where ByTime or RewriteTime needs one. Nil: such
	// a line ends the playback with an error.
	Skipped func(number int, why error)
	// Progress is called after each sending. Nil: not.
	Progress func(Progress)
}

// Validate reports every bad field at once, by its flag.
func (o Options) Validate() error {
	errs := []error{o.Source.Validate()}
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if o.Path == "" {
		bad("there is no file to play")
	}
	if o.Source.Format == "protobuf" {
		bad("--format: protobuf records have no lines and cannot be played from a file")
	}
	if o.ByTime {
		if (o.Step > 0) == (o.Speed > 0) {
			bad("--by-time: needs either --step or --speed, above zero")
		}
		if o.Rate != 0 || o.Every != 0 {
			bad("--by-time: does not go with --rate and --every")
		}
	} else if o.Step != 0 || o.Speed != 0 {
		bad("--step, --speed: go with --by-time")
	}
	if o.Rate < 0 || o.Every < 0 || o.Step < 0 || o.Speed < 0 {
		bad("--rate, --every, --step, --speed: must not be below zero")
	}
	return errors.Join(errs...)
}
