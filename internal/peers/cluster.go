package peers

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/trackmesh/trackmesh/api"
	"github.com/trackmesh/trackmesh/cluster"
	trackmeshv1 "github.com/trackmesh/trackmesh/messages/trackmesh/v1"
)

// statusWait is how long a node is given to say how it is.
const statusWait = time.Second

// OwnerName is the node that runs a partition, "" when nobody is known to.
func (p *Peers) OwnerName(partition int32) string {
	table := p.routes.get()
	if i, ok := table.member(partition); ok {
		return table.members[i].Name
	}
	return ""
}

// Cluster is api.Cluster over the cluster. Base is what this node says of itself: its name, version, log, topic and fences.
type Cluster struct {
	Peers *Peers
	Base  func() api.ClusterState
	// Moves are the partitions on their way, given those that there are.
	Moves func(ctx context.Context, parts []api.ClusterPart) []api.ClusterMove
}

var _ api.Cluster = Cluster{}

// State implements api.Cluster: every member is asked how it is. One that does not answer in time is a suspect, and what it runs is
// shown as gossip has it.
func (c Cluster) State(ctx context.Context) (api.ClusterState, error) {
	p := c.Peers
	table := p.routes.get()
	statuses := p.statuses(ctx, table)
	s := c.Base()
	s.Members, s.Partitions, s.Sinks, s.Tracks = nil, nil, []api.ClusterSink{}, 0
	for i, m := range table.members {
		state := m.Status.String()
		if statuses[i] == nil {
			state = cluster.Sick.String()
		}
		s.Members = append(s.Members, api.ClusterMember{Name: m.Name, Address: m.HTTP, State: state, Since: m.Since.UTC().Truncate(time.Millisecond)})
	}
	for partition := range p.opts.Partitions {
		part := partOf(partition, table, statuses)
		s.Partitions = append(s.Partitions, part)
		s.Tracks += part.Tracks
	}
	s.Moves = c.Moves(ctx, s.Partitions)
	s.Sinks = sinksOf(statuses)
	return s, nil
}

// statuses asks all members; nil for those that did not answer.
func (p *Peers) statuses(ctx context.Context, table *routes) []*trackmeshv1.PeerStatus {
	ctx, cancel := context.WithTimeout(ctx, statusWait)
	defer cancel()
	all := make([]*trackmeshv1.PeerStatus, len(table.members))
	var work sync.WaitGroup
	for i, m := range table.members {
		if i == table.self {
			all[i] = p.opts.Here.Status()
			continue
		}
		work.Go(func() {
			answer, err := p.opts.Asker.Ask(ctx, m, &trackmeshv1.PeerQuestion{Body: &trackmeshv1.PeerQuestion_Status{Status: &trackmeshv1.PeerStatusQuestion{}}})
			if err == nil {
				all[i] = answer.GetStatus()
			}
		})
	}
	work.Wait()
	return all
}

// partOf is what is known of a partition: from the member that runs it with the highest term, else from one that is about to.
func partOf(partition int32, table *routes, statuses []*trackmeshv1.PeerStatus) api.ClusterPart {
	owner, owned := table.member(partition)
	var owners, comer *trackmeshv1.PeerPartitionStatus
	comes := ""
	for i, s := range statuses {
		for _, ps := range s.GetPartitions() {
			switch {
			case ps.GetPartition() != partition:
			case owned && i == owner:
				owners = ps
			case comer == nil || ps.GetTerm() > comer.GetTerm():
				comer, comes = ps, table.members[i].Name
			}
		}
	}
	part := api.ClusterPart{Partition: partition, State: "moving"}
	if owned {
		part.Owner, part.State, part.Term = table.members[owner].Name, "running", table.term[partition]
	}
	shown := owners
	if shown == nil && comer != nil && !owned {
		shown, part.Owner = comer, comes
	}
	if shown != nil {
		part.State, part.InputOffset, part.Lag, part.Tracks = shown.GetState(), shown.GetInputOffset(), shown.GetLag(), int(shown.GetTracks())
		part.EventClock, part.Error = shown.GetEventClockMs(), shown.GetError()
		part.Term = max(part.Term, shown.GetTerm())
	}
	return part
}

// sinksOf joins what the members say of each sink: the lags of parts add up, of whole readers the longest counts; a failing one is
// shown.
func sinksOf(statuses []*trackmeshv1.PeerStatus) []api.ClusterSink {
	byName := map[string]*api.ClusterSink{}
	for _, s := range statuses {
		for _, sink := range s.GetSinks() {
			joined := byName[sink.GetName()]
			if joined == nil {
				joined = &api.ClusterSink{Name: sink.GetName(), State: sink.GetState()}
				byName[sink.GetName()] = joined
			}
			if sink.GetWhole() {
				joined.Lag = max(joined.Lag, sink.GetLag())
			} else {
				joined.Lag += sink.GetLag()
			}
			if sink.GetError() != "" {
				joined.State, joined.Error = sink.GetState(), sink.GetError()
			}
		}
	}
	all := make([]api.ClusterSink, 0, len(byName))
	for _, sink := range byName {
		all = append(all, *sink)
	}
	slices.SortFunc(all, func(a, b api.ClusterSink) int { return cmp.Compare(a.Name, b.Name) })
	return all
}
