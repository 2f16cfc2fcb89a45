// Package gossip is cluster.Membership over memberlist: who is there, what each says of itself (addresses, start, status, the
// partitions that it runs under claims of which terms), and within about one and a half seconds who is not there any more.
//
// A node's metadata is at most 512 bytes and travels with every message about it. Partitions with their terms take about two
// bytes each there, so some 200 fit. A longer list goes out in parts by broadcast, and whole with every exchange of state (on
// joining, and every 5 s with somebody, less often from 33 nodes on); the metadata then says which version of the list is current. Until that comes, the
// version before counts: a question that reaches a wrong owner is told so.
//
// It refuses to decide anything: package cluster does. A wrong view costs time, never data. It refuses nodes with other keys or of
// another cluster, and says so in the log, with what to do.
//
// internal/node makes a Gossip, starts it before the log's group is joined, joins by discovery, and on a clean stop calls Leave
// after the partitions have gone. Three goroutines belong to it, besides memberlist's own: one acts on what memberlist tells, one
// calls the watchers, one looks for members that were lost; Stop ends all. Nobody being reachable is no failure: it is alone, and goes on.
package gossip
