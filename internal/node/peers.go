package node

import (
	"context"
	"errors"
	"fmt"

	"github.com/trackmesh/trackmesh/actors"
	"github.com/trackmesh/trackmesh/api"
	"github.com/trackmesh/trackmesh/cluster/gossip"
	"github.com/trackmesh/trackmesh/cluster/remote"
	"github.com/trackmesh/trackmesh/internal/peers"
	trackmeshv1 "github.com/trackmesh/trackmesh/messages/trackmesh/v1"
	"github.com/trackmesh/trackmesh/track"
)

// listenPeers opens the port for other nodes, before gossip tells them of it. Until the partitions are there it answers for none.
func (n *Node) listenPeers(context.Context) error {
	if !n.clustered() {
		return nil
	}
	at, err := remote.Resolve(n.opts.RPCAddr)
	if err != nil {
		return fmt.Errorf("--rpc-addr: %w", err)
	}
	o := remote.Options{Listen: at, Handler: n.answerPeer, Logger: n.logger, Registerer: n.registry}
	if o.Advertise, err = gossip.Reachable(at, n.opts.AdvertiseHost); err != nil {
		return fmt.Errorf("--rpc-addr: %w", err)
	}
	if n.opts.ClusterCertFile != "" {
		if o.TLS, err = remote.ReadTLS(n.opts.ClusterCertFile, n.opts.ClusterKeyFile, n.opts.ClusterCAFile); err != nil {
			return fmt.Errorf("--cluster-cert-file, --cluster-key-file, --cluster-ca-file: %w", err)
		}
	}
	if n.remote, err = remote.New(o); err != nil {
		return fmt.Errorf("--rpc-addr: %w", err)
	}
	n.onStop("peers", n.remote.Stop)
	return nil
}

func (n *Node) answerPeer(ctx context.Context, q *trackmeshv1.PeerQuestion) *trackmeshv1.PeerAnswer {
	if p := n.peers.Load(); p != nil {
		return p.Answer(ctx, q)
	}
	return &trackmeshv1.PeerAnswer{Code: trackmeshv1.PeerCode_PEER_CODE_NOT_HERE, Detail: "this node is starting"}
}

// startPeers lets this node ask the others and answer them. A node that is alone needs neither.
func (n *Node) startPeers(context.Context) error {
	if n.remote == nil {
		return nil
	}
	p := peers.New(peers.Options{
		Members: n.members, Asker: n.remote, Partitions: n.log.Layout().Partitions, Home: n.host.Home, Fleet: n.fleet,
		Here: here{n}, Fences: boardFences{n.board, n.host}, Logger: n.logger,
		NeverSent: func(err error) bool { return errors.Is(err, remote.ErrNeverSent) },
	})
	n.onStop("routing", func(context.Context) error { p.Close(); return nil })
	n.remote.Follow(n.members)
	n.peers.Store(p)
	return nil
}

// askCluster puts what asks the whole cluster into the API's options.
func (n *Node) askCluster(o *api.Options) {
	p := n.peers.Load()
	if p == nil {
		return
	}
	o.Live, o.Frames, o.Owner = p.Live(), p.Frames(), p.OwnerName
	o.Paths, o.Messages, o.Fences = p.Paths(), p.Messages(), p.Fences()
	o.Cluster = peers.Cluster{Peers: p, Base: clusterState{n}.base, Moves: clusterState{n}.moves}
}

// here is what this node knows for itself and for others.
type here struct{ *Node }

// Path implements peers.Here.
func (h here) Path(ctx context.Context, partition int32, vehicle string, from, to int64, limit int) ([]track.PathPoint, int64, error) {
	points, since, known, err := h.host.PathIn(ctx, partition, vehicle, from, to, limit)
	switch {
	case err != nil:
		return nil, 0, notHere(err)
	case !known:
		return nil, 0, api.ErrNotFound
	}
	return points, since, nil
}

// Send implements peers.Here.
func (h here) Send(ctx context.Context, cmd *trackmeshv1.Command) (partition int32, offset int64, err error) {
	return h.host.Send(ctx, cmd)
}

// AwaitApplied implements peers.Here.
func (h here) AwaitApplied(ctx context.Context, partition int32, offset int64) error {
	return notHere(h.host.AwaitApplied(ctx, partition, offset))
}

func notHere(err error) error {
	if errors.Is(err, actors.ErrNotHere) {
		return peers.ErrNotHere
	}
	return err
}

// Status implements peers.Here.
func (h here) Status() *trackmeshv1.PeerStatus {
	s := &trackmeshv1.PeerStatus{Fences: int64(h.board.Current().Len()), FencesVersion: h.board.Current().Version(), Version: h.opts.Version}
	for _, p := range h.host.Status() {
		s.Partitions = append(s.Partitions, &trackmeshv1.PeerPartitionStatus{
			Partition: p.Partition, Term: p.Term, State: p.State, InputOffset: p.InputOffset, Lag: max(0, p.InputEnd-p.InputOffset),
			Tracks: int64(p.Tracks), EventClockMs: p.EventClock, Error: p.Err,
		})
	}
	for _, sink := range h.sinks {
		s.Sinks = append(s.Sinks, peerSink(sink.state(), sink.own))
	}
	for _, w := range h.webhooks.States() {
		s.Sinks = append(s.Sinks, peerSink(hookState(w), false))
	}
	return s
}

func peerSink(s api.ClusterSink, whole bool) *trackmeshv1.PeerSinkStatus {
	return &trackmeshv1.PeerSinkStatus{Name: s.Name, Lag: s.Lag, State: s.State, Error: s.Error, Whole: whole}
}
