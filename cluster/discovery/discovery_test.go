package discovery

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/trackmesh/trackmesh/cluster"
	"github.com/trackmesh/trackmesh/internal/logtest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreTopFunction("net/http.(*persistConn).writeLoop"))
}

// nameServer answers from records in zone-file form.
func nameServer(t *testing.T, records ...string) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	server := &dns.Server{PacketConn: conn, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		answer := new(dns.Msg)
		answer.SetReply(q)
		known := false
		for _, text := range records {
			r, err := dns.NewRR(text)
			if err != nil {
				panic(err)
			}
			if !strings.EqualFold(r.Header().Name, q.Question[0].Name) {
				continue
			}
			known = true
			if r.Header().Rrtype == q.Question[0].Qtype {
				answer.Answer = append(answer.Answer, r)
			}
		}
		if !known {
			answer.Rcode = dns.RcodeNameError
		}
		_ = w.WriteMsg(answer)
	})}
	ready := make(chan struct{})
	server.NotifyStartedFunc = func() { close(ready) }
	done := make(chan struct{})
	go func() { defer close(done); _ = server.ActivateAndServe() }()
	<-ready
	t.Cleanup(func() { _ = server.Shutdown(); <-done })
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

func find(t *testing.T, env Env, specs ...string) ([]string, error) {
	t.Helper()
	seeds, err := Parse(specs, env)
	require.NoError(t, err)
	return seeds.Find(t.Context())
}

func TestNamesAndServiceRecordsBecomeAddresses(t *testing.T) {
	t.Parallel()
	resolver := nameServer(
		t, "node.marathon.mesos. 5 IN A 10.0.0.2", "node.marathon.mesos. 5 IN A 10.0.0.1", "node.marathon.mesos. 5 IN AAAA fd00::1",
		"_gossip._node._tcp.marathon.mesos. 5 IN SRV 0 0 31001 node-a.marathon.slave.mesos.", "_gossip._node._tcp.marathon.mesos. 5 IN SRV 0 0 31007 node-b.marathon.slave.mesos.",
		"node-a.marathon.slave.mesos. 5 IN A 10.0.0.8", "node-b.marathon.slave.mesos. 5 IN A 10.0.0.9",
	)
	found, err := find(t, Env{Resolver: resolver}, "dns:node.marathon.mesos:7946", "10.0.0.1:7946", "[fd00::2]:1", "node.marathon.mesos:80")
	require.NoError(t, err)
	require.Equal(t, []string{
		"10.0.0.1:7946", "10.0.0.1:80", "10.0.0.2:7946", "10.0.0.2:80", "[fd00::1]:7946", "[fd00::1]:80", "[fd00::2]:1",
	}, found, "each once, in order")
	found, err = find(t, Env{Resolver: resolver}, "srv:_gossip._node._tcp.marathon.mesos")
	require.NoError(t, err)
	require.Equal(t, []string{"10.0.0.8:31001", "10.0.0.9:31007"}, found)
	found, err = find(t, Env{Resolver: resolver}, "srv:_none._tcp.mesos", "dns:none.mesos:1", "10.0.0.1:1")
	require.ErrorContains(t, err, "srv:_none._tcp.mesos: no SRV records")
	require.ErrorContains(t, err, "none.mesos:1: the name none.mesos is not known here")
	require.Equal(t, []string{"10.0.0.1:1"}, found, "what fails hides nothing else")
}

func TestAllBadSeedsAreNamedWithWhatIsAllowed(t *testing.T) {
	t.Parallel()
	_, err := Parse([]string{
		"nonsense", "host:port", ":1", "host:0", "dns:name", "srv:", "srv:name:1", "marathon:nonsense", "marathon:ftp://m", "marathon:http://m:8080",
		"marathon:http://u:secret@m?app=/a&wrong=1", "marathon:https://m?app=/a&ca-file=/none",
	}, Env{})
	for _, want := range []string{
		`--join: "nonsense": not host:port: use host:port, dns:name:port, srv:name or marathon:http://host:port`, `"port" is no port`, `":1"`, `"0" is no port`,
		`"dns:name": after dns:`, `"srv:": after srv:`, `"srv:name:1"`, "must be followed by the address of Marathon", "MARATHON_APP_ID is not set", `"wrong" is not allowed`,
		"ca-file: open /none",
	} {
		require.ErrorContains(t, err, want)
	}
	require.NotContains(t, err.Error(), "secret")
	none, err := Parse(nil, Env{})
	require.NoError(t, err)
	require.True(t, none.None())
}

