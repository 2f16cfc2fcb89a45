package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/trackmesh/trackmesh/actors"
	"github.com/trackmesh/trackmesh/api"
	"github.com/trackmesh/trackmesh/broker"
	"github.com/trackmesh/trackmesh/cluster"
	"github.com/trackmesh/trackmesh/cluster/gossip"
	"github.com/trackmesh/trackmesh/cluster/ownership"
	"github.com/trackmesh/trackmesh/cluster/remote"
	"github.com/trackmesh/trackmesh/history"
	"github.com/trackmesh/trackmesh/internal/peers"
	"github.com/trackmesh/trackmesh/live"
	"github.com/trackmesh/trackmesh/sinks/webhook"
	"github.com/trackmesh/trackmesh/source"
	"github.com/trackmesh/trackmesh/web"
)

// Run starts a node and stops it when ctx ends. An error at the start is one line that says what to do.
func Run(ctx context.Context, o Options, stderr io.Writer) error {
	logger := newLogger(&o, stderr)
	n, err := Start(ctx, o, logger)
	if err != nil {
		return err
	}
	var failure error
	select {
	case <-ctx.Done():
		logger.Info("stopping")
	case failure = <-n.failed:
	}
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), o.DrainTimeout)
	defer cancel()
	return errors.Join(failure, n.Stop(bounded))
}

func newLogger(o *Options, w io.Writer) *slog.Logger {
	level, err := o.level()
	if err != nil {
		level = slog.LevelInfo
	}
	handler := &slog.HandlerOptions{Level: level}
	if o.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, handler))
	}
	return slog.New(slog.NewTextHandler(w, handler))
}

// Node is a running daemon.
type Node struct {
	opts      Options
	logger    *slog.Logger
	registry  *prometheus.Registry
	log       broker.Log
	board     *actors.FenceBoard
	fleet     *live.Fleet
	host      *actors.Host
	remote    *remote.Remote                   // nil: the log is embedded
	peers     atomic.Pointer[peers.Peers]      // nil: the log is embedded
	gossip    *gossip.Gossip                   // nil: the log is embedded
	members   cluster.Membership               // nil: the log is embedded
	keeper    atomic.Pointer[ownership.Keeper] // nil: the log is embedded, or the group is not joined yet
	group     atomic.Pointer[groupMembership]  // nil likewise
	history   history.Store                    // nil: off
	sinks     []namedSink
	webhooks  *webhook.Service
	failed    chan error // a part that cannot go on
	started   time.Time
	listening net.Addr

	// stops are run last first; each is named for the log.
	stops []stop
}

type stop struct {
	what string
	do   func(context.Context) error
}

// Start starts every part. When one fails, those before it are stopped.
func Start(ctx context.Context, o Options, logger *slog.Logger) (*Node, error) {
	if err := errors.Join(o.Validate(), o.source().Validate()); err != nil {
		return nil, err
	}
	n := &Node{opts: o, logger: logger, registry: prometheus.NewRegistry(), failed: make(chan error, 1), started: time.Now()}
	n.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	listener, err := listen(o.HTTPAddr)
	if err != nil {
		return nil, err
	}
	n.listening = listener.Addr()
	n.onStop("http port", func(context.Context) error { return ignoreClosed(listener.Close()) })
	for _, part := range []func(context.Context) error{
		n.startLog, n.listenPeers, n.startMembers, n.startFences, n.startPartitions, n.startSinks, n.startWebhooks, n.startPeers,
		func(context.Context) error { return n.startAPI(listener) },
		n.startOwnership, n.startPprof, n.startDemo,
	} {
		if err := part(ctx); err != nil {
			stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), o.DrainTimeout)
			defer cancel()
			return nil, errors.Join(err, n.Stop(stopping))
		}
	}
	scheme := "http"
	if o.TLSCertFile != "" {
		scheme = "https"
	}
	logger.Info("ready to use", "map", scheme+"://"+browsable(n.listening), "log", n.logKind(), "history", n.historyKind(), "demo", o.DemoOn())
	return n, nil
}

