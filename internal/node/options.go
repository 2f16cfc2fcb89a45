package node

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/trackmesh/trackmesh/cluster/discovery"
)

// Options is everything that the daemon can be told. DefaultOptions fills it; Validate reports every bad field at once.
// Each field has a flag of the same name (docs in cmd/node).
type Options struct {
	HTTPAddr, GossipAddr, RPCAddr string
	AdvertiseHost, NodeName       string
	GossipKeyFile                 string // empty: not encrypted
	Join                          []string
	Task                          discovery.Task // of Marathon, from its environment; no flag
	DrainTimeout                  time.Duration

	KafkaBrokers                                     []string
	KafkaTLS                                         bool
	KafkaCAFile, KafkaCertFile, KafkaKeyFile         string
	KafkaSASLMechanism, KafkaSASLUsername            string
	KafkaSASLPasswordFile                            string
	Topic, Group                                     string
	Partitions                                       int32
	Partitioner                                      string
	CommitInterval                                   time.Duration
	Start, OnOffsetGap                               string
	RetentionAge                                     time.Duration
	RetentionBytes                                   int64 // 0: none on Kafka, 1.5 GiB embedded
	Format                                           string
	Map                                              []string
	TimeLayout, TimeZone                             string
	Header                                           bool
	RejectNullIsland                                 bool
	History                                          string
	ElasticsearchURLs                                []string
	ElasticsearchAPIKeyFile                          string
	ElasticsearchUsername, ElasticsearchPasswordFile string
	ElasticsearchCAFile, ElasticsearchIndexPrefix    string
	ElasticsearchBulkBytes                           int64
	ElasticsearchBulkAge                             time.Duration
	ElasticsearchBulkConcurrency                     int
	DataDir                                          string
	HistoryMaxAge                                    time.Duration
	HistoryMaxBytes                                  int64

	StopRadiusMetres float64
	StopAfter        time.Duration
	GapAfter         time.Duration
	JumpSpeedMPS     float64
	ReorderWindow    time.Duration
	ExitMarginMetres float64
	ForgetAfter      time.Duration
	PathFixes        int
	QuietClock       bool
	TLSCertFile      string
	TLSKeyFile       string
	ClusterCertFile  string // mutual TLS between nodes: these three or none
	ClusterKeyFile   string
	ClusterCAFile    string
	AuthTokensFile   string
	InsecureNoAuth   bool
	CORSOrigins      []string
	MapStyleURL      string
	MapPMTiles       string
	PprofAddr        string
	Demo             string
	DemoVehicles     int
	Streets          string
	LogLevel         string
	LogFormat        string
	Version          string
}

// DefaultOptions are the embedded defaults: a whole system in one process.
func DefaultOptions() Options {
	return Options{
		HTTPAddr: "127.0.0.1:8080", GossipAddr: "127.0.0.1:7946", RPCAddr: "127.0.0.1:7947", DrainTimeout: 20 * time.Second,
		Topic: "positions", Group: "trackmesh", Partitions: 8, Partitioner: "murmur2", CommitInterval: 200 * time.Millisecond,
		Start: "earliest", OnOffsetGap: "stop", RetentionAge: 168 * time.Hour,
		Format: "json", RejectNullIsland: true, History: "all",
		ElasticsearchIndexPrefix: "trackmesh", ElasticsearchBulkBytes: 5 << 20, ElasticsearchBulkAge: time.Second, ElasticsearchBulkConcurrency: 2,
		DataDir: "data", HistoryMaxAge: 720 * time.Hour, HistoryMaxBytes: 2 << 30,
		StopRadiusMetres: 50, StopAfter: time.Minute, GapAfter: 5 * time.Minute, JumpSpeedMPS: 100, ExitMarginMetres: 40,
		ForgetAfter: 720 * time.Hour, PathFixes: 256, QuietClock: true,
		Demo: "auto", DemoVehicles: 2000, LogLevel: "info", LogFormat: "text",
	}
}

// DemoOn says whether the simulated fleet runs.
func (o *Options) DemoOn() bool {
	return o.Demo == "on" || (o.Demo == "auto" && len(o.KafkaBrokers) == 0)
}

