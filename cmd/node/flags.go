package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/trackmesh/trackmesh/internal/node"
)

// group is a heading of --help.
type group struct {
	title string
	flags *pflag.FlagSet
}

// flagGroups declares every flag on the options, in the order of --help.
func flagGroups(o *node.Options) []group {
	var groups []group
	add := func(title string, declare func(f *pflag.FlagSet)) {
		f := pflag.NewFlagSet(title, pflag.ContinueOnError)
		f.SortFlags = false
		declare(f)
		groups = append(groups, group{title, f})
	}
	add("Addresses", func(f *pflag.FlagSet) {
		f.StringVar(&o.HTTPAddr, "http-addr", o.HTTPAddr, "where HTTP and the map listen")
		f.StringVar(&o.GossipAddr, "gossip-addr", o.GossipAddr, "where nodes gossip, TCP and UDP (with --kafka-brokers)")
		f.StringVar(&o.RPCAddr, "rpc-addr", o.RPCAddr, "where nodes ask each other (with --kafka-brokers)")
		f.StringVar(&o.AdvertiseHost, "advertise-host", "", "host at which other nodes reach this one (default: HOST of a Marathon task, else the one that is listened on)")
		f.StringSliceVar(&o.Join, "join", nil, "other nodes to join, repeated or with commas: host:port of their gossip, dns:name:port, srv:name, marathon:http://host:port")
		f.StringVar(&o.NodeName, "node-name", o.NodeName, "this node's name (default: MESOS_TASK_ID, else the host's name)")
		f.DurationVar(&o.DrainTimeout, "drain-timeout", o.DrainTimeout, "how long a clean stop may take")
	})
	add("Log", func(f *pflag.FlagSet) {
		f.StringSliceVar(&o.KafkaBrokers, "kafka-brokers", nil, "host:port of Kafka brokers; none: the embedded log in --data-dir")
		f.BoolVar(&o.KafkaTLS, "kafka-tls", false, "speak TLS to Kafka")
		f.StringVar(&o.KafkaCAFile, "kafka-ca-file", "", "PEM file with the brokers' CA")
		f.StringVar(&o.KafkaCertFile, "kafka-cert-file", "", "PEM file with our certificate")
		f.StringVar(&o.KafkaKeyFile, "kafka-key-file", "", "PEM file with our key")
		f.StringVar(&o.KafkaSASLMechanism, "kafka-sasl-mechanism", "", "plain, scram-sha-256 or scram-sha-512")
		f.StringVar(&o.KafkaSASLUsername, "kafka-sasl-username", "", "SASL user")
		f.StringVar(&o.KafkaSASLPasswordFile, "kafka-sasl-password-file", "", "file with the SASL password")
		f.StringVar(&o.Topic, "topic", o.Topic, "the input topic; the others are named after it")
		f.StringVar(&o.Group, "group", o.Group, "prefix of consumer groups and transactional ids")
		f.Int32Var(&o.Partitions, "partitions", o.Partitions, "partitions of the input topic, when it is made here")
		f.StringVar(&o.Partitioner, "partitioner", o.Partitioner, "how producers choose the partition of a key: murmur2 or java-hashcode")
		f.DurationVar(&o.CommitInterval, "commit-interval", o.CommitInterval, "how long output waits for its commit")
		f.StringVar(&o.Start, "start", o.Start, "where a partition without a checkpoint starts: earliest or latest")
		f.StringVar(&o.OnOffsetGap, "on-offset-gap", o.OnOffsetGap, "when the log has lost what was not handled yet: stop, or skip it")
		f.DurationVar(&o.RetentionAge, "retention-age", o.RetentionAge, "age at which topics made here drop records")
		f.Var((*byteSize)(&o.RetentionBytes), "retention-bytes", "size at which topics made here drop records, e.g. 10GiB (default: none on Kafka, 1.5GiB embedded)")
	})
	add("Input", func(f *pflag.FlagSet) {
		f.StringVar(&o.Format, "format", o.Format, "json, taxi, csv, geojson or protobuf")
		f.StringArrayVar(&o.Map, "map", nil, "field=source[:unit], repeated: where vehicle, time, longitude, latitude, speed, heading, accuracy, altitude come from")
		f.StringVar(&o.TimeLayout, "time-layout", "", "layout of times, as Go's time package writes it")
		f.StringVar(&o.TimeZone, "time-zone", "", "zone of times without one, e.g. America/New_York")
		f.BoolVar(&o.Header, "header", false, "CSV has a header line that names the columns")
		f.Var((*onOff)(&o.RejectNullIsland), "reject-null-island", "refuse positions at 0,0: on or off")
	})
	add("Output", func(f *pflag.FlagSet) {
		f.StringVar(&o.History, "history", o.History, "which fixes are stored: all, in-fences or off")
		f.StringSliceVar(&o.ElasticsearchURLs, "elasticsearch-urls", nil, "Elasticsearch nodes; none: SQLite in --data-dir")
		f.StringVar(&o.ElasticsearchAPIKeyFile, "elasticsearch-api-key-file", "", "file with an API key")
		f.StringVar(&o.ElasticsearchUsername, "elasticsearch-username", "", "user for basic authentication")
		f.StringVar(&o.ElasticsearchPasswordFile, "elasticsearch-password-file", "", "file with its password")
		f.StringVar(&o.ElasticsearchCAFile, "elasticsearch-ca-file", "", "PEM file with the CA of Elasticsearch")
		f.StringVar(&o.ElasticsearchIndexPrefix, "elasticsearch-index-prefix", o.ElasticsearchIndexPrefix, "prefix of index names")
		f.Var((*byteSize)(&o.ElasticsearchBulkBytes), "elasticsearch-bulk-bytes", "size of a bulk request")
		f.DurationVar(&o.ElasticsearchBulkAge, "elasticsearch-bulk-age", o.ElasticsearchBulkAge, "how long a bulk request waits to fill")
		f.IntVar(&o.ElasticsearchBulkConcurrency, "elasticsearch-bulk-concurrency", o.ElasticsearchBulkConcurrency, "bulk requests under way at once")
		f.StringVar(&o.DataDir, "data-dir", o.DataDir, "where the embedded log and store live")
		f.DurationVar(&o.HistoryMaxAge, "history-max-age", o.HistoryMaxAge, "age at which history is dropped")
		f.Var((*byteSize)(&o.HistoryMaxBytes), "history-max-bytes", "size at which SQLite drops history")
	})
	add("Semantics", func(f *pflag.FlagSet) {
		f.Float64Var(&o.StopRadiusMetres, "stop-radius-metres", o.StopRadiusMetres, "a vehicle within this radius is stopped")
		f.DurationVar(&o.StopAfter, "stop-after", o.StopAfter, "after this time")
		f.DurationVar(&o.GapAfter, "gap-after", o.GapAfter, "silence that makes a gap")
		f.Float64Var(&o.JumpSpeedMPS, "jump-speed-mps", o.JumpSpeedMPS, "implied speed of a jump")
		f.DurationVar(&o.ReorderWindow, "reorder-window", o.ReorderWindow, "how long fixes wait to be put in order")
		f.Float64Var(&o.ExitMarginMetres, "exit-margin-metres", o.ExitMarginMetres, "how far outside a fence proves an exit")
		f.DurationVar(&o.ForgetAfter, "forget-after", o.ForgetAfter, "silence after which a track ends")
		f.IntVar(&o.PathFixes, "path-fixes", o.PathFixes, "fixes of a track kept in memory")
		f.Var((*onOff)(&o.QuietClock), "quiet-clock", "let time go on while no records come: on or off")
	})
	add("Security", func(f *pflag.FlagSet) {
		f.StringVar(&o.TLSCertFile, "tls-cert-file", "", "PEM file with the certificate for HTTP")
		f.StringVar(&o.TLSKeyFile, "tls-key-file", "", "PEM file with its key")
		f.StringVar(&o.ClusterCertFile, "cluster-cert-file", "", "PEM file with this node's certificate for the other nodes: turns mutual TLS between nodes on")
		f.StringVar(&o.ClusterKeyFile, "cluster-key-file", "", "PEM file with its key")
		f.StringVar(&o.ClusterCAFile, "cluster-ca-file", "", "PEM file with the CA that signs the nodes' certificates and nothing else")
		f.StringVar(&o.AuthTokensFile, "auth-tokens-file", "", "lines of name, role (read, write, admin), sha256 of the token")
		f.BoolVar(&o.InsecureNoAuth, "insecure-no-auth", false, "serve other machines without tokens")
		f.StringVar(&o.GossipKeyFile, "gossip-key-file", "", "file with base64 keys of 16, 24 or 32 bytes, one a line: the first encrypts gossip, all decrypt; read again when it changes")
		f.StringSliceVar(&o.CORSOrigins, "cors-origins", nil, "web origins that may call the API")
	})
	add("Map and demo", func(f *pflag.FlagSet) {
		f.StringVar(&o.MapPMTiles, "map-pmtiles", "", "a PMTiles file: a base map of your own, served by this node")
		f.StringVar(&o.MapStyleURL, "map-style-url", "", "a MapLibre style for the base map")
		f.StringVar(&o.Demo, "demo", o.Demo, "simulated fleet over New York: auto (on without --kafka-brokers), on or off")
		f.StringVar(&o.Streets, "streets", "", "GeoJSON LineStrings for the demo to drive on, instead of the built-in network")
		f.IntVar(&o.DemoVehicles, "demo-vehicles", o.DemoVehicles, "vehicles of the demo")
	})
	add("Logs and debugging", func(f *pflag.FlagSet) {
		f.StringVar(&o.LogLevel, "log-level", o.LogLevel, "debug, info, warn or error")
		f.StringVar(&o.LogFormat, "log-format", o.LogFormat, "text or json")
		f.StringVar(&o.PprofAddr, "pprof-addr", "", "serve Go's profiles here, e.g. 127.0.0.1:6060")
	})
	return groups
}

