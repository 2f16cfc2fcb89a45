// Package checker says whether nothing was lost, doubled or changed: it has seeded loads of records, reads everything that a
// run made of one, and compares it with an undisturbed run.
//
// It is plain code with tests of its own, so that a checker which finds nothing is known to look. The tests that kill,
// pause and cut real processes (test/crash, test/cluster) share it.
package checker