// browsable is the address as a person types it.
func browsable(a net.Addr) string {
	host, port, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	if ip := net.ParseIP(host); ip != nil && (ip.IsLoopback() || ip.IsUnspecified()) {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}

func listen(addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("--http-addr: %s cannot be listened on, maybe another program has it: stop that or choose another port (%w)", addr, err)
	}
	return l, nil
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func (n *Node) onStop(what string, do func(context.Context) error) {
	n.stops = append(n.stops, stop{what, do})
}

// Stop stops every part, last started first. Idempotent.
func (n *Node) Stop(ctx context.Context) error {
	var errs []error
	for _, s := range slices.Backward(n.stops) {
		if err := s.do(ctx); err != nil {
			errs = append(errs, fmt.Errorf("stopping %s: %w", s.what, err))
		}
	}
	n.stops = nil
	return errors.Join(errs...)
}

// Addr is where HTTP listens.
func (n *Node) Addr() string { return n.listening.String() }

func (n *Node) startLog(ctx context.Context) error {
	log, err := openLog(ctx, &n.opts, n.logger, n.registry)
	if err != nil {
		return err
	}
	n.log = log
	n.onStop("log", func(context.Context) error { return log.Close() })
	return nil
}

func (n *Node) startFences(ctx context.Context) error {
	n.board = actors.NewFenceBoard(n.log, n.logger)
	n.onStop("fences", func(context.Context) error { n.board.Stop(); return nil })
	if err := n.board.Start(ctx); err != nil {
		return err
	}
	return n.putDemoFences(ctx)
}

func (n *Node) startPartitions(context.Context) error {
	partitioner, err := broker.PartitionerByName(n.opts.Partitioner)
	if err != nil {
		return err
	}
	if _, err := source.NewDecoder(n.opts.source(), nil); err != nil {
		return err
	}
	layout := n.log.Layout()
	n.fleet = live.NewFleet(layout.Partitions)
	system := actor.NewActorSystem(
		actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(quietActors{n.logger.Handler()}) }),
		actor.WithDeadLetterRequestLogging(false),
	)
	n.onStop("actors", func(context.Context) error { system.Shutdown(); return nil })
	n.host, err = actors.NewHost(actors.Options{
		System: system, Log: n.log, Fences: n.board, Fleet: n.fleet, NewDecoder: n.newDecoder, Settings: n.opts.settings(),
		History:        map[string]actors.History{"all": actors.HistoryAll, "in-fences": actors.HistoryInFences, "off": actors.HistoryOff}[n.opts.History],
		CommitInterval: n.opts.CommitInterval, QuietClock: n.opts.QuietClock, SkipOffsetGap: n.opts.OnOffsetGap == "skip",
		StartLatest: n.opts.Start == "latest", Node: n.opts.NodeName, Logger: n.logger, Registerer: n.registry,
	}, partitioner)
	if err != nil {
		return err
	}
	n.onStop("partitions", n.host.Close)
	return nil
}

func (n *Node) newDecoder(intern func([]byte) (string, bool)) actors.Decoder {
	d, err := source.NewDecoder(n.opts.source(), intern)
	if err != nil {
		panic(err) // the options were validated at the start
	}
	return laneDecoder{d}
}

// quietActors lets protoactor's own records through from warnings on: its news of each start is no news to us.
type quietActors struct{ slog.Handler }

func (q quietActors) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn && q.Handler.Enabled(ctx, l)
}

func (n *Node) startAPI(listener net.Listener) error {
	partitioner, err := broker.PartitionerByName(n.opts.Partitioner)
	if err != nil {
		return err
	}
	options := api.Options{
		Node: n.opts.NodeName, Live: api.LocalLive{Fleet: n.fleet, Home: n.host.Home, Patience: patience}, Paths: hostPaths{n.host}, Messages: hostMessages{n.host},
		Fences: boardFences{n.board, n.host}, Webhooks: hooks{n.webhooks}, Log: n.log, Split: splitter(n.opts.source()), Partitioner: partitioner,
		Cluster: clusterState{n}, Ready: readiness{n}, History: n.history, HistoryMode: n.opts.History, Settings: n.opts.settings(), IngestFormat: n.ingestFormat(),
		Web: web.Assets(), WebConfig: n.webConfig(), Tiles: n.opts.MapPMTiles,
		LocalOnly: n.opts.AuthTokensFile == "" && !n.opts.InsecureNoAuth, CORSOrigins: n.opts.CORSOrigins, Secure: n.opts.TLSCertFile != "",
		Logger: n.logger, Registerer: n.registry, Gatherer: n.registry,
	}
	if n.opts.MapPMTiles != "" {
		if err := api.CheckTiles(n.opts.MapPMTiles); err != nil {
			return fmt.Errorf("--map-pmtiles: %w", err)
		}
	}
	if n.opts.AuthTokensFile != "" {
		if options.Tokens, err = readTokens(n.opts.AuthTokensFile); err != nil {
			return err
		}
	}
	n.askCluster(&options)
	server, err := api.New(options)
	if err != nil {
		return err
	}
	if listener, err = n.withTLS(listener); err != nil {
		return err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(listener); err != nil {
			n.fail(fmt.Errorf("serving HTTP: %w", err))
		}
	}()
	n.onStop("HTTP", func(ctx context.Context) error {
		err := server.Stop(ctx)
		<-done
		return err
	})
	return nil
}

// webConfig is what the page is told.
func (n *Node) webConfig() map[string]string {
	config := map[string]string{"map_style_url": n.opts.MapStyleURL, "version": n.opts.Version}
	if n.opts.MapPMTiles != "" {
		config["map_pmtiles_url"] = api.TilesPath
	}
	return config
}

// ingestFormat is the content type of ingest requests that do not name one.
func (n *Node) ingestFormat() string {
	switch n.opts.Format {
	case "taxi":
		return "text/csv; layout=taxi"
	case "csv":
		return "text/csv"
	case "geojson":
		return "application/geo+json"
	case "protobuf":
		return "application/x-protobuf"
	}
	return "application/json"
}

func readTokens(file string) (*api.Tokens, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("--auth-tokens-file: %w", err)
	}
	defer f.Close()
	tokens, err := api.ReadTokens(f)
	if err != nil {
		return nil, fmt.Errorf("--auth-tokens-file: %w", err)
	}
	return tokens, nil
}

// fail stops the node with an error that it cannot go on from.
func (n *Node) fail(err error) {
	select {
	case n.failed <- err:
	default: // the first one stops it
	}
}

func (n *Node) startPprof(context.Context) error {
	if n.opts.PprofAddr == "" {
		return nil
	}
	l, err := net.Listen("tcp", n.opts.PprofAddr)
	if err != nil {
		return fmt.Errorf("--pprof-addr: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(l) }() // ends with Close below
	n.onStop("profiles", func(context.Context) error { return server.Close() })
	return nil
}