// errHelp and errVersion end the program with exit code 0.
var (
	errHelp    = errors.New("help asked for")
	errVersion = errors.New("version asked for")
)

// parse fills the options from the environment, then the arguments, and reports everything that is wrong at once.
func parse(args, environ []string) (node.Options, []group, error) {
	o := node.DefaultOptions()
	groups := flagGroups(&o)
	all := pflag.NewFlagSet("trackmesh", pflag.ContinueOnError)
	all.Usage = func() {}
	for _, g := range groups {
		all.AddFlagSet(g.flags)
	}
	help := all.BoolP("help", "h", false, "show this help")
	version := all.Bool("version", false, "show the version")
	fromMarathon(&o, environ)
	errs := fromEnvironment(all, environ)
	errs = append(errs, fromArguments(all, args)...)
	switch {
	case *help:
		return o, groups, errHelp
	case *version:
		return o, groups, errVersion
	}
	if err := o.Validate(); err != nil {
		errs = append(errs, err)
	}
	return o, groups, errors.Join(errs...)
}

// fromMarathon takes what Marathon tells a task. It listens everywhere, since Mesos' own health checks ask 127.0.0.1, and tells
// others the agent's host, which is where the ports are. HOST alone means nothing: some shells set it.
func fromMarathon(o *node.Options, environ []string) {
	env := map[string]string{}
	for _, kv := range environ {
		name, value, _ := strings.Cut(kv, "=")
		env[name] = value
	}
	for name, addr := range map[string]*string{"PORT_HTTP": &o.HTTPAddr, "PORT_GOSSIP": &o.GossipAddr, "PORT_RPC": &o.RPCAddr} {
		if port := env[name]; port != "" {
			*addr = net.JoinHostPort("0.0.0.0", port)
			o.AdvertiseHost = env["HOST"]
		}
	}
	o.NodeName = env["MESOS_TASK_ID"]
	o.Task.AppID, o.Task.ID, o.Task.Host, o.Task.GossipPort = env["MARATHON_APP_ID"], env["MESOS_TASK_ID"], env["HOST"], env["PORT_GOSSIP"]
	for i := 0; env[fmt.Sprint("PORT", i)] != ""; i++ {
		o.Task.Ports = append(o.Task.Ports, env[fmt.Sprint("PORT", i)])
	}
}

