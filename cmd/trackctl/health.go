package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/trackmesh/trackmesh/client"
)

// healthCommand is for health checks in containers, which have neither a shell nor curl.
func (a *app) healthCommand() *cobra.Command {
	var ready bool
	cmd := leaf("health", "Exit with 0 when the node answers, else with 1", 0, nil)
	cmd.Flags().BoolVar(&ready, "ready", false, "only when it is ready too: it has its partitions, the log and the stores answer")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		path, word := "/healthz", "alive"
		if ready {
			path, word = "/readyz", "ready"
		}
		if _, err := a.client.Do(cmd.Context(), client.Request{Path: path}); err != nil {
			return fmt.Errorf("not %s: %w", word, err)
		}
		_, err := fmt.Fprintln(a.out, word)
		return err
	}
	return cmd
}
