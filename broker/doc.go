// Package broker is the contract between trackmesh and its log: topics of ordered, durable partitions, one atomic
// commit per partition, exclusive claims, readers of committed records, and named cursors.
//
// It owns types and interfaces only and imports nothing of the project, so that every package may use it.
// broker/kafka and broker/embedded implement it and broker/brokertest is the conformance suite that both pass;
// nothing above knows which of the two runs. internal/node opens a Log and closes it.
package broker
