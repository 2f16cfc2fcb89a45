package node

import (
	"context"
	"fmt"

	"github.com/trackmesh/trackmesh/actors"
	"github.com/trackmesh/trackmesh/broker/kafka"
	"github.com/trackmesh/trackmesh/cluster"
	"github.com/trackmesh/trackmesh/cluster/ownership"
)

// startOwnership begins to run partitions: with the embedded log all of them, else those that the group gives to this node.
// It comes after everything that serves them, and is stopped before: a node that leaves answers until its partitions run
// elsewhere.
func (n *Node) startOwnership(context.Context) error {
	log, shared := n.log.(*kafka.Log)
	if !shared {
		for p := range n.log.Layout().Partitions {
			n.host.Start(p) //nolint:contextcheck // until the node stops
		}
		return nil
	}
	self := n.members.Self()
	keeper := ownership.New(ownership.Options{
		Members: n.members, Pinger: n.gossip, Host: hostPartitions{n.host}, Logger: n.logger, Registerer: n.registry,
		Join: func(c ownership.Callbacks) (ownership.Group, error) { //nolint:contextcheck // a member until the node stops
			g, err := log.JoinGroup(kafka.GroupOptions{
				Node: self.Name, Boot: self.Boot, Place: place, Assigned: c.Assigned, Revoked: c.Revoked, Lost: c.Lost,
			})
			if err != nil {
				return nil, err
			}
			n.group.Store(&groupMembership{g})
			return groupMembership{g}, nil
		},
	})
	if err := keeper.Start(); err != nil { //nolint:contextcheck // until the node stops
		return fmt.Errorf("joining the group: %w", err)
	}
	n.keeper.Store(keeper)
	n.onStop("ownership", keeper.Stop)
	return nil
}

// hostPartitions is the host as ownership wants it.
type hostPartitions struct{ *actors.Host }

// Running are the partitions that run here, by their number.
func (h hostPartitions) Running() []cluster.Running {
	var running []cluster.Running
	for _, s := range h.Status() {
		if s.State == "running" {
			running = append(running, cluster.Running{Partition: s.Partition, Term: s.Term})
		}
	}
	return running
}

// groupMembership is the group as ownership wants it.
type groupMembership struct{ *kafka.Group }

// Describe are the group's members.
func (g groupMembership) Describe(ctx context.Context) ([]cluster.GroupMember, error) {
	state, err := g.Group.Describe(ctx)
	if err != nil {
		return nil, err
	}
	members := make([]cluster.GroupMember, len(state.Members))
	for i, m := range state.Members {
		members[i] = cluster.GroupMember{MemberID: m.ID, ClientID: m.ClientID}
	}
	return members, nil
}

// place is cluster.Place as the group wants it. What a member was given counts as a claim, under the generation of the group
// in which it was.
func place(candidates []kafka.GroupCandidate, partitions int32) []int {
	input := cluster.PlaceInput{Partitions: partitions}
	index := map[string]int{}
	for i, c := range candidates {
		member := cluster.Candidate{Name: c.ID, Warm: c.Warm}
		if c.Draining {
			member.Status = cluster.Draining
		}
		if c.Generation < 0 {
			member.Warm = append(member.Warm, c.Owned...)
		} else {
			for _, p := range c.Owned {
				member.Running = append(member.Running, cluster.Running{Partition: p, Term: uint64(c.Generation)}) //nolint:gosec // not negative
			}
		}
		input.Members = append(input.Members, member)
		index[c.ID] = i
	}
	owners := make([]int, partitions)
	for p, name := range cluster.Place(input) {
		owners[p] = -1
		if i, ok := index[name]; ok {
			owners[p] = i
		}
	}
	return owners
}