// appTasks is what Marathon 1.x answers to GET /v2/apps/trackmesh/node/tasks, as its documentation shows it.
const appTasks = `{"tasks":[
 {"id":"trackmesh_node.instance-1._app.1","appId":"/trackmesh/node","host":"10.0.0.1","ports":[31000,31001,31002],"state":"TASK_RUNNING","slaveId":"S0","localVolumes":[],
  "startedAt":"2026-11-24T10:00:00.571Z","stagedAt":"2026-11-24T09:59:58.486Z","version":"2026-11-24T09:59:58.157Z","servicePorts":[10000,10001,10002],
  "ipAddresses":[{"ipAddress":"10.0.0.1","protocol":"IPv4"}],"healthCheckResults":[{"alive":true,"instanceId":"trackmesh_node.marathon-1"}]},
 {"id":"trackmesh_node.instance-2._app.1","appId":"/trackmesh/node","host":"10.0.0.2","ports":[31000,31001,31002],"state":"TASK_STAGING"},
 {"id":"trackmesh_node.instance-3._app.1","appId":"/trackmesh/node","host":"10.0.0.3","ports":[31000,31001,31002],"state":"TASK_KILLING"},
 {"id":"trackmesh_node.instance-4._app.1","appId":"/trackmesh/node","host":"10.0.0.4","ports":[31000,31001,31002],"state":"TASK_UNREACHABLE"},
 {"id":"trackmesh_node.instance-5._app.1","appId":"/trackmesh/node","host":"10.0.0.5","ports":[],"state":"TASK_FAILED"},
 {"id":"trackmesh_node.instance-6._app.1","appId":"/trackmesh/node","host":"10.0.0.6","ports":[31100,31101,31102],"state":"TASK_RUNNING"},
 {"id":"trackmesh_node.7","appId":"/trackmesh/node","host":"10.0.0.7","ports":[31200,31201,31202]}
]}`

const appDefinition = `{"app":{"id":"/trackmesh/node","portDefinitions":[{"port":10000,"protocol":"tcp","name":"http"},{"port":10001,"protocol":"udp,tcp","name":"gossip","labels":{}},{"port":10002,"protocol":"tcp","name":"rpc"}]}}`

var self = Task{AppID: "/trackmesh/node", ID: "trackmesh_node.instance-6._app.1", Host: "10.0.0.6", Ports: []string{"31100", "31101", "31102"}, GossipPort: "31101"}

// scripted answers each request with the next step, the last one for ever.
func scripted(t *testing.T, steps ...http.HandlerFunc) (addr string, asked func() []string) {
	t.Helper()
	var mu sync.Mutex
	var paths []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		step := steps[min(len(paths), len(steps)-1)]
		paths = append(paths, r.URL.Path)
		mu.Unlock()
		step(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return append([]string{}, paths...)
	}
}

func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

