// Package live answers what is known of the fleet now: the newest view of every track on this node, indexed by place.
//
// Each partition publishes its changes once per batch; queries take an O(1) copy of the index and read it unlocked.
// The node that owns a partition is the only writer of its part. It starts nothing and cannot fail.
package live
