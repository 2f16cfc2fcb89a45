// Package peers answers questions about the whole cluster: it finds out which node runs which partition, asks all of them at once,
// puts the answers together, and says which partitions are missing. It also answers what other nodes ask of this one.
//
// It owns the scatter and the gather, the routing by claim terms, the patience with partitions that move, and how questions and
// answers look between nodes. It refuses to carry them (cluster/remote does) and to know what a partition knows (package live, the
// actors). internal/node makes it and closes it. It fails by saying so in the coverage of an answer; a write of fences, which must
// not be repeated blindly, fails with api.ErrUnavailable.
package peers