// Validate reports every field that is wrong, by its flag.
func (o *Options) Validate() error {
	var errs []error
	bad := func(flag, format string, args ...any) {
		errs = append(errs, fmt.Errorf("--%s: %s", flag, fmt.Sprintf(format, args...)))
	}
	oneOf := func(flag, value string, allowed ...string) {
		if !slices.Contains(allowed, value) {
			bad(flag, "%q is not allowed: use %s", value, strings.Join(allowed, ", "))
		}
	}
	positive := func(flag string, ok bool) {
		if !ok {
			bad(flag, "must be above zero")
		}
	}
	oneOf("partitioner", o.Partitioner, "murmur2", "java-hashcode")
	oneOf("start", o.Start, "earliest", "latest")
	oneOf("on-offset-gap", o.OnOffsetGap, "stop", "skip")
	oneOf("format", o.Format, "json", "taxi", "csv", "geojson", "protobuf")
	oneOf("history", o.History, "all", "in-fences", "off")
	oneOf("demo", o.Demo, "auto", "on", "off")
	oneOf("log-format", o.LogFormat, "text", "json")
	oneOf("kafka-sasl-mechanism", o.KafkaSASLMechanism, "", "plain", "scram-sha-256", "scram-sha-512")
	if _, err := o.level(); err != nil {
		bad("log-level", "%q is not allowed: use debug, info, warn, error", o.LogLevel)
	}
	o.validateAddresses(bad)
	if _, err := discovery.Parse(o.Join, discovery.Env{Task: o.Task}); err != nil {
		errs = append(errs, err) // it names the flag itself
	}
	for flag, ok := range map[string]bool{
		"partitions": o.Partitions > 0, "commit-interval": o.CommitInterval > 0, "demo-vehicles": o.DemoVehicles > 0,
		"stop-radius-metres": o.StopRadiusMetres > 0, "stop-after": o.StopAfter > 0, "gap-after": o.GapAfter > 0,
		"jump-speed-mps": o.JumpSpeedMPS > 0, "forget-after": o.ForgetAfter > 0, "path-fixes": o.PathFixes > 0,
		"history-max-age": o.HistoryMaxAge > 0, "history-max-bytes": o.HistoryMaxBytes > 0, "retention-age": o.RetentionAge > 0,
		"elasticsearch-bulk-bytes": o.ElasticsearchBulkBytes > 0, "elasticsearch-bulk-age": o.ElasticsearchBulkAge > 0,
		"elasticsearch-bulk-concurrency": o.ElasticsearchBulkConcurrency > 0, "drain-timeout": o.DrainTimeout > 0,
	} {
		positive(flag, ok)
	}
	if o.ReorderWindow < 0 {
		bad("reorder-window", "must not be below zero")
	}
	if o.ExitMarginMetres < 0 {
		bad("exit-margin-metres", "must not be below zero")
	}
	if o.DemoOn() && o.Format != "json" {
		bad("format", "the demo sends json: add --demo=off to take %s in", o.Format)
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}

func (o *Options) validateAddresses(bad func(flag, format string, args ...any)) {
	host, _, err := net.SplitHostPort(o.HTTPAddr)
	if err != nil {
		bad("http-addr", "%q is not host:port", o.HTTPAddr)
		return
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) && o.AuthTokensFile == "" && !o.InsecureNoAuth {
		bad("http-addr", "%s can be reached from other machines: give --auth-tokens-file, or --insecure-no-auth if everybody there may read and write", o.HTTPAddr)
	}
	if (o.TLSCertFile == "") != (o.TLSKeyFile == "") {
		bad("tls-cert-file", "goes with --tls-key-file")
	}
	if together := []bool{o.ClusterCertFile == "", o.ClusterKeyFile == "", o.ClusterCAFile == ""}; together[0] != together[1] || together[0] != together[2] {
		bad("cluster-cert-file", "goes with --cluster-key-file and --cluster-ca-file")
	}
	for _, b := range o.KafkaBrokers {
		if _, _, err := net.SplitHostPort(b); err != nil {
			bad("kafka-brokers", "%q is not host:port", b)
		}
	}
	for flag, addr := range map[string]string{"gossip-addr": o.GossipAddr, "rpc-addr": o.RPCAddr} {
		if _, _, err := net.SplitHostPort(addr); err != nil {
			bad(flag, "%q is not host:port", addr)
		}
	}
	if _, _, err := net.SplitHostPort(o.AdvertiseHost); err == nil {
		bad("advertise-host", "%q is a host alone: the ports are those that are listened on", o.AdvertiseHost)
	}
	if len(o.Join) > 0 && len(o.KafkaBrokers) == 0 {
		bad("join", "a cluster needs Kafka, the embedded log serves one process: add --kafka-brokers")
	}
}

func (o *Options) level() (slog.Level, error) {
	var l slog.Level
	err := l.UnmarshalText([]byte(o.LogLevel))
	return l, err
}
