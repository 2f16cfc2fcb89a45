//go:build real

package servers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The user of an Elasticsearch with security: its password is in every checkout, so it listens on loopback only.
const (
	ElasticsearchUser     = "trackmesh"
	ElasticsearchPassword = "trackmesh-test"
	// elasticsearchHash is bcrypt of the password, as `elasticsearch-users useradd` writes it.
	elasticsearchHash = "$2a$10$r2lifLt47Cc5SVFXLACybeGjvkMQBH3d7lSljkFF80FhiHADABJ3." // #nosec G101
)

const (
	elasticsearchUpWithin = 3 * time.Minute
	elasticsearchGrace    = 30 * time.Second
	// unprivileged is nobody's: Elasticsearch refuses to run as root.
	unprivileged = 65534
)

// ElasticsearchOptions shape an Elasticsearch; the zero value is one node without security.
type ElasticsearchOptions struct {
	Security bool              // basic authentication; the user above is a superuser
	Config   map[string]string // further lines of elasticsearch.yml
	// Roles are users with a role of the same name, and what roles.yml says of it, as JSON; their password is
	// the one above. API keys cannot be made: this distribution lacks an analyzer that their index needs.
	Roles map[string]string
	Heap  string // -Xmx; empty: 512m
}

// ElasticsearchServer is a running Elasticsearch of one node. Its address and its data outlive its process.
type ElasticsearchServer struct {
	process
	URL      string
	Security bool
	dir      string // of this server; removed by Remove
	home     string
	env      []string
}

// Elasticsearch starts an Elasticsearch that ends with the test.
func Elasticsearch(t testing.TB, opts ElasticsearchOptions) *ElasticsearchServer {
	t.Helper()
	e, err := StartElasticsearch(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		e.Kill()
		if err := e.Remove(); err != nil {
			t.Errorf("removing Elasticsearch's files: %v", err)
		}
	})
	return e
}

// StartElasticsearch starts an Elasticsearch; whoever calls it ends it with Stop or Kill, then Remove.
//
// Its files are in a temporary directory of their own: a test's is closed to the user that it runs as.
func StartElasticsearch(ctx context.Context, opts ElasticsearchOptions) (*ElasticsearchServer, error) {
	distribution, err := elasticsearchDistribution(ctx)
	if err != nil {
		return nil, err
	}
	java, err := javaHome()
	if err != nil {
		return nil, err
	}
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "trackmesh-elasticsearch")
	if err != nil {
		return nil, err
	}
	heap := opts.Heap
	if heap == "" {
		heap = "512m"
	}
	e := &ElasticsearchServer{
		URL: fmt.Sprintf("http://127.0.0.1:%d", ports[0]), Security: opts.Security, dir: dir, home: filepath.Join(dir, "home"),
	}
	e.logFile = filepath.Join(dir, "output.log")
	e.env = append(os.Environ(), "ES_JAVA_HOME="+java, "ES_PATH_CONF="+filepath.Join(dir, "config"),
		"ES_TMPDIR="+filepath.Join(dir, "tmp"), "ES_JAVA_OPTS=-Xms256m -Xmx"+heap, "HOME="+dir)
	if err := errors.Join(e.lay(distribution, ports, opts)); err != nil {
		return nil, errors.Join(err, e.Remove())
	}
	if err := e.Start(ctx); err != nil {
		e.Kill()
		return nil, errors.Join(err, e.Remove())
	}
	return e, nil
}

