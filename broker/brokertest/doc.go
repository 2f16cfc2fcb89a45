// Package brokertest is the conformance suite of the broker contract: whatever passes Run can stand under trackmesh.
//
// It owns no log: the implementation's own test hands it an Opener, and each subtest gets a deployment of its own from it
// and closes what it opened. It waits for what must become true and fails when it has not after waitFor; what must not
// happen is shown by a record written afterwards, which must be the next one read. It prints the seed of its random tests;
// BROKERTEST_SEED repeats one.
package brokertest
