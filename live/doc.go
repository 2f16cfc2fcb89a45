// Package live answers what is known of the fleet now: the newest view of every track on this node, indexed by place.
//
// Each partition publishes its changes once per batch; queries take an O(1) copy of the index and read it unlocked.
// The node that owns a partition is the only writer of its part. It starts nothing and cannot fail.
//
// The index by place is loose: a vehicle stands in the tree with a rectangle somewhat larger than its place, and is moved in
// it only when it leaves that rectangle. Queries look at the rectangles first, then at the newest views themselves. So most
// updates are one atomic store, and a query sees each vehicle at most once, as it is at that moment.
package live