// lay makes the server's directories and configuration, and gives them to the user that it will run as.
func (e *ElasticsearchServer) lay(distribution string, ports []int, opts ElasticsearchOptions) error {
	if err := shareTree(distribution, e.home); err != nil {
		return fmt.Errorf("copying Elasticsearch: %w", err)
	}
	for _, d := range []string{"config", "data", "logs", "tmp"} {
		if err := os.Mkdir(filepath.Join(e.dir, d), 0o755); err != nil {
			return err
		}
	}
	settings := map[string]string{
		"cluster.name": "trackmesh-test", "node.name": "test", "discovery.type": "single-node", "network.host": "127.0.0.1",
		"http.port": strconv.Itoa(ports[0]), "transport.port": strconv.Itoa(ports[1]),
		"path.data": filepath.Join(e.dir, "data"), "path.logs": filepath.Join(e.dir, "logs"),
		"xpack.security.enabled": strconv.FormatBool(opts.Security), "xpack.security.enrollment.enabled": "false",
		"xpack.security.autoconfiguration.enabled": "false",
		// A developer's disk may be fuller than Elasticsearch likes it; that is not what is tested.
		"cluster.routing.allocation.disk.threshold_enabled": "false",
	}
	var users, memberships, roles strings.Builder
	fmt.Fprintf(&users, "%s:%s\n", ElasticsearchUser, elasticsearchHash)
	fmt.Fprintf(&memberships, "superuser:%s\n", ElasticsearchUser)
	for name, privileges := range opts.Roles {
		fmt.Fprintf(&users, "%s:%s\n", name, elasticsearchHash)
		fmt.Fprintf(&memberships, "%s:%s\n", name, name)
		fmt.Fprintf(&roles, "%s: %s\n", name, privileges)
	}
	maps.Copy(settings, opts.Config)
	var yml bytes.Buffer
	for key, value := range settings {
		fmt.Fprintf(&yml, "%s: %q\n", key, value)
	}
	for name, content := range map[string]string{
		"elasticsearch.yml": yml.String(),
		"users":             users.String(),
		"users_roles":       memberships.String(),
		"roles.yml":         roles.String(),
		"role_mapping.yml":  "",
	} {
		if err := os.WriteFile(filepath.Join(e.dir, "config", name), []byte(content), 0o600); err != nil {
			return err
		}
	}
	for _, name := range []string{"jvm.options", "log4j2.properties"} {
		if err := copyFile(filepath.Join(e.home, "config", name), filepath.Join(e.dir, "config", name)); err != nil {
			return err
		}
	}
	if os.Geteuid() != 0 {
		return nil
	}
	return giveAway(e.dir, e.home)
}

// Start starts the process and waits until it answers.
func (e *ElasticsearchServer) Start(ctx context.Context) error {
	cmd := exec.Command(filepath.Join(e.home, "bin", "elasticsearch"))
	cmd.Env, cmd.Dir = e.env, e.dir
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: unprivileged, Gid: unprivileged}}
	}
	if err := e.start(cmd); err != nil {
		return err
	}
	return e.Ready(ctx)
}

// Stop ends the node as an administrator would.
func (e *ElasticsearchServer) Stop() { e.end(syscall.SIGTERM, elasticsearchGrace) }

// Kill ends the node as a power cut would (its files are the kernel's, so they survive).
func (e *ElasticsearchServer) Kill() { e.end(syscall.SIGKILL, elasticsearchGrace) }

// Restart stops the node cleanly and starts it again.
func (e *ElasticsearchServer) Restart(ctx context.Context) error {
	e.Stop()
	return e.Start(ctx)
}

// Pause hangs the node: connections stay and nothing answers.
func (e *ElasticsearchServer) Pause() error { return e.signal(syscall.SIGSTOP) }

// Continue ends a Pause.
func (e *ElasticsearchServer) Continue() error { return e.signal(syscall.SIGCONT) }

// Remove deletes the server's files. It must have ended.
func (e *ElasticsearchServer) Remove() error { return os.RemoveAll(e.dir) }

// Ready waits until the cluster takes documents.
func (e *ElasticsearchServer) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, elasticsearchUpWithin)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		err := e.healthy(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-e.exited:
			return fmt.Errorf("elasticsearch ended while starting:\n%s", e.logTail())
		case <-ctx.Done():
			return fmt.Errorf("elasticsearch is not up after %s (%w):\n%s", elasticsearchUpWithin, err, e.logTail())
		case <-tick.C:
		}
	}
}

func (e *ElasticsearchServer) healthy(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, e.URL+"/_cluster/health?wait_for_status=yellow&timeout=1s", http.NoBody)
	if err != nil {
		return err
	}
	if e.Security {
		req.SetBasicAuth(ElasticsearchUser, ElasticsearchPassword)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("it answers %s", res.Status)
	}
	return nil
}
