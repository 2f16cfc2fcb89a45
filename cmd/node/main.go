// Command node is the trackmesh daemon (binary name: trackmesh). Without arguments it is a whole system: an embedded log
// and store under data/, a simulated fleet over New York, and the map on http://localhost:8080.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // schedules and the taxi layout need zones on machines without any

	"github.com/trackmesh/trackmesh/internal/node"
)

// version is set by the linker for releases.
var version = "dev"

func main() {
	os.Exit(run(os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}

// run returns the exit code: 0 after a clean stop, 2 for bad usage, 1 for everything else.
func run(args, environ []string, stdout, stderr io.Writer) int {
	options, groups, err := parse(args, environ)
	switch {
	case errors.Is(err, errHelp):
		printHelp(stdout, groups)
		return 0
	case errors.Is(err, errVersion):
		fmt.Fprintln(stdout, "trackmesh", version)
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "trackmesh: %v\nRun with --help to see all flags.\n", err)
		return 2
	}
	options.Version = version
	if options.NodeName == "" {
		options.NodeName = defaultNodeName()
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := node.Run(ctx, options, stderr); err != nil {
		fmt.Fprintf(stderr, "trackmesh: %v\n", err)
		return 1
	}
	return 0
}

func printHelp(w io.Writer, groups []group) {
	fmt.Fprint(w, "trackmesh turns vehicle positions into live tracks, events, a searchable history and a live map.\n\n"+
		"Usage: trackmesh [flags]\n\nEvery flag --like-this is also the environment variable TRACKMESH_LIKE_THIS.\n")
	for _, g := range groups {
		fmt.Fprintf(w, "\n%s:\n%s", g.title, g.flags.FlagUsages())
	}
	fmt.Fprint(w, "\n      --help      show this help\n      --version   show the version\n")
}
