package api

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/trackmesh/trackmesh/broker"
	"github.com/trackmesh/trackmesh/geo"
	"github.com/trackmesh/trackmesh/live"
	trackmeshv1 "github.com/trackmesh/trackmesh/messages/trackmesh/v1"
	"github.com/trackmesh/trackmesh/track"
)

// What the parts behind these interfaces say; anything else is an internal error (500), context errors are 503.
var (
	// ErrNotFound: no such vehicle, fence or event.
	ErrNotFound = errors.New("not found")
	// ErrVersion: If-Match names another version than the fence has.
	ErrVersion = errors.New("the version is not the current one")
	// ErrUnavailable: whoever owns the vehicle cannot be asked now.
	ErrUnavailable = errors.New("not available now")
)

// InvalidError refuses a part of a body.
type InvalidError struct {
	Pointer string // JSON pointer into the body; "": all of it
	Reason  string
}

func (e *InvalidError) Error() string { return e.Reason }

// Live answers about the fleet as it is now, over all partitions that can be asked before ctx ends.
type Live interface {
	// Track is one vehicle's state, or ErrNotFound. A missing partition in the coverage makes "not found" uncertain.
	Track(ctx context.Context, vehicle string) (*track.View, live.Coverage, error)
	// Search returns the tracks that a query fits, at most q.Limit.
	Search(ctx context.Context, q live.Query) (live.Found, live.Coverage, error)
	// Nearest returns the k tracks nearest to a point, nearest first.
	Nearest(ctx context.Context, q live.NearestQuery) ([]live.Neighbour, live.Coverage, error)
	// Cells counts tracks by geohash cell (precision 1..9).
	Cells(ctx context.Context, precision int, box geo.Box) ([]live.Cell, live.Coverage, error)
	// Visible is what a frame of the live map shows: at most limit tracks of the box, and how many there are.
	Visible(ctx context.Context, box geo.Box, limit int) (live.Visible, live.Coverage, error)
	// Counts are the fleet's numbers by status.
	Counts(ctx context.Context) (live.Counts, live.Coverage, error)
	// Changed waits, so long at most, until the vehicle's state has another live.Mark than seen (0: none was seen). Nil: it has not.
	Changed(ctx context.Context, vehicle string, seen uint64, wait time.Duration) (*track.View, error)
}

// Paths reads a track's recent fixes from the memory of its owner.
type Paths interface {
	// Path returns fixes with from ≤ time < to (UTC ms; to 0: open), oldest first, the newest limit of them. since says
	// from when on memory is complete (UTC ms): what is older is history's. ErrNotFound: no such track.
	Path(ctx context.Context, vehicle string, from, to int64, limit int) (points []track.PathPoint, since int64, err error)
}

// Messages takes durable messages to tracks.
type Messages interface {
	// Send makes the command durable. wait above zero waits so long at most until it is applied and committed.
	Send(ctx context.Context, cmd *trackmeshv1.Command, wait time.Duration) (Sent, error)
}

// Sent is where a message stands in the log.
type Sent struct {
	Partition int32
	Offset    int64
	Applied   bool
}

// Fence is a fence as the API shows it.
type Fence struct {
	ID      string
	Version int64
	Feature []byte // the GeoJSON Feature
}

// Fences reads and writes the fence set.
type Fences interface {
	// Get returns the newest version, or ErrNotFound.
	Get(ctx context.Context, id string) (Fence, error)
	// List returns fences by id, those after an id, at most limit; box nil: everywhere.
	List(ctx context.Context, box *geo.Box, after string, limit int) ([]Fence, error)
	// Put stores a fence. ifMatch nil: whatever is there; -1: there must be none; else its version (ErrVersion).
	// A feature that is no fence is an *InvalidError.
	Put(ctx context.Context, id string, feature []byte, ifMatch *int64) (version int64, err error)
	// Delete removes a fence, or says ErrNotFound.
	Delete(ctx context.Context, id string, ifMatch *int64) (version int64, err error)
	// PutAll stores many; refused[i] says why batch[i] was not stored. version is that of the last stored, -1: none.
	PutAll(ctx context.Context, batch []Fence) (version int64, refused []error, err error)
	// WaitLive returns when every partition works with this version or a newer one.
	WaitLive(ctx context.Context, version int64) error
}

