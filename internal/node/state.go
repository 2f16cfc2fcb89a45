package node

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/trackmesh/trackmesh/api"
	"github.com/trackmesh/trackmesh/cluster"
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

// base is what this node says of itself.
func (c clusterState) base() api.ClusterState {
	return api.ClusterState{
		Node: c.opts.NodeName, Version: c.opts.Version, Log: c.logKind(), Topic: c.log.Layout().Input,
		Fences: api.ClusterFences{Count: c.board.Current().Len(), Version: c.board.Current().Version()}, Sinks: []api.ClusterSink{},
	}
}

// State implements api.Cluster for a node that is alone.
func (c clusterState) State(ctx context.Context) (api.ClusterState, error) {
	s := c.base()
	members := c.memberList()
	for _, m := range members {
		s.Members = append(s.Members, api.ClusterMember{Name: m.Name, Address: m.HTTP, State: m.Status.String(), Since: m.Since.UTC().Truncate(time.Millisecond)})
	}
	s.Partitions = c.partitions(members)
	for _, p := range s.Partitions {
		s.Tracks += p.Tracks
	}
	s.Moves = c.moves(ctx, s.Partitions)
	for _, sink := range c.sinks {
		s.Sinks = append(s.Sinks, sink.state())
	}
	for _, w := range c.webhooks.States() {
		s.Sinks = append(s.Sinks, hookState(w))
	}
	return s, nil
}

// partitions are all there are: those of this node as they are, the others as their owners say of themselves.
func (c clusterState) partitions(members []cluster.Member) []api.ClusterPart {
	parts := make([]api.ClusterPart, c.log.Layout().Partitions)
	for p := range parts {
		parts[p] = api.ClusterPart{Partition: int32(p), State: "moving"} //nolint:gosec // an index of an int32's range
		if m, term, ok := cluster.Owner(members, parts[p].Partition); ok {
			parts[p].Owner, parts[p].Term, parts[p].State = m.Name, term, "running"
		}
	}
	for _, p := range c.host.Status() {
		if here := &parts[p.Partition]; here.Owner == "" || here.Owner == c.opts.NodeName || p.Term > here.Term {
			*here = api.ClusterPart{
				Partition: p.Partition, Owner: c.opts.NodeName, Term: p.Term, State: p.State, InputOffset: p.InputOffset,
				Lag: max(0, p.InputEnd-p.InputOffset), Tracks: p.Tracks, EventClock: p.EventClock, Error: p.Err,
			}
		}
	}
	return parts
}

// describeWait bounds the question to the group's coordinator: moves are shown when it answers.
const describeWait = 500 * time.Millisecond

// moves are the partitions that run elsewhere than the group has decided, or nowhere yet.
func (c clusterState) moves(ctx context.Context, parts []api.ClusterPart) []api.ClusterMove {
	moves := []api.ClusterMove{}
	group := c.group.Load()
	if group == nil {
		return moves
	}
	ctx, cancel := context.WithTimeout(ctx, describeWait)
	defer cancel()
	state, err := group.Group.Describe(ctx)
	if err != nil {
		return moves
	}
	for _, m := range state.Members {
		node, _, ours := cluster.ParseClientID(m.ClientID)
		if !ours {
			continue
		}
		for _, p := range m.Partitions {
			if p >= 0 && int(p) < len(parts) && (parts[p].Owner != node || parts[p].State != "running") {
				move := api.ClusterMove{Partition: p, To: node}
				if parts[p].Owner != node {
					move.From = parts[p].Owner
				}
				moves = append(moves, move)
			}
		}
	}
	slices.SortFunc(moves, func(a, b api.ClusterMove) int { return int(a.Partition - b.Partition) })
	return moves
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
	r.readyMember(because)
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
	for _, w := range r.webhooks.States() {
		if w.Err != "" {
			answer.Warnings = append(answer.Warnings, fmt.Sprintf("webhook %s: %s", w.ID, w.Err))
		}
	}
	if err := r.board.Health(); err != nil {
		answer.Warnings = append(answer.Warnings, err.Error())
	}
	answer.Ready = len(answer.Reasons) == 0
	return answer
}

// readyMember adds what keeps this node from being a member of the cluster that can be counted on.
func (r readiness) readyMember(because func(format string, args ...any)) {
	if !r.clustered() {
		return
	}
	keeper := r.keeper.Load()
	if keeper == nil {
		because("cluster: joining")
		return
	}
	if _, joined := keeper.Assigned(); !joined {
		because("cluster: the group has given this node no share yet")
	}
	if keeper.Sick() {
		because("cluster: no contact to the group for more than 2 s")
	}
	if r.members.Self().Status == cluster.Draining {
		because("cluster: draining")
	}
}
