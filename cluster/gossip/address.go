package gossip

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
)

// Reachable is the host:port that others should use for what listens at bind: the advertised host if one is given, else the host
// that is listened on, else (0.0.0.0, ::) this machine's first private address. Names stay names.
func Reachable(bind, advertiseHost string) (string, error) {
	host, port, err := net.SplitHostPort(bind)
	if err != nil {
		return "", fmt.Errorf("%q is not host:port", bind)
	}
	if advertiseHost != "" {
		return net.JoinHostPort(advertiseHost, port), nil
	}
	if ip := net.ParseIP(host); host != "" && (ip == nil || !ip.IsUnspecified()) {
		return bind, nil
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return "", fmt.Errorf("looking for this machine's address: %w", err)
	}
	ip, ok := own(addrs)
	if !ok {
		return "", fmt.Errorf("%s listens everywhere and this machine has no private address that is clearly its own: set --advertise-host to the name or address at which the other nodes reach it", bind)
	}
	return net.JoinHostPort(ip.String(), port), nil
}

// own is the first private address, else the first that is global; IPv4 first.
func own(addrs []net.Addr) (best netip.Addr, ok bool) {
	rank := 0
	for _, a := range addrs {
		prefix, err := netip.ParsePrefix(a.String())
		if err != nil {
			continue
		}
		ip := prefix.Addr().Unmap()
		r := 0
		switch {
		case !ip.IsGlobalUnicast():
			continue
		case ip.IsPrivate() && ip.Is4():
			r = 4
		case ip.Is4():
			r = 3
		case ip.IsPrivate():
			r = 2
		default:
			r = 1
		}
		if r > rank {
			best, rank = ip, r
		}
	}
	return best, rank > 0
}

// resolve makes an address of a host:port that may hold a name: gossip carries addresses only. A name with several addresses counts
// as its first IPv4 one.
func resolve(hostPort string) (net.IP, int, error) {
	host, port, err := net.SplitHostPort(hostPort)
	if err != nil {
		return nil, 0, fmt.Errorf("%q is not host:port", hostPort)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, 0, fmt.Errorf("%q: the port must be a number up to 65535", hostPort)
	}
	if ip := net.ParseIP(host); ip != nil {
		return ip, int(number), nil
	}
	ips, err := net.LookupIP(host)
	if err != nil {
		return nil, 0, fmt.Errorf("%s cannot be resolved here: give an address instead (%w)", host, err)
	}
	for _, ip := range ips {
		if ip.To4() != nil {
			return ip, int(number), nil
		}
	}
	return ips[0], int(number), nil
}

// lookup are the addresses of a seed. memberlist would ask the first name server for ANY by TCP, which few answer.
func lookup(ctx context.Context, seed string) ([]string, error) {
	host, port, err := net.SplitHostPort(seed)
	if err != nil {
		return nil, fmt.Errorf("%q is not host:port", seed)
	}
	ips, err := net.DefaultResolver.LookupIP(ctx, "ip", host)
	if err != nil {
		return nil, fmt.Errorf("looking it up: %w", err)
	}
	addrs := make([]string, 0, len(ips))
	for _, ip := range ips {
		addrs = append(addrs, net.JoinHostPort(ip.String(), port))
	}
	return addrs, nil
}

func loopback(hostPort string) bool {
	ip, _, err := resolve(hostPort)
	return err == nil && ip.IsLoopback()
}
