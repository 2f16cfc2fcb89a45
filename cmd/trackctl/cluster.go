package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"
)

func (a *app) clusterCommand() *cobra.Command {
	cmd := group("cluster", "Members, partitions, lag")
	cmd.AddCommand(a.clusterStatus(), a.clusterWatch())
	return cmd
}

// clusterState is the answer of GET /api/v1/cluster.
type clusterState struct {
	Node    string `json:"node"`
	Version string `json:"version"`
	Log     string `json:"log"`
	Topic   string `json:"topic"`
	Members []struct {
		Name    string `json:"name"`
		Address string `json:"address"`
		State   string `json:"state"`
		Since   string `json:"since"`
	} `json:"members"`
	Partitions []struct {
		Partition int32  `json:"partition"`
		Owner     string `json:"owner"`
		Term      uint64 `json:"term"`
		State     string `json:"state"`
		Offset    int64  `json:"input_offset"`
		Lag       int64  `json:"lag"`
		Tracks    int64  `json:"tracks"`
		Clock     int64  `json:"event_clock_ms"`
		Error     string `json:"error"`
	} `json:"partitions"`
	Sinks []struct {
		Name  string `json:"name"`
		Lag   int64  `json:"lag"`
		State string `json:"state"`
		Error string `json:"error"`
	} `json:"sinks"`
	Moves []struct {
		Partition int32  `json:"partition"`
		From      string `json:"from"`
		To        string `json:"to"`
	} `json:"moves"`
	Fences struct {
		Count   int64 `json:"count"`
		Version int64 `json:"version"`
	} `json:"fences"`
	Tracks  int64            `json:"tracks"`
	Records map[string]int64 `json:"records"`
}

func (a *app) cluster(ctx context.Context) ([]byte, *clusterState, error) {
	return readCluster(ctx, a.client)
}

func (a *app) clusterStatus() *cobra.Command {
	return leaf("status", "Show the cluster's state", 0, func(cmd *cobra.Command, _ []string) error {
		raw, state, err := a.cluster(cmd.Context())
		if err != nil {
			return err
		}
		return a.show(answer{raw: raw, table: state.write})
	})
}

func (s *clusterState) write(w io.Writer) error {
	head := fields(
		"answered by", s.Node+" ("+s.Version+")", "log", s.Log+", topic "+s.Topic, "tracks", strconv.FormatInt(s.Tracks, 10),
		"fences", fmt.Sprintf("%d, version %d", s.Fences.Count, s.Fences.Version),
	)
	outcomes := make([]string, 0, len(s.Records))
	for name, n := range s.Records {
		outcomes = append(outcomes, name+" "+strconv.FormatInt(n, 10))
	}
	slices.Sort(outcomes)
	if len(outcomes) > 0 {
		head.add("records", list(outcomes))
	}
	runs := map[string]int{}
	for _, p := range s.Partitions {
		runs[p.Owner]++
	}
	members := newTable("member", "address", "state", "partitions", "since")
	for _, m := range s.Members {
		members.add(m.Name, m.Address, m.State, strconv.Itoa(runs[m.Name]), moment(m.Since))
	}
	partitions := newTable("partition", "owner", "term", "state", "offset", "lag", "tracks", "event clock", "error")
	for _, p := range s.Partitions {
		partitions.add(
			strconv.Itoa(int(p.Partition)), cmp.Or(p.Owner, "-"), strconv.FormatUint(p.Term, 10), p.State, strconv.FormatInt(p.Offset, 10),
			strconv.FormatInt(p.Lag, 10), strconv.FormatInt(p.Tracks, 10), clock(p.Clock), p.Error,
		)
	}
	sinks := newTable("sink", "state", "lag", "error")
	for _, k := range s.Sinks {
		sinks.add(k.Name, k.State, strconv.FormatInt(k.Lag, 10), k.Error)
	}
	moves := newTable("moving", "from", "to")
	for _, m := range s.Moves {
		moves.add(strconv.Itoa(int(m.Partition)), m.From, m.To)
	}
	errs := []error{head.write(w)}
	for _, t := range []*table{members, partitions, sinks, moves} {
		if len(t.rows) > 1 {
			_, err := io.WriteString(w, "\n")
			errs = append(errs, err, t.write(w))
		}
	}
	return errors.Join(errs...)
}

func clock(ms int64) string {
	if ms <= 0 {
		return "-"
	}
	return time.UnixMilli(ms).UTC().Format(time.RFC3339)
}
