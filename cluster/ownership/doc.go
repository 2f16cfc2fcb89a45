// Package ownership makes what the log's consumer group says into partitions that start and stop on this node.
//
// The group is the witness: who owns a partition is what it says. Gossip is the driver: when a member is dead to it the
// Keeper makes everybody join anew, and whoever then blocks the join and is dead to the Keeper's own pings too is removed
// from the group (cluster.Kick decides, the Keeper acts). The claim of a partition's log is what keeps this safe: a Keeper
// that is wrong costs time, never data.
//
// It refuses to place partitions (cluster.Place does), to run them (the Host does), and to remove anybody on gossip alone.
// internal/node makes a Keeper, starts it when everything below it runs and gossip is joined, and stops it first. How it
// fails: while the group cannot be reached it keeps what it has and says that it is sick; while gossip cannot be reached the
// group's session (12 s) finds the dead.
package ownership
