//go:build real

package crash

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/api"
)

// buildNode builds the daemon once for a test.
func buildNode(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "trackmesh")
	out, err := exec.Command("go", "build", "-o", binary, "../../cmd/node").CombinedOutput()
	require.NoError(t, err, "%s", out)
	return binary
}

// process is a node that can be killed and started again.
type process struct {
	t      *testing.T
	binary string
	args   []string
	addr   string
	log    *os.File
	cmd    *exec.Cmd
	exited chan struct{}
}

func newProcess(t *testing.T, binary string, args ...string) *process {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := l.Addr().String()
	require.NoError(t, l.Close())
	log, err := os.Create(filepath.Join(t.TempDir(), "node.log"))
	require.NoError(t, err)
	p := &process{t: t, binary: binary, addr: addr, log: log, args: append([]string{"--http-addr", addr, "--demo=off", "--quiet-clock=off", "--commit-interval=50ms"}, args...)}
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("the end of the node's log:\n%s", text[max(0, len(text)-6000):])
		}
		log.Close()
	})
	return p
}

func (p *process) start() {
	p.t.Helper()
	p.cmd = exec.Command(p.binary, p.args...)
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(p.t, p.cmd.Start())
	p.exited = make(chan struct{})
	go func(cmd *exec.Cmd, exited chan struct{}) {
		_ = cmd.Wait() // it was killed, most of the time
		close(exited)
	}(p.cmd, p.exited)
}

func (p *process) kill() {
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Signal(syscall.SIGKILL)
	<-p.exited
}

// stop ends the process as Marathon does and wants a clean exit.
func (p *process) stop() {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case <-p.exited:
	case <-time.After(40 * time.Second):
		p.t.Fatal("the node did not stop on SIGTERM")
	}
	require.Equal(p.t, 0, p.cmd.ProcessState.ExitCode())
}

var client = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// ask makes one request; an error means that the node could not be asked now.
func (p *process) ask(method, path, contentType, body string, header map[string]string) (string, error) {
	req, err := http.NewRequestWithContext(context.Background(), method, "http://"+p.addr+path, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	resp, err := client.Do(req)
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

// insist asks until it is answered.
func (p *process) insist(method, path, contentType, body string, header map[string]string) string {
	p.t.Helper()
	var answer string
	var err error
	require.Eventually(p.t, func() bool {
		answer, err = p.ask(method, path, contentType, body, header)
		return err == nil
	}, 2*time.Minute, 20*time.Millisecond, "%s %s: %v", method, path, err)
	return answer
}

// settled waits until all input of so many records is handled and every sink has caught up.
func (p *process) settled(records int64) {
	p.t.Helper()
	var state api.ClusterState
	require.Eventually(p.t, func() bool {
		answer, err := p.ask(http.MethodGet, "/api/v1/cluster", "", "", nil)
		if err != nil || json.Unmarshal([]byte(answer), &state) != nil {
			return false
		}
		handled := int64(0)
		for _, part := range state.Partitions {
			if part.State != "running" || part.Lag > 0 {
				return false
			}
			handled += part.InputOffset
		}
		return handled >= records
	}, 3*time.Minute, 50*time.Millisecond, "not settled: %+v", &state)
	// The last commit and the sinks follow within moments; the clean stop commits what is pending, and the start after it
	// lets the sinks catch up.
	p.stop()
	p.start()
	require.Eventually(p.t, func() bool {
		answer, err := p.ask(http.MethodGet, "/api/v1/cluster", "", "", nil)
		if err != nil || json.Unmarshal([]byte(answer), &state) != nil || len(state.Sinks) == 0 {
			return false
		}
		for _, s := range state.Sinks {
			if s.Lag > 0 || s.Error != "" {
				return false
			}
		}
		ready, err := p.ask(http.MethodGet, "/readyz", "", "", nil)
		return err == nil && strings.Contains(ready, `"ready":true`)
	}, 3*time.Minute, 50*time.Millisecond, "the sinks did not catch up: %+v", &state)
}

func envInt(t *testing.T, name string, otherwise int) int {
	t.Helper()
	s := os.Getenv(name)
	if s == "" {
		return otherwise
	}
	n, err := strconv.Atoi(s)
	require.NoError(t, err, "%s=%s", name, s)
	return n
}
