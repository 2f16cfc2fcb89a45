package broker

import (
	"context"
	"time"
)

// Stream names a topic by its role. The topic's real name is the input topic's with the stream's suffix (Layout.Topic).
type Stream uint8

// The streams of one deployment. All have the input's number of partitions, except Fences and Webhooks, which have one.
const (
	Input    Stream = iota // "positions": what vehicles send
	Enriched               // one JSON document per accepted fix
	Events                 // one JSON event per transition
	State                  // compacted: track snapshots, checkpoints, claims
	Commands               // durable messages to tracks, read together with the input
	Dead                   // refused records
	Fences                 // compacted: fence id → GeoJSON Feature
	Webhooks               // compacted: webhook id → definition
	NumStreams
)

// Suffix is what the stream adds to the input topic's name ("" for Input).
func (s Stream) Suffix() string {
	return [NumStreams]string{"", ".enriched", ".events", ".state", ".commands", ".dead", ".fences", ".webhooks"}[s]
}

// String is the stream's short name: "input", "enriched", and so on.
func (s Stream) String() string {
	return [NumStreams]string{"input", "enriched", "events", "state", "commands", "dead", "fences", "webhooks"}[s]
}

// Compacted reports whether the stream keeps the newest value of each key rather than a window of time.
func (s Stream) Compacted() bool { return s == State || s == Fences || s == Webhooks }

// Single reports whether the stream has one partition whatever the input has.
func (s Stream) Single() bool { return s == Fences || s == Webhooks }

// Layout is what the log looks like once Open has returned: fixed for the life of the process.
type Layout struct {
	Input      string // the input topic's name
	Partitions int32  // the input topic's number of partitions
	// InputID and StateID identify the incarnation of the topic (Kafka's topic id as 32 hex digits): a topic that is
	// deleted and made again has another id. Document and event ids begin with their first 8 digits.
	InputID, StateID string
	FencesID         string // likewise; the embedded log makes all its topics at once, so it has the state's there
	// MaxRecordBytes is the largest value plus key that one record may have.
	MaxRecordBytes int
}

// Topic is the full name of a stream's topic.
func (l Layout) Topic(s Stream) string { return l.Input + s.Suffix() }

// StreamPartitions is how many partitions the stream has.
func (l Layout) StreamPartitions(s Stream) int32 {
	if s.Single() {
		return 1
	}
	return l.Partitions
}

// Header is a record's named attribute.
type Header struct {
	Key   string
	Value []byte
}

// Record is one entry of a partition. Whoever receives a Record from a Reader may keep its slices: they are never
// written again. Whoever passes Records to Commit or Produce must not touch them until the call returns.
type Record struct {
	Stream    Stream
	Partition int32
	Offset    int64  // set by the log; ignored on writing
	Key       []byte // nil: none
	Value     []byte // nil: a tombstone in a compacted stream
	Headers   []Header
	Timestamp int64 // UTC milliseconds; on writing zero means now
}

// Header returns the value of the first header with that key.
func (r *Record) Header(key string) ([]byte, bool) {
	for i := range r.Headers {
		if r.Headers[i].Key == key {
			return r.Headers[i].Value, true
		}
	}
	return nil, false
}

