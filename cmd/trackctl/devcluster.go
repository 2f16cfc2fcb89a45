package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/trackmesh/trackmesh/broker/kafka/dev"
	"github.com/trackmesh/trackmesh/client"
	"github.com/trackmesh/trackmesh/source"
	"github.com/trackmesh/trackmesh/source/fleet"
)

// devClusterFlags shape a cluster on one machine.
type devClusterFlags struct {
	binary, dir string
	nodes       int
	vehicles    int
	partitions  int32
	httpPort    int
	gossipPort  int
	kafkaAddr   string
}

func (a *app) devCluster() *cobra.Command {
	var f devClusterFlags
	cmd := leaf("cluster", "Run a Kafka in memory, nodes and a simulated fleet, until Ctrl-C", 0, nil)
	cmd.Long = "Run a Kafka in memory, several nodes as processes of their own, and one simulated fleet, all on this machine, until Ctrl-C.\n" +
		"A node that is killed stays away; start another with the command that is shown. Everything is gone at the end."
	fs := cmd.Flags()
	fs.StringVar(&f.binary, "binary", "./trackmesh", "the daemon")
	fs.StringVar(&f.dir, "dir", filepath.Join("data", "cluster"), "for the nodes' logs and stores; node-* in it are deleted first")
	fs.IntVar(&f.nodes, "nodes", 3, "how many")
	fs.IntVar(&f.vehicles, "vehicles", 2000, "of the simulated fleet, each reports every 2 s")
	fs.Int32Var(&f.partitions, "partitions", 8, "of the topic")
	fs.IntVar(&f.httpPort, "http-port", 8080, "of the first node; the others count on")
	fs.IntVar(&f.gossipPort, "gossip-port", 7946, "of the first node; questions between nodes one above, the others two higher each")
	fs.StringVar(&f.kafkaAddr, "kafka-addr", "127.0.0.1:9092", "where Kafka listens")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if f.nodes < 1 || f.vehicles < 1 || f.partitions < 1 {
			return badUsage(cmd, "--nodes, --vehicles and --partitions must be at least 1")
		}
		return a.runDevCluster(cmd.Context(), &f)
	}
	return cmd
}

// runDevCluster ends the nodes before Kafka: a node without it could not hand over.
func (a *app) runDevCluster(ctx context.Context, f *devClusterFlags) error {
	server, err := dev.Start(f.kafkaAddr, map[string]int32{"positions": f.partitions})
	if err != nil {
		return fmt.Errorf("starting Kafka at %s: %w", f.kafkaAddr, err)
	}
	defer server.Close()
	brokers := strings.Join(server.Brokers(), ",")
	nodes, err := a.startDevNodes(f, brokers)
	defer nodes.stop()
	if err != nil {
		return err
	}
	if err := a.devFences(ctx, f); err != nil {
		return err
	}
	a.sayDevCluster(f, nodes, brokers)
	return a.devFleet(ctx, f, server.Brokers())
}

