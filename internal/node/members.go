package node

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/trackmesh/trackmesh/cluster"
	"github.com/trackmesh/trackmesh/cluster/discovery"
	"github.com/trackmesh/trackmesh/cluster/gossip"
)

// startMembers begins to gossip with the other nodes and joins them. With the embedded log there are no others.
func (n *Node) startMembers(ctx context.Context) error {
	if !n.clustered() {
		return nil
	}
	options, err := n.gossipOptions()
	if err != nil {
		return err
	}
	g, err := gossip.New(options)
	if err != nil {
		return err
	}
	if err := g.Start(ctx); err != nil {
		return err
	}
	n.gossip, n.members = g, g
	n.onStop("gossip", func(ctx context.Context) error {
		return errors.Join(g.Leave(ctx), g.Stop(ctx))
	})
	n.reloadKeysOnHangup(g)
	seeds, err := discovery.Parse(n.opts.Join, discovery.Env{Task: n.opts.Task})
	if err != nil {
		return err
	}
	keeper := discovery.NewKeeper(seeds, g, n.logger)
	keeper.Start(ctx)
	n.onStop("discovery", func(context.Context) error { keeper.Stop(); return nil })
	return nil
}

// reloadKeysOnHangup reads the gossip keys again on SIGHUP, for those who do not want to wait until the change is seen.
func (n *Node) reloadKeysOnHangup(g *gossip.Gossip) {
	if n.opts.GossipKeyFile == "" {
		return
	}
	hangups, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(hangups, syscall.SIGHUP)
	go func() {
		defer close(done)
		for range hangups {
			g.ReloadKeys()
		}
	}()
	n.onStop("key reloading", func(context.Context) error {
		signal.Stop(hangups)
		close(hangups)
		<-done
		return nil
	})
}

func (n *Node) gossipOptions() (gossip.Options, error) {
	o := gossip.Options{
		Name: n.opts.NodeName, Boot: bootNonce(), Cluster: n.opts.Group, BindAddr: n.opts.GossipAddr, AdvertiseHost: n.opts.AdvertiseHost,
		RPC: n.remote.Address(), Logger: n.logger, Registerer: n.registry,
	}
	var err error
	if o.HTTP, err = gossip.Reachable(n.listening.String(), n.opts.AdvertiseHost); err != nil {
		return o, fmt.Errorf("--http-addr: %w", err)
	}
	if n.opts.GossipKeyFile != "" {
		if o.Keys, err = gossip.ReadKeys(n.opts.GossipKeyFile); err != nil {
			return o, fmt.Errorf("--gossip-key-file: %w", err)
		}
	}
	return o, nil
}

// clustered says that other nodes may share the partitions: the log is Kafka.
func (n *Node) clustered() bool { return len(n.opts.KafkaBrokers) > 0 }

// bootNonce tells two lives of a process apart.
func bootNonce() string {
	b := make([]byte, 4)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// memberList are the nodes as they are known here, this one included.
func (n *Node) memberList() []cluster.Member {
	if n.members != nil {
		return n.members.Members()
	}
	return []cluster.Member{{Name: n.opts.NodeName, HTTP: n.listening.String(), Since: n.started, Running: hostPartitions{n.host}.Running()}}
}
