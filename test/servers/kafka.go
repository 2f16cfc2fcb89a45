//go:build real

package servers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	kafkaClusterID = "dHJhY2ttZXNoLXRlc3RzMA" // 16 bytes, base64
	kafkaUpWithin  = 90 * time.Second
	kafkaGrace     = 20 * time.Second
)

// KafkaOptions shape a Kafka; the zero value is one broker that makes no topic by itself.
type KafkaOptions struct {
	Nodes  int               // brokers; 0: 1
	Config map[string]string // further lines of server.properties
	Heap   string            // -Xmx; empty: 384m
}

// KafkaServer is a running Kafka of one or more brokers, each of which is a controller too.
type KafkaServer struct {
	Brokers []string // host:port of each broker, also of one that is down
	Nodes   []*KafkaNode
}

// KafkaNode is one broker. Its address and its data outlive its process.
type KafkaNode struct {
	process
	Addr string
	dir  string
	java []string
}

// Kafka starts a Kafka that ends with the test.
func Kafka(tb testing.TB, opts KafkaOptions) *KafkaServer {
	tb.Helper()
	k, err := StartKafka(tb.Context(), tb.TempDir(), opts)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(k.Kill) // nobody needs its data, and a clean stop takes seconds
	return k
}

// StartKafka starts a Kafka under dir; whoever calls it ends it with Stop or Kill.
func StartKafka(ctx context.Context, dir string, opts KafkaOptions) (*KafkaServer, error) {
	jars, err := kafkaJars(ctx)
	if err != nil {
		return nil, err
	}
	n := max(opts.Nodes, 1)
	ports, err := freePorts(2 * n)
	if err != nil {
		return nil, err
	}
	voters := make([]string, n)
	for i := range n {
		voters[i] = fmt.Sprintf("%d@127.0.0.1:%d", i+1, ports[n+i])
	}
	k := &KafkaServer{}
	for i := range n {
		node := &KafkaNode{Addr: fmt.Sprintf("127.0.0.1:%d", ports[i]), dir: filepath.Join(dir, fmt.Sprintf("broker-%d", i+1))}
		node.logFile = filepath.Join(node.dir, "server.log")
		heap := opts.Heap
		if heap == "" {
			heap = "384m"
		}
		node.java = []string{"-Xmx" + heap, "-Xms64m", "-XX:+UseSerialGC", "-Dlog4j2.level=WARN", "-cp", filepath.Join(jars, "*")}
		if err := node.format(i+1, n, ports[n+i], voters, opts.Config); err != nil {
			return nil, err
		}
		k.Nodes, k.Brokers = append(k.Nodes, node), append(k.Brokers, node.Addr)
	}
	if err := k.Start(ctx); err != nil {
		k.Kill()
		return nil, err
	}
	return k, nil
}

func (n *KafkaNode) format(id, nodes, controllerPort int, voters []string, extra map[string]string) error {
	if err := os.MkdirAll(n.dir, 0o755); err != nil {
		return err
	}
	copies := strconv.Itoa(min(nodes, 3))
	isr := strconv.Itoa(min(nodes, 2))
	lines := []string{
		"process.roles=broker,controller",
		fmt.Sprintf("node.id=%d", id),
		"controller.quorum.voters=" + strings.Join(voters, ","),
		"controller.listener.names=CONTROLLER",
		fmt.Sprintf("listeners=PLAINTEXT://%s,CONTROLLER://127.0.0.1:%d", n.Addr, controllerPort),
		"advertised.listeners=PLAINTEXT://" + n.Addr,
		"listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
		"log.dirs=" + filepath.Join(n.dir, "data"),
		"auto.create.topics.enable=false",
		"offsets.topic.num.partitions=4", "transaction.state.log.num.partitions=4",
		"offsets.topic.replication.factor=" + copies, "transaction.state.log.replication.factor=" + copies,
		"transaction.state.log.min.isr=" + isr,
		"share.coordinator.state.topic.replication.factor=" + copies, "share.coordinator.state.topic.min.isr=" + isr,
		"group.initial.rebalance.delay.ms=0",
		"num.network.threads=2", "num.io.threads=4", "log.cleaner.dedupe.buffer.size=16777216",
		"controlled.shutdown.enable=true", "broker.session.timeout.ms=3000",
	}
	for key, value := range extra {
		lines = append(lines, key+"="+value)
	}
	if err := os.WriteFile(n.properties(), []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		return err
	}
	args := append(slices.Clone(n.java), "kafka.tools.StorageTool", "format", "-t", kafkaClusterID, "-c", n.properties())
	if out, err := exec.Command("java", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("formatting Kafka's storage: %w\n%s", err, out)
	}
	return nil
}

