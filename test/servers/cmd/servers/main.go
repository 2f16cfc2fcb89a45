//go:build real

// Command servers starts the real servers that tests use, prints how to point a node at them, and ends them on Ctrl-C:
//
//	go run -tags real ./test/servers/cmd/servers
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/trackmesh/trackmesh/test/servers"
)

// start starts one kind of server and returns the flag of the node that points at it.
type start func(ctx context.Context, dir string) (flag string, stop func(), err error)

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if err := run(ctx, os.Stdout, kafka, elasticsearch); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, starts ...start) (err error) {
	dir, err := os.MkdirTemp("", "trackmesh-servers")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	flags := make([]string, 0, len(starts))
	for _, start := range starts {
		flag, stop, err := start(ctx, dir)
		if err != nil {
			return err
		}
		defer stop()
		flags = append(flags, flag)
	}
	if _, err := fmt.Fprintf(out, "go run ./cmd/node --demo=off %s\n", strings.Join(flags, " ")); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

func kafka(ctx context.Context, dir string) (string, func(), error) {
	k, err := servers.StartKafka(ctx, dir, servers.KafkaOptions{})
	if err != nil {
		return "", nil, err
	}
	return "--kafka-brokers " + strings.Join(k.Brokers, ","), k.Stop, nil
}
