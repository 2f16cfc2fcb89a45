// Package real runs a whole node in this process against a real Kafka and a real Elasticsearch (build tag real; make real): what
// a user's own tools see, faults of the servers, and real data where the team's shared folder is there.
package real
