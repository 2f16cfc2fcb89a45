// Package dev is a Kafka in memory (kfake) for trying a cluster of nodes on one machine, behind trackctl dev kafka.
//
// It is never given data that anyone cares about: everything is gone when the process ends, and its compaction drops
// committed records while a transaction is open. Whoever calls Start stops the Server.
package dev

import (
	"fmt"
	"net"
	"strconv"

	"github.com/twmb/franz-go/pkg/kfake"
)

// Server is a running Kafka in memory.
type Server struct{ cluster *kfake.Cluster }

// Start listens on addr (127.0.0.1:port; port 0 picks one) and makes the topics, each with its number of partitions. Nodes make the rest themselves.
func Start(addr string, topicPartitions map[string]int32) (*Server, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("listening on %q: %w", addr, err)
	}
	n, err := strconv.Atoi(port)
	if err != nil || n < 0 || n > 65535 {
		return nil, fmt.Errorf("listening on %q: the port is not a number from 0 to 65535", addr)
	}
	if host != "localhost" && host != "127.0.0.1" {
		return nil, fmt.Errorf("listening on %q: only on 127.0.0.1, for this Kafka has no security at all", addr)
	}
	opts := []kfake.Opt{kfake.NumBrokers(1), kfake.Ports(n)}
	for topic, partitions := range topicPartitions {
		opts = append(opts, kfake.SeedTopics(partitions, topic))
	}
	cluster, err := kfake.NewCluster(opts...)
	if err != nil {
		return nil, fmt.Errorf("listening on %q: %w", addr, err)
	}
	return &Server{cluster}, nil
}

// Brokers are the addresses for --kafka-brokers.
func (s *Server) Brokers() []string { return s.cluster.ListenAddrs() }

// Close ends it, and all it held is gone.
func (s *Server) Close() { s.cluster.Close() }