// Log is the part of broker.Log that the API uses.
type Log interface {
	Layout() broker.Layout
	Produce(ctx context.Context, records []broker.Record) ([]int64, error)
	Bounds(ctx context.Context, s broker.Stream, p int32) (earliest, end int64, err error)
	NewReader(opts broker.ReaderOptions) (broker.Reader, error)
	Health() error
}

// Splitter cuts the body of an ingest request into lines: one position each. It calls fn with the line's number (from 1), the
// bytes to store (fn may keep them), the vehicle, and why the vehicle cannot be read. It stops with fn's error. An error of
// its own is a body that cannot be read on; ErrMediaType when it does not know the content type.
//
// stored is the content type to keep with each line: that of one line, which may differ from the body's (a FeatureCollection
// is cut into Features, the header of a CSV becomes a parameter).
type Splitter func(contentType string, body io.Reader, fn func(line int, value []byte, stored, vehicle string, err error) error) error

// ErrMediaType says that the content type is none that positions come in.
var ErrMediaType = errors.New("content type is not one of positions")

// Cluster tells the state of the whole cluster.
type Cluster interface {
	State(ctx context.Context) (ClusterState, error)
}

// ClusterState is the answer of GET /api/v1/cluster.
type ClusterState struct {
	Node       string           `json:"node"` // who answers
	Version    string           `json:"version"`
	Log        string           `json:"log"` // embedded or kafka
	Topic      string           `json:"topic"`
	Members    []ClusterMember  `json:"members"`
	Partitions []ClusterPart    `json:"partitions"`
	Sinks      []ClusterSink    `json:"sinks"`
	Moves      []ClusterMove    `json:"moves"`
	Fences     ClusterFences    `json:"fences"`
	Tracks     int              `json:"tracks"`
	Records    map[string]int64 `json:"records,omitempty"` // by outcome, since the node started
}

// ClusterMember is a node.
type ClusterMember struct {
	Name    string    `json:"name"`
	Address string    `json:"address"` // of HTTP
	State   string    `json:"state"`   // alive, draining, suspect
	Since   time.Time `json:"since"`
}

// ClusterPart is a partition: who runs it and how far it is.
type ClusterPart struct {
	Partition   int32  `json:"partition"`
	Owner       string `json:"owner"`
	Term        uint64 `json:"term"`
	State       string `json:"state"`
	InputOffset int64  `json:"input_offset"` // the next to handle
	Lag         int64  `json:"lag"`          // records behind the input's end
	Tracks      int    `json:"tracks"`
	EventClock  int64  `json:"event_clock_ms"`
	Error       string `json:"error,omitempty"`
}

// ClusterSink is a reader of the committed log.
type ClusterSink struct {
	Name  string `json:"name"`
	Lag   int64  `json:"lag"` // records not stored yet, over all partitions
	State string `json:"state"`
	Error string `json:"error,omitempty"`
}

// ClusterMove is a partition on its way to another node.
type ClusterMove struct {
	Partition int32  `json:"partition"`
	From      string `json:"from"`
	To        string `json:"to"`
}

// ClusterFences is how many fences there are, at which version.
type ClusterFences struct {
	Count   int   `json:"count"`
	Version int64 `json:"version"`
}

// Readiness is the answer of GET /readyz.
type Readiness struct {
	Ready   bool     `json:"ready"`
	Reasons []string `json:"reasons"` // why not
	// Warnings are what is wrong without making the node unready: a shared store that is down is down for every node.
	Warnings []string `json:"warnings"`
}

// Ready tells whether this node has recovered its share and can reach the log.
type Ready interface {
	Ready(ctx context.Context) Readiness
}
