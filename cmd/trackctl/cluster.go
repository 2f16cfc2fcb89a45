package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/trackmesh/trackmesh/client"
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
	raw, err := a.client.Get(ctx, client.Path("cluster"), nil)
	if err != nil {
		return nil, nil, err
	}
	state := &clusterState{}
	if err := json.Unmarshal(raw, state); err != nil {
		return nil, nil, fmt.Errorf("reading the cluster's state: %w", err)
	}
	return raw, state, nil
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

func (a *app) clusterWatch() *cobra.Command {
	var every time.Duration
	var count int
	cmd := leaf("watch", "Show the cluster's state again and again", 0, nil)
	cmd.Flags().DurationVar(&every, "every", 2*time.Second, "how often")
	cmd.Flags().IntVar(&count, "count", 0, "end after so many; 0: go on until Ctrl-C")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if every < 100*time.Millisecond {
			return badUsage(cmd, "--every %s is below 100ms", every)
		}
		return a.watchCluster(cmd.Context(), every, count)
	}
	return cmd
}

// watchCluster goes on over failures once it has seen an answer: a node that restarts is what one watches for.
func (a *app) watchCluster(ctx context.Context, every time.Duration, count int) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for n := 1; ; n++ {
		raw, state, err := a.cluster(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && n == 1:
			return err
		case err != nil:
			a.say("%s %v\n", a.now().Format(time.TimeOnly), err)
		default:
			if err := a.showAgain(raw, state, n > 1); err != nil {
				return err
			}
		}
		if n == count {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// clearScreen moves to the top left corner and clears what is below.
const clearScreen = "\x1b[H\x1b[2J"

func (a *app) showAgain(raw []byte, state *clusterState, again bool) error {
	if a.output == "table" {
		before := ""
		switch {
		case a.outTerminal:
			before = clearScreen
		case again:
			before = "\n"
		}
		if _, err := io.WriteString(a.out, before); err != nil {
			return err
		}
	}
	return a.show(answer{raw: raw, table: state.write})
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
	members := newTable("member", "address", "state", "since")
	for _, m := range s.Members {
		members.add(m.Name, m.Address, m.State, moment(m.Since))
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
