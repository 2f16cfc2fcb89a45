// Package cluster is what nodes know of each other: who is a member, which partitions run where, and where each should run.
//
// The package itself is pure (types, placement, routing, the rule that says who is removed): no clock, no network. Its
// children do the work and import nothing of each other: gossip (memberlist), discovery (where to find the first members),
// ownership (what the group says becomes partitions that start and stop), remote (questions between nodes over protoactor's
// remote). internal/node wires them.
package cluster