// devNode is the command line of the node of a number, from 1 on.
func (f *devClusterFlags) devNode(i int, brokers string) []string {
	loopback := func(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
	gossip := f.gossipPort + 2*(i-1)
	return []string{
		f.binary, "--node-name", fmt.Sprintf("node-%d", i), "--kafka-brokers", brokers, "--join", loopback(f.gossipPort), "--join", loopback(f.gossipPort + 2),
		"--http-addr", loopback(f.httpPort + i - 1), "--gossip-addr", loopback(gossip), "--rpc-addr", loopback(gossip + 1),
		"--data-dir", filepath.Join(f.dir, fmt.Sprintf("node-%d", i)),
	}
}

// devNodes are processes. Each is waited for by a goroutine that ends with it.
type devNodes struct {
	running []*exec.Cmd
	ended   sync.WaitGroup
}

func (a *app) startDevNodes(f *devClusterFlags, brokers string) (*devNodes, error) {
	nodes := &devNodes{}
	if old, err := filepath.Glob(filepath.Join(f.dir, "node-*")); err == nil {
		for _, name := range old { // what an earlier Kafka held is gone, so what was made of it means nothing now
			if err := os.RemoveAll(name); err != nil {
				return nodes, err
			}
		}
	}
	if err := os.MkdirAll(f.dir, 0o755); err != nil {
		return nodes, err
	}
	for i := range f.nodes {
		args := f.devNode(i+1, brokers)
		log, err := os.Create(filepath.Join(f.dir, fmt.Sprintf("node-%d.log", i+1)))
		if err != nil {
			return nodes, err
		}
		cmd := exec.Command(args[0], args[1:]...) // not with the context: they end before Kafka does, see stop
		cmd.Stdout, cmd.Stderr = log, log
		err = cmd.Start()
		_ = log.Close() // the process has its own handle
		if err != nil {
			return nodes, fmt.Errorf("starting %s: build it with make build, or name it with --binary (%w)", f.binary, err)
		}
		nodes.running = append(nodes.running, cmd)
		nodes.ended.Go(func() { a.say("node-%d ended: %s\n", i+1, endOf(cmd.Wait())) })
	}
	return nodes, nil
}

func endOf(err error) string {
	if err == nil {
		return "cleanly"
	}
	return err.Error()
}

// stop ends what still runs as Marathon does, and waits: a node bounds its own end.
func (n *devNodes) stop() {
	for _, cmd := range n.running {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
	}
	n.ended.Wait()
}

// devFences waits until a node answers and gives it the demo's fences.
func (a *app) devFences(ctx context.Context, f *devClusterFlags) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	c, err := client.New(client.Options{Server: "http://127.0.0.1:" + strconv.Itoa(f.httpPort)})
	if err != nil {
		return err
	}
	defer c.CloseIdle()
	features := make([]json.RawMessage, 0)
	for _, fence := range fleet.DemoFences() {
		features = append(features, fence.Feature)
	}
	body, err := json.Marshal(map[string]any{"type": "FeatureCollection", "features": features})
	if err != nil {
		return err
	}
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		_, err := c.Do(ctx, client.Request{
			Method: http.MethodPost, Path: client.Path("fences", "import"), Body: strings.NewReader(string(body)),
			Header: http.Header{"Content-Type": {"application/geo+json"}},
		})
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("node-1 does not answer, see its log in %s: %w", f.dir, errors.Join(ctx.Err(), err))
		case <-ticker.C:
		}
	}
}

func (a *app) sayDevCluster(f *devClusterFlags, nodes *devNodes, brokers string) {
	t := newTable("node", "pid", "map", "log")
	for i, cmd := range nodes.running {
		t.add(fmt.Sprintf("node-%d", i+1), strconv.Itoa(cmd.Process.Pid), fmt.Sprintf("http://localhost:%d", f.httpPort+i), filepath.Join(f.dir, fmt.Sprintf("node-%d.log", i+1)))
	}
	_ = t.write(a.out)
	_, _ = fmt.Fprintf(a.out, "\nWatch it:        trackctl cluster watch --server http://127.0.0.1:%d,http://127.0.0.1:%d\n"+
		"Kill a node:     kill -9 PID\nStart the next:  %s\n\nKafka is in memory at %s. %d vehicles drive. Ctrl-C ends it all.\n",
		f.httpPort, f.httpPort+1, strings.Join(f.devNode(f.nodes+1, brokers), " "), brokers, f.vehicles)
}

// devFleet drives one fleet, whatever the nodes do, straight into Kafka.
func (a *app) devFleet(ctx context.Context, f *devClusterFlags, brokers []string) error {
	s := simulateFlags{vehicles: f.vehicles, seed: 1, prefix: "taxi-"}
	vehicles, err := s.fleet(a.now())
	if err != nil {
		return err
	}
	to := feedFlags{brokers: brokers, topic: "positions", partitioner: "murmur2", partitions: f.partitions}
	out, err := to.open(ctx, a, source.Options{Format: "json"})
	if err != nil {
		return err
	}
	defer out.close()
	return a.simulate(ctx, vehicles, 0, out)
}
