package discovery

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
)

const (
	askFor     = 3 * time.Second // one request
	maxAnswer  = 32 << 20
	gossipName = "gossip" // the port's name in the app's definition
)

// marathon finds the tasks of an app by Marathon's API. In the address:
//
//	marathon:https://user:password@marathon.mesos:8443?app=/trackmesh/node&port=gossip&token-file=/run/token&ca-file=/run/ca.pem
//
// all but scheme and host may be left out. app is the task's own; port is a name or an index, else the port that is PORT_GOSSIP
// here, else the one whose name is gossip. The token file's content goes out as DC/OS expects it: Authorization: token=….
type marathon struct {
	base      *url.URL // without user
	user      *url.Userinfo
	app       string
	port      string // name or index
	tokenFile string
	task      Task
	client    *http.Client
}

func parseMarathon(rest string, env Env) (*marathon, error) {
	u, err := url.Parse(rest)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, errors.New("marathon: must be followed by the address of Marathon, like marathon:http://marathon.mesos:8080") // not quoted: it may hold a password
	}
	q := u.Query()
	m := &marathon{
		user: u.User, app: q.Get("app"), port: q.Get("port"), tokenFile: q.Get("token-file"), task: env.Task,
		base: &url.URL{Scheme: u.Scheme, Host: u.Host, Path: strings.TrimSuffix(u.Path, "/")},
	}
	for name := range q {
		if !slices.Contains([]string{"app", "port", "token-file", "ca-file"}, name) {
			return nil, fmt.Errorf("%s: %q is not allowed: use app, port, token-file, ca-file", m, name)
		}
	}
	if m.app == "" {
		m.app = env.Task.AppID
	}
	if m.app == "" {
		return nil, fmt.Errorf("%s: MARATHON_APP_ID is not set, so this is no task of Marathon: add ?app=/the/app to the address", m)
	}
	if m.port == "" {
		m.port = gossipName
		if i := slices.Index(env.Task.Ports, env.Task.GossipPort); i >= 0 && env.Task.GossipPort != "" {
			m.port = strconv.Itoa(i)
		}
	}
	transport := env.HTTP
	if transport == nil {
		if transport, err = transportWith(q.Get("ca-file")); err != nil {
			return nil, fmt.Errorf("%s: ca-file: %w", m, err)
		}
	}
	m.client = &http.Client{Transport: transport, Timeout: askFor}
	return m, nil
}

func transportWith(caFile string) (http.RoundTripper, error) {
	if caFile == "" {
		return http.DefaultTransport, nil
	}
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no PEM certificate", caFile)
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	return t, nil
}

// String has no password.
func (m *marathon) String() string { return "marathon:" + m.base.String() }

// tasks is Marathon's answer; of a task, these are the same in all its versions from 0.8 to 1.13.
type tasks struct {
	Tasks []struct {
		ID          string `json:"id"`
		Host        string `json:"host"`
		Ports       []int  `json:"ports"`
		State       string `json:"state"` // absent before 1.0
		StartedAt   string `json:"startedAt"`
		IPAddresses []struct {
			IPAddress string `json:"ipAddress"`
		} `json:"ipAddresses"`
	} `json:"tasks"`
}

func (m *marathon) find(ctx context.Context) ([]string, error) {
	var answer tasks
	if err := m.get(ctx, "/tasks", &answer); err != nil {
		return nil, err
	}
	index, err := m.index(ctx)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, t := range answer.Tasks {
		own := t.ID == m.task.ID && t.ID != ""
		if own || (t.State != "" && !slices.Contains([]string{"TASK_RUNNING", "TASK_STAGING", "TASK_STARTING"}, t.State)) {
			continue
		}
		if index >= len(t.Ports) {
			return nil, fmt.Errorf("task %s of %s has %d ports and none at index %d: its app definition needs a port for gossip (networks of mode container have none: use dns: there)", t.ID, m.app, len(t.Ports), index)
		}
		hostPort := net.JoinHostPort(t.Host, strconv.Itoa(t.Ports[index]))
		if hostPort != net.JoinHostPort(m.task.Host, m.task.GossipPort) {
			out = append(out, hostPort)
		}
	}
	return out, nil
}

