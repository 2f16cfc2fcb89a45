package kafka

import (
	"context"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/trackmesh/trackmesh/broker"
)

func init() {
	maps.Copy(inBoth, map[string]func(onKafka){
		"members share the partitions and take over from who leaves":     groupShares,
		"a member that vanished holds the others up until it is removed": groupRemoves,
		"a draining member has nothing left before it leaves":            groupDrains,
		"a member that was counted out says what it lost and joins":      groupLost,
		"a group with members takes the log's cursors":                   groupCursors,
	})
}

// seat is a member of the group and what it has.
type seat struct {
	*Group
	mu   sync.Mutex
	have map[int32]bool
	lost int
}

func (s *seat) set(have bool) func([]int32) {
	return func(ps []int32) {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, p := range ps {
			if s.have[p] = have; !have {
				delete(s.have, p)
			}
		}
	}
}

func (s *seat) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.have)
}

// spread keeps what everybody has and shares out the rest in turn: a placement that is easy to foretell.
func spread(candidates []GroupCandidate, partitions int32) []int {
	plan := make([]int, partitions)
	var live []int
	for i, c := range candidates {
		if !c.Draining {
			live = append(live, i)
		}
	}
	for p := range plan {
		plan[p] = -1
		if len(live) > 0 {
			plan[p] = live[p%len(live)]
		}
	}
	return plan
}

func join(t onKafka, l *Log, node string) *seat {
	t.Helper()
	s := &seat{have: map[int32]bool{}}
	g, err := l.JoinGroup(GroupOptions{
		Node: node, Boot: "b1", Place: spread, Assigned: s.set(true), Revoked: s.set(false),
		Lost: func(ps []int32) {
			s.set(false)(ps)
			s.mu.Lock()
			defer s.mu.Unlock()
			s.lost++
		},
	})
	require.NoError(t, err)
	s.Group = g
	t.Cleanup(g.Abandon)
	return s
}

func (t onKafka) eventually(cond func() bool, what string) {
	t.Helper()
	require.Eventually(t, cond, 20*time.Second, 10*time.Millisecond, what)
}

func sixPartitions(t onKafka) *Log {
	t.Helper()
	o := optionsFor(t, t.brokers)
	o.Partitions = 6
	return open(t, o)
}

func groupShares(t onKafka) {
	l := sixPartitions(t)
	a := join(t, l, "a")
	t.eventually(func() bool { return a.count() == 6 }, "the only member has all")
	b, c := join(t, l, "b"), join(t, l, "c")
	t.eventually(func() bool { return a.count() == 2 && b.count() == 2 && c.count() == 2 }, "each its share")
	t.eventually(func() bool {
		state, err := a.Describe(t.Context())
		require.NoError(t, err)
		return len(state.Members) == 3 && slices.ContainsFunc(state.Members, func(m GroupMember) bool {
			return m.ClientID == GroupClientID("b", "b1") && len(m.Partitions) == 2
		})
	}, "the coordinator describes them")
	require.NoError(t, b.Close(t.Context()))
	require.Zero(t, b.count(), "what it had is revoked before it leaves")
	t.eventually(func() bool { return a.count() == 3 && c.count() == 3 }, "the rest shares out what it had")
	require.NoError(t, b.Close(t.Context()), "closing twice is closing once")
}

func groupRemoves(t onKafka) {
	l := sixPartitions(t)
	a, b := join(t, l, "a"), join(t, l, "b")
	t.eventually(func() bool { return a.count() == 3 && b.count() == 3 }, "each its share")
	gone := b.MemberID()
	b.Abandon()
	a.ForceRebalance()
	t.eventually(func() bool { return a.Waiting() > 300*time.Millisecond }, "the join waits for the vanished member")
	require.Equal(t, 3, a.count())
	state, err := a.Describe(t.Context())
	require.NoError(t, err, "while a join is pending too")
	require.Len(t, state.Members, 2)
	require.NoError(t, a.Remove(t.Context(), []string{gone}, "dead"))
	t.eventually(func() bool { return a.count() == 6 && a.Waiting() == 0 }, "the join goes on at once")
	require.NoError(t, a.Remove(t.Context(), []string{gone}, "dead"), "who is gone already is no error")
}

