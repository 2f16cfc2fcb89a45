package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/trackmesh/trackmesh/client"
)

func (a *app) logCommand() *cobra.Command {
	cmd := group("log", "Read the log")
	cmd.AddCommand(a.logDump())
	return cmd
}

// dumpPage is how many records one answer may have.
const dumpPage = 10_000

func (a *app) logDump() *cobra.Command {
	var partition int32
	var from int64
	cmd := leaf("dump TOPIC", "Write a topic's committed records, one a line", 1, nil)
	cmd.Long = "Write a topic's committed records as lines of JSON, partition after partition, up to the end that each had when it was begun."
	cmd.Flags().Int32Var(&partition, "partition", -1, "only this one")
	cmd.Flags().Int64Var(&from, "from", -1, "begin at this offset; default: the earliest")
	cmd.Example = "  trackctl log dump positions.events > events.ndjson"
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		topic := args[0]
		partitions := []int32{partition}
		if partition < 0 {
			var err error
			if partitions, err = a.partitionsOf(cmd.Context(), topic); err != nil {
				return err
			}
		}
		if from >= 0 && len(partitions) > 1 {
			return badUsage(cmd, "--from goes with --partition: offsets count within a partition")
		}
		bar := a.countBar(topic, -1)
		var err error
		for _, p := range partitions {
			q := client.LogQuery{Topic: topic, Partition: p, From: from, Limit: dumpPage}
			err = a.client.WalkLog(cmd.Context(), q, func(line []byte) error {
				bar.add(1)
				_, err := a.out.Write(append(line, '\n'))
				return err
			})
			if err != nil {
				err = fmt.Errorf("partition %d: %w", p, err)
				break
			}
		}
		bar.done(err == nil)
		return err
	}
	return cmd
}

// partitionsOf asks how many partitions a topic has.
func (a *app) partitionsOf(ctx context.Context, topic string) ([]int32, error) {
	_, state, err := a.cluster(ctx)
	if err != nil {
		return nil, err
	}
	n := client.LogPartitions(topic, len(state.Partitions))
	partitions := make([]int32, n)
	for i := range partitions {
		partitions[i] = int32(i) //nolint:gosec // a count of partitions
	}
	return partitions, nil
}

// bounds asks for a partition's earliest offset and the one after its last record.
func (a *app) bounds(ctx context.Context, topic string, partition int32) (earliest, end int64, err error) {
	first := int64(-1)
	told, err := a.client.Log(ctx, client.LogQuery{Topic: topic, Partition: partition, From: -1, Limit: 1}, func(line []byte) error {
		rec, err := readRecord(line)
		if err == nil {
			first = rec.Offset
		}
		return err
	})
	if err != nil {
		return 0, 0, err
	}
	if first < 0 {
		first = told.Next
	}
	return first, told.End, nil
}

// isGone reports whether an offset has left the log.
func isGone(err error) bool {
	problem, ok := errors.AsType[*client.Problem](err)
	return ok && problem.Earliest != nil
}
