package embedded

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trackmesh/trackmesh/broker"
)

const (
	// DefaultRetentionBytes bounds log.db unless the options say otherwise.
	DefaultRetentionBytes = 3 << 29 // 1.5 GiB
	// MinRetentionBytes is the smallest bound: below it the file's own overhead rules.
	MinRetentionBytes = 16 << 20

	defaultPartitions     = 8
	maxPartitions         = 1024
	defaultMaxRecordBytes = 1 << 20
	defaultLockTimeout    = 2 * time.Second
)

// Options say where the log is and how much it keeps.
type Options struct {
	// OpenOptions: Partitions zero means 8 for a new log and whatever an existing one has. RetentionBytes bounds log.db as
	// a whole, over all streams: zero means DefaultRetentionBytes, negative no bound. RetentionAge zero means no bound.
	broker.OpenOptions

	// Dir is the data directory; it is made when it is missing.
	Dir string
	// MaxRecordBytes is the largest key plus value. Zero means 1 MiB.
	MaxRecordBytes int
	// LockTimeout is how long to wait for another process to let go of the file. Zero means 2 s.
	LockTimeout time.Duration

	// Logger nil discards.
	Logger *slog.Logger
	// Registerer nil keeps the metrics to ourselves.
	Registerer prometheus.Registerer
}

// Validate reports every field that cannot be used, all at once.
func (o Options) Validate() error {
	var errs []error
	if o.Dir == "" {
		errs = append(errs, errors.New("--data-dir is empty"))
	}
	if o.Topic == "" {
		errs = append(errs, errors.New("--topic is empty"))
	}
	if o.Partitions < 0 || o.Partitions > maxPartitions {
		errs = append(errs, fmt.Errorf("--partitions %d is not between 1 and %d", o.Partitions, maxPartitions))
	}
	if o.RetentionAge < 0 {
		errs = append(errs, fmt.Errorf("--retention-age %s is negative", o.RetentionAge))
	}
	if o.RetentionBytes > 0 && o.RetentionBytes < MinRetentionBytes {
		errs = append(errs, fmt.Errorf("--retention-bytes %d is below the least bound of %d", o.RetentionBytes, MinRetentionBytes))
	}
	if o.MaxRecordBytes < 0 || o.MaxRecordBytes > maxRawBytes/2 {
		errs = append(errs, fmt.Errorf("a record limit of %d bytes is not between 1 and %d", o.MaxRecordBytes, maxRawBytes/2))
	}
	return errors.Join(errs...)
}

func (o Options) withDefaults() Options {
	if o.RetentionBytes == 0 {
		o.RetentionBytes = DefaultRetentionBytes
	}
	if o.RetentionBytes < 0 {
		o.RetentionBytes = math.MaxInt64
	}
	if o.MaxRecordBytes == 0 {
		o.MaxRecordBytes = defaultMaxRecordBytes
	}
	if o.LockTimeout <= 0 {
		o.LockTimeout = defaultLockTimeout
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}