// fromEnvironment reads TRACKMESH_LIKE_THIS for --like-this.
func fromEnvironment(all *pflag.FlagSet, environ []string) (errs []error) {
	for _, kv := range environ {
		name, value, _ := strings.Cut(kv, "=")
		rest, ours := strings.CutPrefix(name, "TRACKMESH_")
		if !ours || strings.HasPrefix(rest, "TEST_") {
			continue
		}
		flag := strings.ToLower(strings.ReplaceAll(rest, "_", "-"))
		if all.Lookup(flag) == nil {
			if !orchestrated(rest) {
				errs = append(errs, fmt.Errorf("%s: there is no flag --%s", name, flag))
			}
			continue
		}
		if err := all.Set(flag, value); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
	}
	return errs
}

// orchestrated reports whether an orchestrator makes such a variable for a service that is named trackmesh, as Kubernetes and
// Docker links do; it says nothing to us.
func orchestrated(rest string) bool {
	return rest == "PORT" || strings.HasPrefix(rest, "PORT_") || strings.HasPrefix(rest, "SERVICE_")
}

// fromArguments parses flag by flag, so that one bad flag does not hide the next.
func fromArguments(all *pflag.FlagSet, args []string) (errs []error) {
	for len(args) > 0 {
		n := 1
		if name, isFlag := strings.CutPrefix(args[0], "--"); isFlag && !strings.Contains(name, "=") {
			if f := all.Lookup(name); f != nil && f.NoOptDefVal == "" && len(args) > 1 {
				n = 2
			}
		}
		if err := all.Parse(args[:n]); err != nil {
			errs = append(errs, err)
		} else if rest := all.Args(); len(rest) > 0 {
			errs = append(errs, fmt.Errorf("%q is no flag: there are no other arguments", rest[0]))
		}
		args = args[n:]
	}
	return errs
}

