package discovery

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/trackmesh/trackmesh/cluster"
)

const (
	// every is how often the seeds are looked at.
	every = 10 * time.Second
	// firstAgain is when a node that is alone looks again; each time the pause doubles, up to every.
	firstAgain = time.Second
	// firstFor bounds the first look: then the node goes on alone.
	firstFor = 15 * time.Second
	// sayAgain is when the same failure is logged again.
	sayAgain = 5 * time.Minute
)

// Gossip is what joins.
type Gossip interface {
	Join(ctx context.Context, seeds []string) error
	Self() cluster.Member
	Members() []cluster.Member
}

// Keeper keeps a node joined to its seeds.
type Keeper struct {
	seeds  Seeds
	gossip Gossip
	logger *slog.Logger

	cancel context.CancelFunc
	once   sync.Once
	done   chan struct{}

	said   string // the last failure that was logged, and when; by the one goroutine
	saidAt time.Time
}

// NewKeeper makes one; it waits for nothing.
func NewKeeper(seeds Seeds, gossip Gossip, logger *slog.Logger) *Keeper {
	return &Keeper{seeds: seeds, gossip: gossip, logger: logger}
}

// Start looks once, for at most 15 s, so that a node knows the others before it goes on, and from then on in the background. It
// fails never: who finds nobody is alone until somebody comes.
func (k *Keeper) Start(ctx context.Context) {
	if k.seeds.None() {
		return
	}
	bounded, cancel := context.WithTimeout(ctx, firstFor)
	defer cancel()
	k.look(bounded)
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	k.cancel, k.done = stop, make(chan struct{})
	go k.run(running)
}

// Stop ends looking. Idempotent, safe before Start.
func (k *Keeper) Stop() {
	k.once.Do(func() {
		if k.cancel != nil {
			k.cancel()
			<-k.done
		}
	})
}

func (k *Keeper) run(ctx context.Context) {
	defer close(k.done)
	pause := firstAgain
	for {
		if !k.alone() {
			pause = every
		}
		timer := time.NewTimer(jittered(pause))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
			k.look(ctx)
			pause = min(2*pause, every)
		}
	}
}

// jittered is the pause, a fifth more or less: many nodes start at once.
func jittered(d time.Duration) time.Duration {
	return d*4/5 + rand.N(d*2/5)
}

func (k *Keeper) alone() bool { return len(k.gossip.Members()) < 2 }

// look joins the seeds that are no members.
func (k *Keeper) look(ctx context.Context) {
	found, err := k.seeds.Find(ctx)
	if ctx.Err() != nil && err != nil {
		return // it was told to stop, or it looked for too long and looks again soon
	}
	if err != nil {
		k.say(fmt.Errorf("finding nodes to join: %w", err))
	}
	missing := k.missing(found)
	if len(missing) == 0 {
		if err == nil {
			k.well()
		}
		return
	}
	joinErr := k.gossip.Join(ctx, missing)
	switch {
	case ctx.Err() != nil:
	case joinErr != nil && k.alone():
		k.say(fmt.Errorf("this node is alone, none of %d seeds could be joined: are they up, and is their gossip port open for TCP and UDP? %w", len(missing), joinErr))
	case joinErr != nil:
		k.logger.Debug("seeds are no members", "seeds", missing, "err", joinErr)
	case err == nil:
		k.well()
	}
}

// missing are the seeds that are neither members nor this node.
func (k *Keeper) missing(found []string) []string {
	known := []string{}
	for _, m := range k.gossip.Members() {
		known = append(known, canonical(m.Gossip))
	}
	return slices.DeleteFunc(found, func(addr string) bool { return slices.Contains(known, canonical(addr)) })
}

func canonical(hostPort string) string {
	host, port, err := net.SplitHostPort(hostPort)
	if ip := net.ParseIP(host); err == nil && ip != nil {
		return net.JoinHostPort(ip.String(), port)
	}
	return hostPort
}

// say logs a failure when it is another one, or again after a while.
func (k *Keeper) say(err error) {
	if text := err.Error(); text != k.said || time.Since(k.saidAt) > sayAgain {
		k.said, k.saidAt = text, time.Now()
		k.logger.Warn("joining other nodes", "err", err)
	}
}

func (k *Keeper) well() {
	if k.said != "" && !k.alone() {
		k.said = ""
		k.logger.Info("joined other nodes", "members", len(k.gossip.Members()))
	}
}