func TestMarathonNamesTheTasksOfOurAppThatRunOrStart(t *testing.T) {
	t.Parallel()
	want := []string{"10.0.0.1:31001", "10.0.0.2:31001", "10.0.0.7:31201"}
	addr, asked := scripted(t, says(200, appTasks))
	found, err := find(t, Env{Task: self}, "marathon:"+addr)
	require.NoError(t, err)
	require.Equal(t, want, found)
	require.Equal(t, []string{"/v2/apps/trackmesh/node/tasks"}, asked(), "its own environment says which port is gossip's")

	byName := self
	byName.GossipPort, byName.Ports = "", nil
	addr, asked = scripted(t, says(200, appTasks), says(200, appDefinition))
	found, err = find(t, Env{Task: byName}, "marathon:"+addr+"/marathon/")
	require.NoError(t, err)
	require.Equal(t, want, found)
	require.Equal(t, []string{"/marathon/v2/apps/trackmesh/node/tasks", "/marathon/v2/apps/trackmesh/node"}, asked())

	addr, _ = scripted(t, says(200, appTasks))
	found, err = find(t, Env{}, "marathon:"+addr+"?app=/trackmesh/node&port=2")
	require.NoError(t, err)
	require.Equal(t, []string{"10.0.0.1:31002", "10.0.0.2:31002", "10.0.0.6:31102", "10.0.0.7:31202"}, found, "from outside, by index")

	mapped := strings.Replace(appDefinition, `"portDefinitions":[`, `"container":{"portMappings":[{"name":"gossip"}]},"portDefinitions":[`, 1)
	addr, _ = scripted(t, says(200, appTasks), says(200, mapped))
	found, err = find(t, Env{Task: byName}, "marathon:"+addr)
	require.NoError(t, err)
	require.Equal(t, []string{"10.0.0.1:31000", "10.0.0.2:31000", "10.0.0.7:31200"}, found, "a container's mappings count before")
}

func TestMarathonsFailuresSayWhatToDo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		steps []http.HandlerFunc
		query string
		want  string
		tries int
	}{
		"who asks":        {[]http.HandlerFunc{says(401, "")}, "", "user:password@", 1},
		"not allowed":     {[]http.HandlerFunc{says(403, "")}, "", "does not let us see the app /trackmesh/node", 1},
		"no such app":     {[]http.HandlerFunc{says(404, `{"message":"App '/trackmesh/node' does not exist"}`)}, "", "no app /trackmesh/node", 1},
		"not Marathon":    {[]http.HandlerFunc{says(200, "<html>")}, "", "does not answer as Marathon does", 1},
		"odd":             {[]http.HandlerFunc{says(418, "")}, "", "418", 1},
		"leader is away":  {[]http.HandlerFunc{says(503, "")}, "", "its leader may be changing", 3},
		"no such port":    {[]http.HandlerFunc{says(200, appTasks), says(200, `{"app":{}}`)}, "?port=gossip", `no port with the name "gossip"`, 2},
		"too few ports":   {[]http.HandlerFunc{says(200, appTasks)}, "?port=9", "has 3 ports and none at index 9", 1},
		"no token there":  {[]http.HandlerFunc{says(200, appTasks)}, "?token-file=/none", "reading the token", 0},
		"it hangs up":     {[]http.HandlerFunc{func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }}, "", "asking Marathon", 3},
		"once is nothing": {[]http.HandlerFunc{says(502, ""), says(200, appTasks)}, "", "", 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr, asked := scripted(t, c.steps...)
			found, err := find(t, Env{Task: self}, "marathon:"+addr+c.query)
			if c.want == "" {
				require.NoError(t, err)
				require.NotEmpty(t, found)
			} else {
				require.ErrorContains(t, err, c.want)
				require.ErrorContains(t, err, "marathon:"+addr)
			}
			require.Len(t, asked(), c.tries)
		})
	}
}

func TestMarathonIsAskedAsItWants(t *testing.T) {
	t.Parallel()
	var user, pass, token atomic.Value
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u, p, _ := r.BasicAuth()
		user.Store(u)
		pass.Store(p)
		token.Store(r.Header.Get("Authorization"))
		says(200, appTasks)(w, r)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // one of the clients below does not trust it, as it should
	server.StartTLS()
	t.Cleanup(server.Close)
	dir := t.TempDir()
	ca, tokenFile := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "token")
	require.NoError(t, os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600))
	require.NoError(t, os.WriteFile(tokenFile, []byte("abc\n"), 0o600))
	host := strings.TrimPrefix(server.URL, "https://")
	_, err := find(t, Env{Task: self}, "marathon:https://trackmesh:secret@"+host+"?ca-file="+ca)
	require.NoError(t, err)
	require.Equal(t, "trackmesh", user.Load())
	require.Equal(t, "secret", pass.Load())
	_, err = find(t, Env{Task: self}, "marathon:https://"+host+"?ca-file="+ca+"&token-file="+tokenFile)
	require.NoError(t, err)
	require.Equal(t, "token=abc", token.Load())
	_, err = find(t, Env{Task: self}, "marathon:https://trackmesh:secret@"+host)
	require.ErrorContains(t, err, "certificate")
	require.NotContains(t, err.Error(), "secret")
}

