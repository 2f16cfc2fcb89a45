package discovery

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// lookFor bounds one look of one kind at where it asks.
const lookFor = 10 * time.Second

// Task is what Marathon tells a task about itself in its environment.
type Task struct {
	AppID      string   // MARATHON_APP_ID
	ID         string   // MESOS_TASK_ID
	Host       string   // HOST
	Ports      []string // PORT0, PORT1, … in this order
	GossipPort string   // PORT_GOSSIP
}

// Env is what looking depends on besides the flags. The zero value is this machine's, outside of Marathon.
type Env struct {
	Task     Task
	Resolver *net.Resolver     // nil: the system's
	HTTP     http.RoundTripper // nil: http.DefaultTransport, with the CA file if one is given
}

// source is one --join.
type source interface {
	// find returns host:port, hosts maybe names.
	find(ctx context.Context) ([]string, error)
	String() string
}

// Seeds are all --join flags.
type Seeds struct {
	sources  []source
	resolver *net.Resolver
}

// None says that there is nothing to join.
func (s Seeds) None() bool { return len(s.sources) == 0 }

const allowed = "use host:port, dns:name:port, srv:name or marathon:http://host:port"

// Parse reads the seeds; an error names all that are wrong.
func Parse(specs []string, env Env) (Seeds, error) {
	s := Seeds{resolver: env.Resolver}
	if s.resolver == nil {
		s.resolver = net.DefaultResolver
	}
	var errs []error
	for _, spec := range specs {
		source, err := s.parse(spec, env)
		if err != nil {
			errs = append(errs, fmt.Errorf("--join: %w", err))
			continue
		}
		s.sources = append(s.sources, source)
	}
	return s, errors.Join(errs...)
}

func (s Seeds) parse(spec string, env Env) (source, error) {
	kind, rest, _ := strings.Cut(spec, ":")
	switch kind {
	case "dns":
		if err := checkHostPort(rest); err != nil {
			return nil, fmt.Errorf("%q: after dns: comes a name and a port: %w", spec, err)
		}
		return static(rest), nil // every name is looked up, and each of its addresses is a seed
	case "srv":
		if rest == "" || strings.ContainsAny(rest, ":/ ") {
			return nil, fmt.Errorf("%q: after srv: comes a name alone, the port is in its record", spec)
		}
		return srv{rest, s.resolver}, nil
	case "marathon":
		return parseMarathon(rest, env)
	}
	if err := checkHostPort(spec); err != nil {
		return nil, fmt.Errorf("%q: %w: %s", spec, err, allowed)
	}
	return static(spec), nil
}

func checkHostPort(s string) error {
	host, port, err := net.SplitHostPort(s)
	if err != nil || host == "" {
		return errors.New("not host:port")
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return fmt.Errorf("%q is no port", port)
	}
	return nil
}

// static is a host:port; the host may be a name with several addresses.
type static string

func (s static) find(context.Context) ([]string, error) { return []string{string(s)}, nil }
func (s static) String() string                         { return string(s) }

// srv is a name with SRV records, as Mesos-DNS has for ports with names: _gossip._node.trackmesh._tcp.marathon.mesos.
type srv struct {
	name     string
	resolver *net.Resolver
}

func (s srv) String() string { return "srv:" + s.name }

func (s srv) find(ctx context.Context) ([]string, error) {
	_, records, err := s.resolver.LookupSRV(ctx, "", "", s.name)
	if err != nil && len(records) == 0 {
		return nil, fmt.Errorf("no SRV records: is it the name of a port of a running app, and does this machine ask a DNS server that knows it (%w)", err)
	}
	var out []string
	for _, r := range records {
		out = append(out, net.JoinHostPort(strings.TrimSuffix(r.Target, "."), strconv.Itoa(int(r.Port))))
	}
	return out, nil
}

// Find looks everywhere at once. It returns the addresses (ip:port, in order, each once) that it found, and what failed.
func (s Seeds) Find(ctx context.Context) ([]string, error) {
	found, errs := make([][]string, len(s.sources)), make([]error, len(s.sources))
	var looks sync.WaitGroup
	for i, source := range s.sources {
		looks.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, lookFor)
			defer cancel()
			hosts, err := source.find(ctx)
			if err != nil {
				errs[i] = fmt.Errorf("%s: %w", source, err)
				return
			}
			found[i], errs[i] = s.resolve(ctx, hosts)
		})
	}
	looks.Wait()
	all := slices.Concat(found...)
	slices.Sort(all)
	return slices.Compact(all), errors.Join(errs...)
}

func (s Seeds) resolve(ctx context.Context, hosts []string) (out []string, err error) {
	var errs []error
	for _, hostPort := range hosts {
		host, port, err := net.SplitHostPort(hostPort)
		if err != nil {
			return nil, err
		}
		if ip := net.ParseIP(host); ip != nil {
			out = append(out, net.JoinHostPort(ip.String(), port))
			continue
		}
		ips, err := s.resolver.LookupIP(ctx, "ip", host)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: the name %s is not known here, maybe nothing of it runs yet (%w)", hostPort, host, err))
			continue
		}
		for _, ip := range ips {
			out = append(out, net.JoinHostPort(ip.String(), port))
		}
	}
	return out, errors.Join(errs...)
}
