// Package cluster runs real nodes beside a real Kafka and a real Elasticsearch, each node in a network of its own, disturbs them by a
// seeded schedule of faults under a recorded load, and compares everything that came out with an undisturbed run.
//
// Schedules and how one that fails is shrunk are plain code with tests of their own. What needs processes has the build tag
// real, and networks need root on Linux: a node's network is a namespace with one cable to the others (cut: gossip and
// questions between nodes stop) and doors to Kafka and Elasticsearch that the test opens in it (shut: the node is cut off
// from them). It starts and ends only its own processes, and removes the namespaces that it made.
package cluster