// byteSize is a flag value such as 512MiB.
type byteSize int64

func (b *byteSize) String() string {
	for _, u := range slices.Backward(byteUnits) {
		if n := int64(*b); n != 0 && n%u.size == 0 {
			return strconv.FormatInt(n/u.size, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(*b), 10)
}

func (b *byteSize) Type() string { return "bytes" }

var byteUnits = []struct {
	name string
	size int64
}{{"B", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}}

func (b *byteSize) Set(s string) error {
	for _, u := range slices.Backward(byteUnits) {
		if number, ok := strings.CutSuffix(s, u.name); ok {
			f, err := strconv.ParseFloat(number, 64)
			if err != nil || f < 0 || f*float64(u.size) > 1<<62 {
				break
			}
			*b = byteSize(f * float64(u.size))
			return nil
		}
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && n >= 0 {
		*b = byteSize(n)
		return nil
	}
	return fmt.Errorf("%q is no size: use a number with B, KiB, MiB, GiB or TiB", s)
}

// onOff is a flag value that is on or off.
type onOff bool

func (v *onOff) String() string {
	if *v {
		return "on"
	}
	return "off"
}

func (v *onOff) Type() string { return "on|off" }

func (v *onOff) Set(s string) error {
	switch s {
	case "on", "true":
		*v = true
	case "off", "false":
		*v = false
	default:
		return fmt.Errorf("%q is not allowed: use on or off", s)
	}
	return nil
}

// defaultNodeName is the host's name.
func defaultNodeName() string {
	name, err := os.Hostname()
	if err != nil {
		return "node"
	}
	return name
}
