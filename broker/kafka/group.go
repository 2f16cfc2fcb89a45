package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/trackmesh/trackmesh/broker"
)

// Times of the membership. The session is long because nobody waits for it: who is dead is found by gossip and removed by
// the living; it is what remains when gossip fails too.
const (
	groupHeartbeat = 200 * time.Millisecond
	groupSession   = 12 * time.Second
	groupRebalance = 6 * time.Second
	// joinVersion caps JoinGroup: from 4 on a member joins twice, and one that dies between is invisible, cannot be removed,
	// and blocks the others for the rebalance's time-out.
	joinVersion = 3
)

// GroupOptions of a Group. All fields are needed.
type GroupOptions struct {
	// Node and Boot make the client id, tm/<node>/<boot>, by which the others know whose member this is.
	Node, Boot string
	// Place says who runs which partition: the index of a candidate for each, or -1. It is called on the leader.
	Place func(candidates []GroupCandidate, partitions int32) []int
	// Assigned must return at once; Revoked when the partitions are let go, in 2 s at most. Lost comes when the session was
	// lost: others may run these partitions already, and nothing need be committed. One call at a time.
	Assigned, Revoked, Lost func(partitions []int32)
	Logger                  *slog.Logger
}

// GroupCandidate is a member as it presented itself when it joined.
type GroupCandidate struct {
	ID         string // begins with the client id
	Draining   bool
	Generation int32   // in which it had Owned
	Owned      []int32 // what the group had given it
	Warm       []int32 // what it had when it lost the group, and still holds in memory
}

// GroupMember is a member as the coordinator describes it.
type GroupMember struct {
	ID, ClientID string
	Partitions   []int32 // of the input
}

// GroupState is what the coordinator says of the group.
type GroupState struct {
	State   string // Kafka's word: Stable, PreparingRebalance, CompletingRebalance, Empty, Dead
	Members []GroupMember
}

// Group is this process's membership in the consumer group that owns the partitions. It reads nothing: its client only
// joins, beats and leaves, and records come through readers.
type Group struct {
	log    *Log
	opts   GroupOptions
	client *kgo.Client
	admin  *kadm.Client
	pulse  *groupPulse
	cancel context.CancelFunc // ends the client without leaving

	mu       sync.Mutex // guards what follows
	draining bool
	warm     []int32
}

// JoinGroup begins to join; it returns at once.
func (l *Log) JoinGroup(opts GroupOptions) (*Group, error) {
	if l.isClosed() {
		return nil, broker.ErrClosed
	}
	g := &Group{log: l, opts: opts, pulse: newGroupPulse()}
	ctx, cancel := context.WithCancel(context.Background())
	g.cancel = cancel
	client, err := kgo.NewClient(append(l.clientOptions("group"), g.options(ctx)...)...)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("configuring the client of group %s: %w", l.opts.Group, err)
	}
	g.client, g.admin = client, kadm.NewClient(client)
	l.group.Store(g)
	return g, nil
}

func (g *Group) options(ctx context.Context) []kgo.Opt {
	versions := kversion.Stable()
	versions.SetMaxKeyVersion(int16(kmsg.JoinGroup), joinVersion)
	return []kgo.Opt{
		kgo.WithContext(ctx),
		kgo.ClientID(GroupClientID(g.opts.Node, g.opts.Boot)),
		kgo.WithHooks(g.log.metrics, g.pulse),
		kgo.MaxVersions(versions),
		kgo.RetryTimeoutFn(groupRetryTimeout),
		kgo.ConsumerGroup(g.log.opts.Group),
		kgo.ConsumeTopics(g.log.topicOf(broker.Input), g.log.topicOf(broker.Commands)),
		kgo.Balancers(&groupBalancer{group: g}),
		kgo.HeartbeatInterval(groupHeartbeat),
		kgo.SessionTimeout(groupSession),
		kgo.RebalanceTimeout(groupRebalance),
		kgo.DisableAutoCommit(),
		// Nothing is read through this client: with no offset it never asks a broker for one, let alone for records.
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.AdjustFetchOffsetsFn(func(context.Context, map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
			return nil, nil //nolint:nilnil // no offset for any partition
		}),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, m map[string][]int32) {
			g.setWarm(nil) // the hints are used up
			g.opts.Assigned(m[g.log.topicOf(broker.Input)])
		}),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, m map[string][]int32) {
			if ps := m[g.log.topicOf(broker.Input)]; len(ps) > 0 {
				g.opts.Revoked(ps)
			}
		}),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, m map[string][]int32) {
			ps := m[g.log.topicOf(broker.Input)]
			g.setWarm(ps)
			g.opts.Lost(ps)
		}),
	}
}

