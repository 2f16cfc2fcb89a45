package node

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"time"

	"github.com/trackmesh/trackmesh/api"
)

func (n *Node) logKind() string {
	if len(n.opts.KafkaBrokers) > 0 {
		return "kafka"
	}
	return "embedded"
}

func (n *Node) historyKind() string {
	switch {
	case n.opts.History == "off":
		return "off"
	case len(n.opts.ElasticsearchURLs) > 0:
		return "elasticsearch"
	}
	return "sqlite"
}

func (n *Node) withTLS(l net.Listener) (net.Listener, error) {
	if n.opts.TLSCertFile == "" {
		return l, nil
	}
	pair, err := tls.LoadX509KeyPair(n.opts.TLSCertFile, n.opts.TLSKeyFile)
	if err != nil {
		return nil, fmt.Errorf("--tls-cert-file and --tls-key-file: %w", err)
	}
	return tls.NewListener(l, &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2", "http/1.1"}}), nil
}

// clusterState answers GET /api/v1/cluster.
type clusterState struct{ *Node }

func (c clusterState) State(context.Context) (api.ClusterState, error) {
	s := api.ClusterState{
		Node: c.opts.NodeName, Version: c.opts.Version, Log: c.logKind(), Topic: c.log.Layout().Input, Moves: []api.ClusterMove{},
		Fences: api.ClusterFences{Count: c.board.Current().Len(), Version: c.board.Current().Version()}, Sinks: []api.ClusterSink{},
	}
	for _, m := range c.owners.Members() {
		s.Members = append(s.Members, api.ClusterMember{Name: m.name, Address: m.address, State: "alive", Since: c.started.UTC().Truncate(time.Millisecond)})
	}
	for _, p := range c.host.Status() {
		s.Tracks += p.Tracks
		s.Partitions = append(s.Partitions, api.ClusterPart{
			Partition: p.Partition, Owner: c.opts.NodeName, Term: p.Term, State: p.State, InputOffset: p.InputOffset,
			Lag: max(0, p.InputEnd-p.InputOffset), Tracks: p.Tracks, EventClock: p.EventClock, Error: p.Err,
		})
	}
	for _, sink := range c.sinks {
		s.Sinks = append(s.Sinks, sink.state())
	}
	return s, nil
}

// readiness answers GET /readyz: ready means that every partition of this node runs, the log takes writes, and so does the store
// that is this node's own. What is outside and shared (Elasticsearch, webhooks' receivers) only warns: it is away for every node
// at once, and a load balancer that took them all out for it would take the map and the events with them.
type readiness struct{ *Node }

func (r readiness) Ready(context.Context) api.Readiness {
	answer := api.Readiness{Reasons: []string{}, Warnings: []string{}}
	because := func(format string, args ...any) {
		answer.Reasons = append(answer.Reasons, fmt.Sprintf(format, args...))
	}
	if err := r.log.Health(); err != nil {
		because("log: %v", err)
	}
	for _, p := range r.host.Status() {
		switch {
		case p.Err != "":
			because("partition %d is %s: %s", p.Partition, p.State, p.Err)
		case p.State != "running":
			because("partition %d is %s", p.Partition, p.State)
		}
	}
	for _, sink := range r.sinks {
		err := sink.health()
		switch {
		case err == nil:
		case sink.own:
			because("sink %s: %v", sink.name, err)
		default:
			answer.Warnings = append(answer.Warnings, fmt.Sprintf("sink %s: %v", sink.name, err))
		}
	}
	if err := r.board.Health(); err != nil {
		answer.Warnings = append(answer.Warnings, err.Error())
	}
	answer.Ready = len(answer.Reasons) == 0
	return answer
}
