package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/trackmesh/trackmesh/client"
)

func (a *app) clusterWatch() *cobra.Command {
	var every time.Duration
	var count int
	cmd := leaf("watch", "Show members, partitions, owners, lag and moves, again and again", 0, nil)
	cmd.Long = "Show members, partitions, owners, terms, lag and moves, again and again. --server may be a list with commas; when the node that\n" +
		"answers dies, the others are asked, also those that are known from its answers."
	cmd.Flags().DurationVar(&every, "every", time.Second, "how often")
	cmd.Flags().IntVar(&count, "count", 0, "end after so many; 0: go on until Ctrl-C")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if every < 100*time.Millisecond {
			return badUsage(cmd, "--every %s is below 100ms", every)
		}
		w, err := a.newWatch(cmd.Flag("server").Value.String())
		if err != nil {
			return badUsage(cmd, "--server: %w", err)
		}
		return w.run(cmd.Context(), every, count)
	}
	return cmd
}

// patience is how long a node may take to answer a watch before the next one is asked.
const patience = 2 * time.Second

// recentMoves is how many changes of owner are shown.
const recentMoves = 8

// watch asks one node after the other; the one that answered last comes first.
type watch struct {
	app     *app
	given   []string // by --server: they are asked for ever
	known   []string // all that are asked, in order
	clients map[string]*client.Client
	owners  map[int32]string // as last seen
	moved   []string         // newest last
}

func (a *app) newWatch(servers string) (*watch, error) {
	w := &watch{app: a, clients: map[string]*client.Client{}, owners: map[int32]string{}}
	for s := range strings.SplitSeq(servers, ",") {
		w.given = append(w.given, strings.TrimSpace(s))
	}
	w.known = slices.Clone(w.given)
	for _, s := range w.known {
		if _, err := w.client(s); err != nil {
			return nil, err
		}
	}
	return w, nil
}

func (w *watch) client(server string) (*client.Client, error) {
	if c, ok := w.clients[server]; ok {
		return c, nil
	}
	token, err := readToken(w.app.tokenFile)
	if err != nil {
		return nil, err
	}
	c, err := client.New(client.Options{Server: server, Token: token, Timeout: min(patience, w.app.timeout)})
	if err != nil {
		return nil, err
	}
	w.clients[server] = c
	return c, nil
}

// run goes on over failures once it has seen an answer: a node that dies is what one watches for.
func (w *watch) run(ctx context.Context, every time.Duration, count int) error {
	defer func() {
		for _, c := range w.clients {
			c.CloseIdle()
		}
	}()
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for n := 1; ; n++ {
		raw, state, err := w.ask(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && n == 1:
			return err
		case err != nil:
			w.app.say("%s %v\n", w.app.now().Format(time.TimeOnly), err)
		default:
			w.notice(state)
			if err := w.show(raw, state, n > 1); err != nil {
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

// ask takes the first answer, and learns from it whom else to ask.
func (w *watch) ask(ctx context.Context) ([]byte, *clusterState, error) {
	var errs []error
	for i, server := range w.known {
		raw, state, err := w.askOne(ctx, server)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		w.learn(i, state)
		return raw, state, nil
	}
	return nil, nil, errors.Join(errs...)
}

func (w *watch) askOne(ctx context.Context, server string) ([]byte, *clusterState, error) {
	c, err := w.client(server)
	if err != nil {
		return nil, nil, err
	}
	return readCluster(ctx, c)
}

// learn puts who answered first, then those given, then the members that it named.
func (w *watch) learn(answered int, state *clusterState) {
	first := w.known[answered]
	scheme, _, ok := strings.Cut(first, "://")
	if !ok {
		scheme = "http"
	}
	order := append([]string{first}, w.given...)
	for _, m := range state.Members {
		if m.Address != "" {
			order = append(order, scheme+"://"+m.Address)
		}
	}
	w.known = w.known[:0:0]
	for _, s := range order {
		if !slices.Contains(w.known, s) {
			w.known = append(w.known, s)
		}
	}
}

// notice remembers which partitions have another owner than before.
func (w *watch) notice(state *clusterState) {
	for _, p := range state.Partitions {
		before, seen := w.owners[p.Partition]
		w.owners[p.Partition] = p.Owner
		if !seen || before == p.Owner {
			continue
		}
		w.moved = append(w.moved, fmt.Sprintf("%s  partition %d: %s to %s, term %d",
			w.app.now().Format(time.TimeOnly), p.Partition, cmp.Or(before, "nobody"), cmp.Or(p.Owner, "nobody"), p.Term))
	}
	w.moved = w.moved[max(0, len(w.moved)-recentMoves):]
}

func (w *watch) show(raw []byte, state *clusterState, again bool) error {
	if w.app.output != "table" {
		return w.app.show(answer{raw: raw})
	}
	var buf bytes.Buffer
	if err := state.write(&buf); err != nil {
		return err
	}
	if len(w.moved) > 0 {
		buf.WriteString("\nMOVED\n")
		for _, line := range slices.Backward(w.moved) {
			buf.WriteString(plain(line) + "\n")
		}
	}
	text := buf.String()
	switch {
	case w.app.outTerminal:
		text = inPlace(text)
	case again:
		text = "\n" + text
	}
	_, err := io.WriteString(w.app.out, text)
	return err
}

// inPlace writes from the top left corner and clears what an earlier, longer text left behind: without a flicker.
func inPlace(text string) string {
	return "\x1b[H" + strings.ReplaceAll(text, "\n", "\x1b[K\n") + "\x1b[J"
}

func readCluster(ctx context.Context, c *client.Client) ([]byte, *clusterState, error) {
	raw, err := c.Get(ctx, client.Path("cluster"), nil)
	if err != nil {
		return nil, nil, err
	}
	state := &clusterState{}
	if err := json.Unmarshal(raw, state); err != nil {
		return nil, nil, fmt.Errorf("reading the cluster's state: %w", err)
	}
	return raw, state, nil
}