// groupRetryTimeout: what makes the membership is tried for as long as it takes. Giving up would lose every partition, and
// while Kafka is away nobody else can take them.
func groupRetryTimeout(key int16) time.Duration {
	switch kmsg.Key(key) {
	case kmsg.JoinGroup, kmsg.SyncGroup, kmsg.Heartbeat:
		return 0
	case kmsg.LeaveGroup:
		return 3 * time.Second
	default:
		return retryTimeout(key)
	}
}

// GroupClientID is the client id of a node's membership.
func GroupClientID(node, boot string) string { return "tm/" + node + "/" + boot }

// SetDraining makes the next joins say that this member wants no partitions.
func (g *Group) SetDraining() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.draining = true
}

func (g *Group) setWarm(partitions []int32) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.warm = partitions
}

// presented is what the next join says of this member besides what it owns.
func (g *Group) presented() (draining bool, warm []int32) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.draining, g.warm
}

// ForceRebalance makes the group's members join anew. It returns at once.
func (g *Group) ForceRebalance() { g.client.ForceRebalance() }

// Refresh makes the client ask which brokers there are: a broker that hangs is then no longer taken for the coordinator.
func (g *Group) Refresh() { g.client.ForceMetadataRefresh() }

// Waiting is how long a join or sync of ours has been unanswered; zero: none is.
func (g *Group) Waiting() time.Duration { return g.pulse.waiting() }

// Answered is when the coordinator last answered a heartbeat, a join or a description; zero: never.
func (g *Group) Answered() time.Time { return g.pulse.answered() }

// MemberID is what the coordinator calls this process, empty before the first join.
func (g *Group) MemberID() string {
	id, _ := g.client.GroupMetadata()
	return id
}

// Describe asks the coordinator for the group's members.
func (g *Group) Describe(ctx context.Context) (GroupState, error) {
	described, err := g.admin.DescribeGroups(ctx, g.log.opts.Group)
	if err != nil {
		return GroupState{}, fmt.Errorf("describing group %s: %w", g.log.opts.Group, within(ctx, err))
	}
	d := described[g.log.opts.Group]
	if d.Err != nil {
		return GroupState{}, fmt.Errorf("describing group %s: %w", g.log.opts.Group, d.Err)
	}
	g.pulse.beat()
	s := GroupState{State: d.State}
	for _, m := range d.Members {
		member := GroupMember{ID: m.MemberID, ClientID: m.ClientID}
		if assigned, ok := m.Assigned.AsConsumer(); ok {
			for _, t := range assigned.Topics {
				if t.Topic == g.log.topicOf(broker.Input) {
					member.Partitions = t.Partitions
				}
			}
		}
		s.Members = append(s.Members, member)
	}
	return s, nil
}

// Remove takes members out of the group by their ids; those that are gone already are no error.
func (g *Group) Remove(ctx context.Context, memberIDs []string, reason string) error {
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group = g.log.opts.Group
	for _, id := range memberIDs {
		m := kmsg.NewLeaveGroupRequestMember()
		m.MemberID, m.Reason = id, new(reason)
		req.Members = append(req.Members, m)
	}
	resp, err := req.RequestWith(ctx, g.client)
	if err != nil {
		return fmt.Errorf("removing %d members from group %s: %w", len(memberIDs), g.log.opts.Group, within(ctx, err))
	}
	return removed(resp)
}

// Close leaves the group: what the member still has is revoked first. When ctx ends before, the membership is dropped and
// ends with its session, or when the others remove it. Never call it inside a callback. Idempotent.
func (g *Group) Close(ctx context.Context) error {
	g.log.group.CompareAndSwap(g, nil)
	err := g.client.LeaveGroupContext(ctx)
	if errors.Is(err, context.Canceled) && ctx.Err() == nil {
		err = nil // closed before
	}
	g.Abandon()
	if err != nil {
		return fmt.Errorf("leaving group %s: %w", g.log.opts.Group, within(ctx, err))
	}
	return nil
}

// Abandon ends the client without leaving, as a crash would.
func (g *Group) Abandon() {
	g.log.group.CompareAndSwap(g, nil)
	g.cancel()
	g.client.Close()
}
