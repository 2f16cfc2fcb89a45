package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"regexp"
	"syscall"
	"time"
	_ "time/tzdata" // the taxi layout needs New York's zone on machines without any
)

// version is set by the linker for releases.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	a := &app{in: os.Stdin, out: os.Stdout, err: os.Stderr, now: time.Now, terminal: isTerminal(os.Stderr), outTerminal: isTerminal(os.Stdout)}
	code := run(ctx, a, os.Args[1:])
	stop()
	os.Exit(code)
}

// run returns the exit code.
func run(ctx context.Context, a *app, args []string) int {
	root := newRoot(a) //nolint:contextcheck // commands have the context that they are run with
	root.SetArgs(shieldCoordinates(args))
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	usage, bad := errors.AsType[*usageError](err)
	switch {
	case bad:
		a.say("trackctl: %v\nRun '%s --help' for its usage.\n", usage, usage.command)
		return 2
	case errors.Is(err, syscall.EPIPE): // the reader has seen enough: trackctl … | head
		return 0
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		a.say("trackctl: interrupted\n")
	default:
		a.say("trackctl: %v\n", err)
	}
	return 1
}

// coordinates look like -73.98,40.75, which pflag would take for flags.
var coordinates = regexp.MustCompile(`^-[0-9.][0-9.eE+-]*,`)

// shieldCoordinates puts a blank before each argument that is a list of numbers and begins with a minus. Whoever reads
// coordinates takes it away.
func shieldCoordinates(args []string) []string {
	out := make([]string, len(args))
	for i, arg := range args {
		if coordinates.MatchString(arg) {
			arg = " " + arg
		}
		out[i] = arg
	}
	return out
}

// isTerminal reports whether a progress bar has somebody who looks at it.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb" && f.Name() != os.DevNull && !isNull(info)
}

// isNull tells /dev/null, which is a character device too.
func isNull(info os.FileInfo) bool {
	null, err := os.Stat(os.DevNull)
	return err == nil && os.SameFile(info, null)
}

// usageError is a mistake in how the tool was called.
type usageError struct {
	command string
	err     error
}

func (e *usageError) Error() string { return e.err.Error() }

func (e *usageError) Unwrap() error { return e.err }
