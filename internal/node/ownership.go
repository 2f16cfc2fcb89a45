package node

import "github.com/trackmesh/trackmesh/actors"

// ownership decides which partitions run here and tells the host. The cluster's group client will be another one.
type ownership interface {
	Start(host *actors.Host)
	// Members are the nodes and the partitions that each runs.
	Members() []member
}

type member struct {
	name, address string
}

// sole is the ownership of one node: all partitions, for as long as it runs.
type sole struct {
	partitions int32
	self       member
}

func (s sole) Start(host *actors.Host) {
	for p := range s.partitions {
		host.Start(p)
	}
}

func (s sole) Members() []member { return []member{s.self} }