// fakeGossip is alone until a seed answers.
type fakeGossip struct {
	mu      sync.Mutex
	members []string
	answers map[string]bool
	joins   [][]string
}

func (g *fakeGossip) Join(_ context.Context, seeds []string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.joins = append(g.joins, seeds)
	err := errors.New("connection refused")
	for _, s := range seeds {
		if g.answers[s] {
			g.members, err = append(g.members, s), nil
		}
	}
	return err
}

func (g *fakeGossip) Self() cluster.Member { return cluster.Member{Gossip: "10.0.0.1:1"} }

func (g *fakeGossip) Members() []cluster.Member {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := []cluster.Member{g.Self()}
	for _, m := range g.members {
		out = append(out, cluster.Member{Gossip: m})
	}
	return out
}

func (g *fakeGossip) set(change func()) (joins int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	change()
	return len(g.joins)
}

func TestANodeThatIsAloneLooksSoonAndThenEveryTenSeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		seeds, err := Parse([]string{"10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"}, Env{})
		require.NoError(t, err)
		g := &fakeGossip{answers: map[string]bool{}}
		logger, log := logtest.New()
		k := NewKeeper(seeds, g, logger)
		k.Start(t.Context())
		defer k.Stop()
		g.set(func() { require.Equal(t, [][]string{{"10.0.0.2:1", "10.0.0.3:1"}}, g.joins, "at once, without itself") })
		time.Sleep(5 * time.Second) //nolint:forbidigo // synctest's clock
		synctest.Wait()
		require.GreaterOrEqual(t, g.set(func() {}), 3, "soon again")
		time.Sleep(60 * time.Second) //nolint:forbidigo // synctest's clock
		synctest.Wait()
		require.InDelta(t, 9, g.set(func() {}), 2, "then every ten seconds")
		require.Equal(t, 1, strings.Count(log.String(), "level=WARN"), "the same failure once: %s", log)
		require.Contains(t, log.String(), "is their gossip port open for TCP and UDP?")
		g.set(func() { g.answers["10.0.0.3:1"] = true })
		time.Sleep(13 * time.Second) //nolint:forbidigo // synctest's clock
		synctest.Wait()
		require.Contains(t, log.String(), "joined other nodes")
		before := g.set(func() { g.joins = nil })
		require.Zero(t, g.set(func() {}), before)
		time.Sleep(13 * time.Second) //nolint:forbidigo // synctest's clock
		synctest.Wait()
		g.set(func() { require.Equal(t, [][]string{{"10.0.0.2:1"}}, g.joins[:1], "only what is missing") })
		g.set(func() { g.answers["10.0.0.2:1"] = true })
		time.Sleep(13 * time.Second) //nolint:forbidigo // synctest's clock
		synctest.Wait()
		joins := g.set(func() {})
		time.Sleep(time.Minute) //nolint:forbidigo // synctest's clock
		synctest.Wait()
		require.Equal(t, joins, g.set(func() {}), "whoever is a member is not joined again")
		k.Stop()
		k.Stop()
	})
}

func TestWithoutSeedsNothingRuns(t *testing.T) {
	t.Parallel()
	k := NewKeeper(Seeds{}, &fakeGossip{}, slog.New(slog.DiscardHandler))
	k.Stop()
	k.Start(t.Context())
	k.Stop()
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"h:1", "dns:h:1", "srv:_a._tcp.b", "marathon:http://u:p@h:1/x?app=/a&port=gossip", "[::1]:5"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, spec string) {
		seeds, err := Parse([]string{spec}, Env{Task: self})
		require.Equal(t, err != nil, seeds.None())
	})
}
