package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/trackmesh/trackmesh/client"
)

// app is what all commands share.
type app struct {
	in          io.Reader
	out, err    io.Writer
	now         func() time.Time
	terminal    bool // somebody looks at err: progress bars make sense
	outTerminal bool // somebody looks at out

	server    string
	tokenFile string
	output    string
	timeout   time.Duration
	client    *client.Client
}

// outputs are the values of --output.
var outputs = []string{"table", "json", "geojson"}

func newRoot(a *app) *cobra.Command {
	root := group("trackctl", "Ask and feed a trackmesh node")
	root.Version = version
	root.SilenceErrors, root.SilenceUsage = true, true
	root.Long = "trackctl asks a trackmesh node about tracks, fences, events and the cluster, plays positions in, and measures.\n\n" +
		"Times are RFC 3339, epoch milliseconds, or an age such as 90m. Coordinates are longitude,latitude in degrees."
	flags := root.PersistentFlags()
	flags.StringVar(&a.server, "server", "http://127.0.0.1:8080", "address of a node (cluster watch: of several, with commas)")
	flags.StringVar(&a.tokenFile, "token-file", "", "file with the token to show the node")
	flags.StringVarP(&a.output, "output", "o", "table", "table for people; json or geojson for programs")
	flags.DurationVar(&a.timeout, "timeout", 30*time.Second, "how long an answer may take")
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return a.prepare(cmd) }
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return &usageError{cmd.CommandPath(), err} })
	must(root.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(outputs, cobra.ShellCompDirectiveNoFileComp)))
	root.AddCommand(
		a.tracksCommand(), a.fencesCommand(), a.cellsCommand(), a.eventsCommand(), a.webhooksCommand(), a.clusterCommand(), a.healthCommand(), a.deadCommand(),
		a.logCommand(), a.sourceCommand(), a.benchCommand(), a.devCommand(),
	)
	return root
}

// prepare checks the global flags and makes the client.
func (a *app) prepare(cmd *cobra.Command) error {
	var bad []error
	if !slices.Contains(outputs, a.output) {
		bad = append(bad, fmt.Errorf("--output %q is not known: use %s", a.output, strings.Join(outputs, ", ")))
	}
	if a.timeout <= 0 {
		bad = append(bad, fmt.Errorf("--timeout %s is not above zero", a.timeout))
	}
	token, err := readToken(a.tokenFile)
	if err != nil {
		bad = append(bad, fmt.Errorf("--token-file: %w", err))
	}
	first, _, _ := strings.Cut(a.server, ",") // cluster watch asks the others too
	c, err := client.New(client.Options{Server: first, Token: token, Timeout: a.timeout})
	if err != nil {
		bad = append(bad, fmt.Errorf("--server: %w", err))
	}
	a.client = c
	if len(bad) > 0 {
		return &usageError{cmd.CommandPath(), errors.Join(bad...)}
	}
	return nil
}

func readToken(name string) (string, error) {
	if name == "" {
		return "", nil
	}
	raw, err := os.ReadFile(name)
	if err != nil {
		return "", err
	}
	token := strings.TrimSpace(string(raw))
	if token == "" || strings.ContainsAny(token, " \t\r\n") {
		return "", fmt.Errorf("%s must hold one token", name)
	}
	return token, nil
}

// group is a command that only has others. A word that is none of them is bad usage.
func group(use, short string) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			hint := ""
			if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
				hint = ": did you mean " + strings.Join(near, " or ") + "?"
			}
			return badUsage(cmd, "there is no command %q%s", args[0], hint)
		},
	}
}

// leaf is a command that does something with exactly so many arguments.
func leaf(use, short string, args int, fn func(cmd *cobra.Command, args []string) error) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, RunE: fn, Args: usage(cobra.ExactArgs(args)), DisableFlagsInUseLine: true}
}

// usage makes what a check of arguments says bad usage.
func usage(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return &usageError{cmd.CommandPath(), fmt.Errorf("%w; usage: %s", err, cmd.UseLine())}
		}
		return nil
	}
}

func badUsage(cmd *cobra.Command, format string, args ...any) error {
	return &usageError{cmd.CommandPath(), fmt.Errorf(format, args...)}
}

// must is for mistakes of ours while commands are put together.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
