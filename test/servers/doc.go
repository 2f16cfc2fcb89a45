// Package servers starts real servers for tests (build tag real): Kafka from its Maven artifacts, Elasticsearch from its
// distribution. They are downloaded once into $TRACKMESH_TEST_CACHE (default: trackmesh in the user's cache directory),
// under a file lock, so that test binaries that run at the same time share one download.
//
// Every server runs on free loopback ports, in temporary directories, in a process group of its own; a test's clean-up
// ends what the test started, and nothing else. It refuses to guess: a server that is not up in time fails the test with
// the end of its log.
package servers
