package ownership

import (
	"context"
	"time"

	"github.com/trackmesh/trackmesh/cluster"
)

const (
	// guardInterval is how often the rule is asked.
	guardInterval = 50 * time.Millisecond
	// askInterval is how often the group is described at most.
	askInterval = 200 * time.Millisecond
	// askTimeout bounds each question to the coordinator.
	askTimeout = time.Second
	// probeAfter is the silence after which the coordinator is asked for the group: a join that waits sends no heartbeats.
	probeAfter = 500 * time.Millisecond
)

// guard is the loop that keeps the group free of the dead.
func (k *Keeper) guard(ctx context.Context) {
	rule := cluster.NewKick(k.self.Name, k.self.Boot, time.Now())
	ticker := time.NewTicker(guardInterval)
	defer ticker.Stop()
	var asked time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if time.Since(asked) < askInterval {
			continue
		}
		if rule.Describe(k.view()) {
			asked = time.Now()
			k.judge(ctx, rule)
			continue
		}
		if answered := k.group.Answered(); !answered.IsZero() && time.Since(answered) >= probeAfter {
			k.probe(ctx)
		}
	}
}

func (k *Keeper) view() cluster.View {
	v := cluster.View{Now: time.Now(), OwnID: k.group.MemberID(), Members: k.opts.Members.Members()}
	if waiting := k.group.Waiting(); waiting > 0 {
		v.JoinPending = v.Now.Add(-waiting)
	}
	return v
}

// probe asks for the group only to learn whether it can be asked.
func (k *Keeper) probe(ctx context.Context) {
	asking, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	_, _ = k.group.Describe(asking) // a success is noted by the group; a failure is what there was before
}

// judge describes the group, pings whom the rule suspects, and removes whom it decides to.
func (k *Keeper) judge(ctx context.Context, rule *cluster.Kick) {
	asking, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	members, err := k.group.Describe(asking)
	if err != nil {
		return // nobody is removed while Kafka does not answer
	}
	view := k.view()
	view.Group = members
	missed := k.opts.Pinger.Missed(asking, rule.Suspects(view))
	if wait := cluster.StuckAfter - k.group.Waiting(); len(missed) > 0 && wait < cluster.StuckAfter {
		k.pause(asking, wait)
	}
	view = k.view() // the join may have ended meanwhile
	view.Group, view.Missed = members, missed
	for _, r := range rule.Decide(view, k.wasSick.Load()) {
		k.remove(ctx, r)
	}
}

// pause waits for that long, or until ctx ends.
func (k *Keeper) pause(ctx context.Context, wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (k *Keeper) remove(ctx context.Context, r cluster.Removal) {
	asking, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	err := k.group.Remove(asking, []string{r.MemberID}, r.Reason)
	if err != nil {
		k.opts.Logger.Warn("removing a member from the group failed", "member", r.ClientID, "reason", r.Reason, "err", err)
		return
	}
	k.metrics.removals.Inc()
	k.opts.Logger.Warn("removed a member from the group", "member", r.ClientID, "reason", r.Reason)
	if len(k.opts.Members.Members()) == 1 {
		k.opts.Logger.Warn("this node gossips with nobody, so the members of the group are strangers to it: if they are alive, let the nodes join each other (--join)")
	}
}
