// Package actors is the mailbox glue around the pure packages: partition actors that read, track actors that hold one
// vehicle each, and sink actors that write, on protoactor.
//
// A partition and its tracks share one lane: a goroutine that runs their mailboxes in turn, so that a partition is
// single-threaded and needs no lock. A Host runs the partitions that this node owns; whoever decides ownership calls
// Start and Stop. Nothing that a partition makes is visible before its commit; any error stops the partition, which
// then loads its state from the log again.
//
// It refuses to decide ownership, to know which broker runs, and to compute anything about tracks or fences.
package actors