func groupDrains(t onKafka) {
	l := sixPartitions(t)
	a, b := join(t, l, "a"), join(t, l, "b")
	t.eventually(func() bool { return a.count() == 3 && b.count() == 3 }, "each its share")
	a.SetDraining()
	a.ForceRebalance()
	t.eventually(func() bool { return a.count() == 0 && b.count() == 6 }, "the draining member gives all away, whoever leads")
	require.NoError(t, a.Close(t.Context()))
	require.Equal(t, 6, b.count())
}

func groupLost(t onKafka) {
	l := sixPartitions(t)
	a, b := join(t, l, "a"), join(t, l, "b")
	t.eventually(func() bool { return a.count() == 3 && b.count() == 3 }, "each its share")
	t.eventually(quiet(t, b, 30), "no rebalance is under way")
	before := a.MemberID()
	require.NoError(t, b.Remove(t.Context(), []string{before}, "a test"))
	t.eventually(func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		return a.lost == 1 && len(a.have) == 3
	}, "it lost what it had, and joined again")
	require.NotEqual(t, before, a.MemberID())
	t.eventually(func() bool { return b.count() == 3 }, "and shares as before")
}

// quiet holds when the group was found stable so many times in a row.
func quiet(t onKafka, s *seat, times int) func() bool {
	found := 0
	return func() bool {
		state, err := s.Describe(t.Context())
		require.NoError(t, err)
		if found++; state.State != "Stable" {
			found = 0
		}
		return found >= times
	}
}

func groupCursors(t onKafka) {
	l := sixPartitions(t)
	a, b := join(t, l, "a"), join(t, l, "b")
	t.eventually(func() bool { return a.count() == 3 && b.count() == 3 }, "each its share")
	require.NoError(t, l.StoreCursors(t.Context(), "", broker.Input, map[int32]int64{0: 5, 4: 7}))
	b.SetDraining()
	b.ForceRebalance() // commits wait until it is over
	require.NoError(t, l.StoreCursors(t.Context(), "", broker.Input, map[int32]int64{1: 9}))
	cursors, err := l.LoadCursors(t.Context(), "", broker.Input)
	require.NoError(t, err)
	require.Equal(t, map[int32]int64{0: 5, 1: 9, 4: 7}, cursors)
}

func TestJoinsAskOnceAndDifferEachTime(t *testing.T) {
	var o onKafka
	o.T, o.brokers = t, fake(t)
	l := sixPartitions(o)
	a := join(o, l, "a")
	o.eventually(func() bool { return a.count() == 6 }, "joined")
	b := groupBalancer{group: a.Group}
	first, second := b.JoinGroupMetadata([]string{"t"}, nil, 3), b.JoinGroupMetadata([]string{"t"}, nil, 3)
	require.NotEqual(t, first, second, "a follower's forced rebalance must look like a change")
}

func TestACandidateOfAnotherVersionIsUnderstoodAsFarAsItGoes(t *testing.T) {
	meta := kmsg.NewConsumerMemberMetadata()
	meta.UserData, meta.Generation = []byte("what is this"), 4
	o := kmsg.NewConsumerMemberMetadataOwnedPartition()
	o.Topic, o.Partitions = "positions", []int32{1, 2}
	meta.OwnedPartitions = append(meta.OwnedPartitions, o)
	require.Equal(t, GroupCandidate{ID: "m", Generation: 4, Owned: []int32{1, 2}}, candidate("m", &meta, "positions"))
}

func TestLeavingIsBoundedWhileNoBrokerAnswers(t *testing.T) {
	var o onKafka
	o.T, o.brokers = t, fake(t)
	l := sixPartitions(o)
	a := join(o, l, "a")
	o.eventually(func() bool { return a.count() == 6 }, "joined")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.Error(t, a.Close(ctx))
}
