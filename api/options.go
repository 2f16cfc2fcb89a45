package api

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trackmesh/trackmesh/broker"
	"github.com/trackmesh/trackmesh/history"
	"github.com/trackmesh/trackmesh/track"
)

// Options of a Server. Fields without a named default must be set.
type Options struct {
	Node string // this node's name, shown in answers
	Live Live
	// Frames answers for the live map, each second and without patience. Nil: Live does.
	Frames Live
	// Owner is the node that runs a partition, shown with its tracks. Nil: this one runs all.
	Owner       func(partition int32) string
	Paths       Paths
	Messages    Messages
	Fences      Fences
	Webhooks    Webhooks
	Log         Log
	Split       Splitter
	Partitioner broker.Partitioner
	Cluster     Cluster
	Ready       Ready

	// History answers for the past; nil: nothing is stored. HistoryMode is --history (default "all", "off" without History).
	History     history.Store
	HistoryMode string
	// Settings are the node's semantics, for backtests.
	Settings track.Settings
	// IngestFormat is the format of lines whose request has no content type. Default "application/json".
	IngestFormat string

	// Web holds the built map: index.html and assets/. Nil: no pages but /docs.
	Web fs.FS
	// WebConfig is served to the page as /config.json. Nil: an empty object.
	WebConfig any

	// Tiles is a PMTiles file, the base map, served in ranges at TilesPath. Empty: none.
	Tiles string

	// Tokens turn authentication on; nil: everybody may do everything.
	Tokens *Tokens
	// LocalOnly refuses requests whose Host is not this machine: against pages elsewhere that rebind their name to it.
	LocalOnly bool
	// CORSOrigins are the web origins, like https://map.example.org, that may call the API; "*": every one, without cookies.
	CORSOrigins []string
	// Secure says that clients reach us over TLS: cookies are marked so.
	Secure bool

	QueryTimeout     time.Duration // of one question; default 10 s
	StoreTimeout     time.Duration // of one write to the log; default 30 s
	MaxBodyBytes     int64         // of a document (a fence, a message); default 4 MiB
	MaxIngestBytes   int64         // of one ingest request, unpacked; default 256 MiB
	MaxIngests       int           // under way at once; default 16
	MaxStreams       int           // SSE and WebSocket clients at once; default 2000
	MaxImports       int           // fence imports under way at once; default 2
	MaxBacktests     int           // under way at once; default 2
	BacktestTimeout  time.Duration // of one backtest; default 5 min
	StreamHeartbeat  time.Duration // default 15 s
	FrameInterval    time.Duration // of the live map; default 1 s
	ClientPatience   time.Duration // how long one write to, or read from, a slow client may take; default 30 s
	TailBytes        int           // how much of the newest events is kept for streams; default 16 MiB
	Now              func() time.Time
	Logger           *slog.Logger
	Registerer       prometheus.Registerer
	Gatherer         prometheus.Gatherer
	tailEntriesLimit int // for tests; default 65536
}

func (o *Options) withDefaults() Options {
	d := *o
	d.QueryTimeout = cmp.Or(d.QueryTimeout, 10*time.Second)
	d.StoreTimeout = cmp.Or(d.StoreTimeout, 30*time.Second)
	d.MaxBodyBytes = cmp.Or(d.MaxBodyBytes, 4<<20)
	d.MaxIngestBytes = cmp.Or(d.MaxIngestBytes, 256<<20)
	d.MaxIngests = cmp.Or(d.MaxIngests, 16)
	d.MaxStreams = cmp.Or(d.MaxStreams, 2000)
	d.MaxImports = cmp.Or(d.MaxImports, 2)
	d.MaxBacktests = cmp.Or(d.MaxBacktests, 2)
	d.BacktestTimeout = cmp.Or(d.BacktestTimeout, 5*time.Minute)
	d.Settings = cmp.Or(d.Settings, track.DefaultSettings())
	d.StreamHeartbeat = cmp.Or(d.StreamHeartbeat, 15*time.Second)
	d.FrameInterval = cmp.Or(d.FrameInterval, time.Second)
	d.ClientPatience = cmp.Or(d.ClientPatience, 30*time.Second)
	d.TailBytes = cmp.Or(d.TailBytes, 16<<20)
	d.tailEntriesLimit = cmp.Or(d.tailEntriesLimit, 1<<16)
	d.IngestFormat = cmp.Or(d.IngestFormat, "application/json")
	d.HistoryMode = cmp.Or(d.HistoryMode, "all")
	if d.History == nil {
		d.HistoryMode = "off"
	}
	if d.Frames == nil {
		d.Frames = d.Live
	}
	if d.Owner == nil {
		d.Owner = func(int32) string { return d.Node }
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	return d
}

func (o *Options) validate() error {
	var errs []error
	for _, f := range []struct {
		name    string
		missing bool
	}{
		{"Live", o.Live == nil},
		{"Paths", o.Paths == nil},
		{"Messages", o.Messages == nil},
		{"Fences", o.Fences == nil},
		{"Webhooks", o.Webhooks == nil},
		{"Log", o.Log == nil},
		{"Split", o.Split == nil},
		{"Partitioner", o.Partitioner == nil},
		{"Cluster", o.Cluster == nil},
		{"Ready", o.Ready == nil},
		{"Logger", o.Logger == nil},
		{"Registerer", o.Registerer == nil},
		{"Gatherer", o.Gatherer == nil},
	} {
		if f.missing {
			errs = append(errs, fmt.Errorf("api: Options.%s is missing", f.name))
		}
	}
	return errors.Join(errs...)
}
