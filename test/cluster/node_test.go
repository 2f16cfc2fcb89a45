//go:build real && linux

package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/trackmesh/trackmesh/api"
)

const (
	httpAddr   = "127.0.0.1:8080" // within the namespace
	gossipPort = "7946"
	rpcPort    = "7947"
	// killGrace is what Marathon's app definition gives.
	killGrace = 30 * time.Second
)

// node is a process in a namespace. Its address, its doors and its log file outlive the process.
type node struct {
	name   string
	space  *namespace
	binary string
	args   []string
	log    string
	kafka  []*door
	stores []*door
	client *http.Client

	mu     sync.Mutex
	cmd    *exec.Cmd
	exited chan struct{}
	wanted bool // to run: as Marathon would, it is started again when it ends by itself
}

func newNode(i int, space *namespace, binary, dir string) *node {
	n := &node{name: fmt.Sprintf("node-%d", i), space: space, binary: binary, log: filepath.Join(dir, fmt.Sprintf("node-%d.log", i))}
	n.client = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return space.dial(ctx, httpAddr) },
	}}
	return n
}

// running reports whether there is a process, hung or not.
func (n *node) running() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.alive()
}

// alive is called with the lock.
func (n *node) alive() bool {
	if n.cmd == nil {
		return false
	}
	select {
	case <-n.exited:
		return false
	default:
		return true
	}
}

// start does nothing when it runs.
func (n *node) start() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.alive() {
		return nil
	}
	log, err := os.OpenFile(n.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close() // the process has its own handle
	fmt.Fprintf(log, "--- started at %s\n", time.Now().Format(time.StampMilli))
	cmd := exec.Command("ip", append([]string{"netns", "exec", n.space.name, n.binary}, n.args...)...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return err
	}
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait() // it is killed, most of the time
		close(exited)
	}()
	n.cmd, n.exited, n.wanted = cmd, exited, true
	go n.supervise(exited)
	return nil
}

// supervise starts the node again when it ended though nobody wanted it to.
func (n *node) supervise(exited chan struct{}) {
	<-exited
	<-time.After(500 * time.Millisecond)
	n.mu.Lock()
	again := n.wanted && n.exited == exited
	n.mu.Unlock()
	if again {
		_ = n.start() // what is wrong is seen by who waits for the node
	}
}

func (n *node) want(running bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.wanted = running
}

func (n *node) signal(s syscall.Signal) (exited chan struct{}) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.alive() {
		return nil
	}
	_ = n.cmd.Process.Signal(s) // it may have ended just now
	return n.exited
}

func (n *node) kill() {
	n.want(false)
	if exited := n.signal(syscall.SIGKILL); exited != nil {
		<-exited
	}
}

// clean is term with exit code 0, which is only to be had while Kafka can be reached.
func (n *node) clean() error {
	if err := n.term(); err != nil || n.cmd == nil {
		return err
	}
	if code := n.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("%s ended with code %d after SIGTERM", n.name, code)
	}
	return nil
}

// term ends the node as Marathon does, and wants it to end in time.
func (n *node) term() error {
	n.want(false)
	n.signal(syscall.SIGCONT) // a hung process would not end, which is no news
	exited := n.signal(syscall.SIGTERM)
	if exited == nil {
		return nil
	}
	select {
	case <-exited:
	case <-time.After(killGrace):
		n.kill()
		return fmt.Errorf("%s did not end within %s of SIGTERM", n.name, killGrace)
	}
	return nil
}

func (n *node) setKafka(s doorState) {
	for _, d := range n.kafka {
		d.set(s)
	}
}

func (n *node) close() {
	n.kill()
	for _, d := range append(n.kafka, n.stores...) {
		d.close()
	}
}

func (n *node) tail() string {
	text, _ := os.ReadFile(n.log)
	return string(text[max(0, len(text)-5000):])
}

// ask makes one request; an error means that the node could not be asked now, or refused.
func (n *node) ask(ctx context.Context, method, path, contentType, body string, header map[string]string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+httpAddr+path, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	resp, err := n.client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode >= 300 {
		err = errors.New(resp.Status + " " + string(answer))
	}
	return string(answer), err
}

func (n *node) state(ctx context.Context) (api.ClusterState, error) {
	var s api.ClusterState
	answer, err := n.ask(ctx, http.MethodGet, "/api/v1/cluster", "", "", nil)
	if err == nil {
		err = json.Unmarshal([]byte(answer), &s)
	}
	return s, err
}