// definition are the places where an app names its ports, old and new.
type definition struct {
	App struct {
		PortDefinitions []namedPort `json:"portDefinitions"`
		Container       struct {
			PortMappings []namedPort `json:"portMappings"`
			Docker       struct {
				PortMappings []namedPort `json:"portMappings"`
			} `json:"docker"`
		} `json:"container"`
	} `json:"app"`
}

type namedPort struct {
	Name string `json:"name"`
}

// index is which of a task's ports is meant.
func (m *marathon) index(ctx context.Context) (int, error) {
	if i, err := strconv.Atoi(m.port); err == nil {
		return i, nil
	}
	var d definition
	if err := m.get(ctx, "", &d); err != nil {
		return 0, err
	}
	for _, ports := range [][]namedPort{d.App.Container.PortMappings, d.App.Container.Docker.PortMappings, d.App.PortDefinitions} {
		if i := slices.Index(ports, namedPort{m.port}); i >= 0 {
			return i, nil
		}
	}
	return 0, fmt.Errorf("app %s has no port with the name %q: name it in its portDefinitions, or add ?port= with its index", m.app, m.port)
}

// get asks about the app, again after what may pass: no connection, 429, 5xx.
func (m *marathon) get(ctx context.Context, path string, into any) error {
	u := m.base.JoinPath("/v2/apps", strings.Trim(m.app, "/")+path)
	_, err := backoff.Retry(ctx, func() (struct{}, error) { return struct{}{}, m.ask(ctx, u, into) },
		backoff.WithBackOff(&backoff.ExponentialBackOff{InitialInterval: 200 * time.Millisecond, RandomizationFactor: 0.5, Multiplier: 2, MaxInterval: time.Second}),
		backoff.WithMaxTries(3))
	return err
}

func (m *marathon) ask(ctx context.Context, u *url.URL, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return backoff.Permanent(err)
	}
	req.Header.Set("Accept", "application/json")
	if err := m.authorize(req); err != nil {
		return backoff.Permanent(err)
	}
	resp, err := m.client.Do(req)
	if err != nil {
		return fmt.Errorf("asking Marathon: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		_, _ = io.CopyN(io.Discard, resp.Body, 4096) // so that the connection can be used again
		return refusal(resp.StatusCode, resp.Status, m.app)
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(into); err != nil {
		return backoff.Permanent(fmt.Errorf("%s does not answer as Marathon does: is the address right (%w)", u, err))
	}
	return nil
}

// authorize reads the token each time: it is changed under a running node.
func (m *marathon) authorize(req *http.Request) error {
	if m.user != nil {
		password, _ := m.user.Password()
		req.SetBasicAuth(m.user.Username(), password)
	}
	if m.tokenFile == "" {
		return nil
	}
	token, err := os.ReadFile(m.tokenFile)
	if err != nil {
		return fmt.Errorf("reading the token: %w", err)
	}
	req.Header.Set("Authorization", "token="+strings.TrimSpace(string(token)))
	return nil
}

func refusal(code int, status, app string) error {
	switch {
	case code == http.StatusUnauthorized:
		return backoff.Permanent(errors.New("it wants to know who asks: put user:password@ before the host, or add ?token-file="))
	case code == http.StatusForbidden:
		return backoff.Permanent(fmt.Errorf("it does not let us see the app %s: allow it for that user", app))
	case code == http.StatusNotFound:
		return backoff.Permanent(fmt.Errorf("it has no app %s: check ?app= or MARATHON_APP_ID", app))
	case code == http.StatusTooManyRequests || code >= 500:
		return fmt.Errorf("it answers %s: its leader may be changing", status)
	}
	return backoff.Permanent(fmt.Errorf("it answers %s", status))
}
