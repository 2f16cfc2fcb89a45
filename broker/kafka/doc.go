// Package kafka is the log on a Kafka cluster (broker.Log on franz-go), for every deployment with more than one node and
// for one node beside an existing Kafka.
//
// It owns the topics that it made, one transactional client per claimed partition, one consuming client per Reader and
// one client for everything else. It refuses to open when a topic's shape does not fit (it never repairs what it did not
// make), when no broker answers, and when the topic was deleted and made again under a running process. It never moves
// an offset by itself: what is not in the log is a *broker.OffsetError.
//
// internal/node opens a Log, closes its claims and readers, then the Log. How it fails: a broker that cannot be reached
// is waited for (readers for ever, Claim and Produce until their context ends, Commit for commitTimeout); anything else
// that goes wrong in a claim ends it, and the partition claims again. After any error a transactional client is closed
// and never used again, because franz-go's EndTransaction commits what succeeded.
package kafka
