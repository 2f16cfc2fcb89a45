package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/trackmesh/trackmesh/broker/kafka/dev"
)

func (a *app) devCommand() *cobra.Command {
	cmd := group("dev", "For trials on one machine")
	cmd.AddCommand(a.devKafka(), a.devCluster())
	return cmd
}

func (a *app) devKafka() *cobra.Command {
	var addr, topic string
	var partitions int32
	cmd := leaf("kafka", "Run a Kafka in memory; everything is gone when it ends", 0, nil)
	cmd.Flags().StringVar(&addr, "addr", "127.0.0.1:9092", "where it listens; port 0 picks one")
	cmd.Flags().StringVar(&topic, "topic", "positions", "the topic that it has from the start")
	cmd.Flags().Int32Var(&partitions, "partitions", 8, "partitions of the topic")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if partitions < 1 || topic == "" {
			return badUsage(cmd, "--partitions must be at least 1 and --topic not empty")
		}
		server, err := dev.Start(addr, map[string]int32{topic: partitions})
		if err != nil {
			return fmt.Errorf("starting Kafka at %s: %w", addr, err)
		}
		defer server.Close()
		_, err = fmt.Fprintf(a.out, "Kafka in memory, for trials: --kafka-brokers %s\nTopic %s has %d partitions. Ctrl-C ends it, and all it held is gone.\n",
			strings.Join(server.Brokers(), ","), topic, partitions)
		if err != nil {
			return err
		}
		<-cmd.Context().Done()
		return nil
	}
	return cmd
}