func (n *KafkaNode) properties() string { return filepath.Join(n.dir, "server.properties") }

// Start starts the process; KafkaServer.Ready says when it answers.
func (n *KafkaNode) Start() error {
	return n.start(exec.Command("java", append(slices.Clone(n.java), "kafka.Kafka", n.properties())...))
}

// Stop ends the broker as an administrator would.
func (n *KafkaNode) Stop() { n.end(syscall.SIGTERM, kafkaGrace) }

// Kill ends the broker as a power cut would (its files are the kernel's, so they survive).
func (n *KafkaNode) Kill() { n.end(syscall.SIGKILL, kafkaGrace) }

// Pause hangs the broker: connections stay and nothing answers.
func (n *KafkaNode) Pause() error { return n.signal(syscall.SIGSTOP) }

// Continue ends a Pause.
func (n *KafkaNode) Continue() error { return n.signal(syscall.SIGCONT) }

// Start starts every broker and waits until they answer.
func (k *KafkaServer) Start(ctx context.Context) error {
	for _, n := range k.Nodes {
		if err := n.Start(); err != nil {
			return err
		}
	}
	return k.Ready(ctx)
}

// Restart stops every broker cleanly and starts it again.
func (k *KafkaServer) Restart(ctx context.Context) error {
	k.Stop()
	return k.Start(ctx)
}

// Stop ends every broker cleanly.
func (k *KafkaServer) Stop() {
	for _, n := range k.Nodes {
		n.Stop()
	}
}

// Kill ends every broker at once.
func (k *KafkaServer) Kill() {
	for _, n := range k.Nodes {
		n.Kill()
	}
}

// Pause hangs every broker.
func (k *KafkaServer) Pause() error {
	var errs []error
	for _, n := range k.Nodes {
		errs = append(errs, n.Pause())
	}
	return errors.Join(errs...)
}

// Continue ends a Pause.
func (k *KafkaServer) Continue() error {
	var errs []error
	for _, n := range k.Nodes {
		errs = append(errs, n.Continue())
	}
	return errors.Join(errs...)
}

// Ready waits until the metadata names every broker: the port alone is open before the broker serves.
func (k *KafkaServer) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, kafkaUpWithin)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(k.Brokers...), kgo.DisableClientMetrics(), kgo.RequestRetries(0))
	if err != nil {
		return err
	}
	defer client.Close()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		m, err := kadm.NewClient(client).BrokerMetadata(ctx)
		if err == nil && len(m.Brokers) == len(k.Nodes) && m.Controller >= 0 {
			return nil
		}
		for _, n := range k.Nodes {
			if n.cmd == nil {
				return errors.New("a broker is not started")
			}
			select {
			case <-n.exited:
				return fmt.Errorf("kafka ended while starting:\n%s", n.logTail())
			default:
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("kafka is not up after %s: %d of %d brokers, %w:\n%s",
				kafkaUpWithin, len(m.Brokers), len(k.Nodes), errors.Join(err, ctx.Err()), k.Nodes[0].logTail())
		case <-tick.C:
		}
	}
}

// freePorts are free now; that they still are when the server binds them is likely, not certain.
func freePorts(n int) ([]int, error) {
	ports := make([]int, n)
	for i := range ports {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer func() { _ = l.Close() }() // after all are picked, so that none comes twice
		ports[i] = l.Addr().(*net.TCPAddr).Port
	}
	return ports, nil
}