// Log is an open log. All methods may be called from many goroutines.
type Log interface {
	// Layout is fixed after opening.
	Layout() Layout

	// Claim takes partition p for this process: it fences every earlier claim (their Commits fail from now on with
	// ErrFenced, and nothing of an unfinished one ever becomes visible) and durably writes a claim record that names
	// the node. It does not return before both hold.
	Claim(ctx context.Context, p int32, node string) (Claim, error)

	// Produce appends records (any streams and partitions; keys choose nothing: Partition is used as it stands) outside
	// of any claim and returns their offsets when the log has them durably. On an error some may have been written.
	// A record over MaxRecordBytes fails the call with ErrTooLarge before anything is written.
	Produce(ctx context.Context, records []Record) ([]int64, error)

	// Bounds returns the offset of the earliest record that can still be read and the offset after the last committed one.
	Bounds(ctx context.Context, s Stream, p int32) (earliest, end int64, err error)

	// Open a reader of committed records. It reads nothing before Add.
	NewReader(opts ReaderOptions) (Reader, error)

	// LoadCursors returns the cursor of each partition stored under name; absent partitions have none.
	LoadCursors(ctx context.Context, name string, s Stream) (map[int32]int64, error)
	// StoreCursors durably sets cursors (the next offset to read). Others under the name keep theirs.
	StoreCursors(ctx context.Context, name string, s Stream, cursors map[int32]int64) error

	// Health returns nil while the log can be reached and written, else why not (ErrFull on a full disk).
	Health() error

	// Close releases everything. Claims and readers must be closed before.
	Close() error
}

// Claim is the exclusive right to commit for one partition.
type Claim interface {
	Partition() int32

	// Restore calls fn with the committed records of State[p] in offset order (compacted or not: a later record of a key
	// replaces an earlier one), up to this claim. Called once, before the first Commit. Keys of claim records are never
	// shown. A checkpoint is the record with the key CheckpointKey.
	Restore(ctx context.Context, fn func(*Record) error) error

	// Term is how many claims of this partition there have been, this one included. Valid after Restore.
	Term() uint64

	// Commit appends the records (streams Enriched, Events, State, Dead of this partition) atomically: when it returns nil
	// they are durable and visible, in order; otherwise the claim is lost (ErrFenced, ErrFull, …): the caller Closes it,
	// trusts nothing in memory, claims again and Restores. No second Commit may start before the first has returned.
	Commit(ctx context.Context, records []Record) error

	// Close lets go without a commit. Idempotent.
	Close()
}

// CheckpointKey is the key of the checkpoint record in State; it cannot be a vehicle (those are not empty and have no
// control characters at their start).
const CheckpointKey = "\x00checkpoint"

// ReaderOptions bound a reader.
type ReaderOptions struct {
	// Name appears in client ids and logs.
	Name string
	// MaxBufferedBytes bounds what is fetched ahead. Zero means 8 MiB.
	MaxBufferedBytes int
	// MaxPartitionBytes bounds one partition's fetch. Zero means 1 MiB.
	MaxPartitionBytes int
}

// Reader reads committed records, each partition in order and without a hole, from the offsets it was given.
// Add, Remove, Pause, Resume may be called while Poll waits; Poll from one goroutine.
type Reader interface {
	// Add starts (or restarts) a partition at an offset. Records of an earlier Add are never returned afterwards.
	Add(s Stream, p int32, offset int64)
	Remove(s Stream, p int32)
	// Pause keeps the position but returns no records of the partition until Resume.
	Pause(s Stream, p int32)
	Resume(s Stream, p int32)
	// Poll waits until something is there, ctx ends, or the reader is closed (ErrClosed), and returns it.
	// An error of one partition is in its Fetch (*OffsetError: it gets no more records until Add).
	Poll(ctx context.Context) ([]Fetch, error)
	Close()
}

// Fetch is what one Poll has of one partition.
type Fetch struct {
	Stream    Stream
	Partition int32
	Records   []Record
	// Next is the offset to go on from; End the offset after the last committed record as known now.
	// Next >= End means caught up (control records make Next pass offsets that no record has).
	Next, End int64
	Err       error
}

// OpenOptions are common to both logs.
type OpenOptions struct {
	Topic      string // the input topic's name
	Group      string // prefix of transactional ids and cursors
	Partitions int32  // used only when the topic is made
	// RetentionAge and RetentionBytes apply to topics that are made here; zero: no bound.
	RetentionAge   time.Duration
	RetentionBytes int64
	// Enriched false leaves out the Enriched topic (--history=off).
	Enriched bool
}
