package ownership

import (
	"context"
	"slices"
	"time"

	"github.com/trackmesh/trackmesh/cluster"
)

// tell is the loop between this node and the others: what runs here and how it is goes out, and who is dead comes in.
func (k *Keeper) tell(ctx context.Context) {
	heard := make(chan struct{}, 1)
	cancel := k.opts.Members.Watch(func() {
		select {
		case heard <- struct{}{}:
		default: // one look is enough
		}
	})
	defer cancel()
	ticker := time.NewTicker(tellInterval)
	defer ticker.Stop()
	t := teller{keeper: k, health: cluster.NewHealth(time.Now()), others: k.opts.Members.Members()}
	for {
		select {
		case <-ctx.Done():
			k.opts.Members.SetRunning(nil)
			return
		case <-heard:
			t.look()
		case now := <-ticker.C:
			t.report(now)
		}
	}
}

// teller is the state of that loop.
type teller struct {
	keeper    *Keeper
	health    *cluster.Health
	others    []cluster.Member // as last seen
	told      []cluster.Running
	refreshed time.Time
	owed      bool // somebody died: everybody must join anew
}

// look makes everybody join anew when somebody has died: the living do within a heartbeat, and the dead are seen to block it.
func (t *teller) look() {
	now := t.keeper.opts.Members.Members()
	died := dead(t.others, now)
	t.others = now
	if len(died) == 0 {
		return
	}
	t.keeper.opts.Logger.Info("members are gone", "members", died)
	t.owed = true
	t.force()
}

// force pays what is owed. While a join of ours waits it would be forgotten; and that join may have the dead in it, if they had
// joined before they died.
func (t *teller) force() {
	if !t.owed || t.keeper.group.Waiting() > 0 {
		return
	}
	t.owed = false
	t.keeper.metrics.rebalances.Inc()
	t.keeper.group.ForceRebalance()
}

// dead are the members that are not there any more, or are there in another life. Who had given everything away has left
// by itself, and the group knows.
func dead(before, now []cluster.Member) []string {
	var names []string
	for _, m := range before {
		if m.Status == cluster.Draining && len(m.Running) == 0 {
			continue
		}
		if !slices.ContainsFunc(now, func(n cluster.Member) bool { return n.Name == m.Name && n.Boot == m.Boot }) {
			names = append(names, m.Name)
		}
	}
	return names
}

// report tells gossip what has changed here.
func (t *teller) report(now time.Time) {
	k := t.keeper
	t.force()
	answered := k.group.Answered()
	if !answered.IsZero() {
		t.health.Contact(answered)
	}
	if now.Sub(answered) >= lateAfter && now.Sub(t.refreshed) >= refreshInterval {
		t.refreshed = now
		k.group.Refresh()
	}
	sick := t.health.Sick(now)
	k.wasSick.Store(t.health.WasSick(now))
	if k.sick.Swap(sick) != sick {
		t.say(sick)
	}
	if running := k.opts.Host.Running(); !slices.Equal(running, t.told) {
		t.told = running
		k.opts.Members.SetRunning(running)
	}
}

func (t *teller) say(sick bool) {
	k := t.keeper
	k.mu.Lock()
	draining := k.stopped
	k.mu.Unlock()
	switch {
	case sick:
		k.opts.Logger.Warn("no contact to the log's group; this node answers for its partitions no more until it is back")
	default:
		k.opts.Logger.Info("contact to the log's group is back")
	}
	if draining {
		return // it says so, and that is stronger
	}
	status := cluster.Alive
	if sick {
		status = cluster.Sick
	}
	k.opts.Members.SetStatus(status)
}
