package cluster_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/cluster"
)

var t0 = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func in(node, boot, id string) cluster.GroupMember {
	return cluster.GroupMember{MemberID: id, ClientID: cluster.ClientID(node, boot)}
}

// scene is the node "a" of boot "1" in a group with "b"; each case changes what it is about.
func scene() cluster.View {
	return cluster.View{
		Now: t0.Add(10 * time.Second), JoinPending: t0.Add(9 * time.Second), OwnID: "a-id",
		Group:   []cluster.GroupMember{in("a", "1", "a-id"), in("b", "1", "b-id")},
		Members: []cluster.Member{{Name: "a", Boot: "1"}},
		Missed:  map[string]int{"b": 2},
	}
}

func TestWhoIsRemovedFromTheGroup(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change  func(*cluster.View)
		wasSick bool
		want    []string
	}{
		"who blocks the join, is dead to gossip and misses two direct pings is removed": {want: []string{"b-id"}},
		"nobody is removed when no join is pending":                                     {change: func(v *cluster.View) { v.JoinPending = time.Time{} }},
		"nobody is removed before the join was pending for 500 ms":                      {change: func(v *cluster.View) { v.JoinPending = v.Now.Add(-499 * time.Millisecond) }},
		"after 500 ms it is": {change: func(v *cluster.View) { v.JoinPending = v.Now.Add(-500 * time.Millisecond) }, want: []string{"b-id"}},
		"nobody is removed on gossip alone, without pings": {change: func(v *cluster.View) { v.Missed = nil }},
		"one missed ping is not enough":                    {change: func(v *cluster.View) { v.Missed = map[string]int{"b": 1} }},
		"missed pings are not enough while gossip says alive": {
			change: func(v *cluster.View) { v.Members = append(v.Members, cluster.Member{Name: "b", Boot: "1"}) },
		},
		"a draining member is alive": {
			change: func(v *cluster.View) {
				v.Members = append(v.Members, cluster.Member{Name: "b", Boot: "1", Status: cluster.Draining})
			},
		},
		"a member that lost the log counts as dead": {
			change: func(v *cluster.View) {
				v.Members, v.Missed = append(v.Members, cluster.Member{Name: "b", Boot: "1", Status: cluster.Sick}), nil
			}, want: []string{"b-id"},
		},
		"but not for an observer that had lost it as well": {
			change: func(v *cluster.View) {
				v.Members, v.Missed = append(v.Members, cluster.Member{Name: "b", Boot: "1", Status: cluster.Sick}), nil
			}, wasSick: true,
		},
		"an observer that was sick still removes the dead": {wasSick: true, want: []string{"b-id"}},
		"an earlier start of a node that runs again is dead without pings": {
			change: func(v *cluster.View) {
				v.Members, v.Missed = append(v.Members, cluster.Member{Name: "b", Boot: "2"}), nil
			}, want: []string{"b-id"},
		},
		"a member whose start is not known yet is not judged by it": {
			change: func(v *cluster.View) { v.Members = append(v.Members, cluster.Member{Name: "b"}) },
		},
		"what a killed cluster left behind is removed, after our own join": {
			change: func(v *cluster.View) {
				v.OwnID = ""
				v.Group = []cluster.GroupMember{in("a", "1", "a-id"), in("x", "1", "x-id"), in("y", "1", "y-id")}
				v.Missed = map[string]int{"x": 2, "y": 2}
			}, want: []string{"x-id", "y-id"},
		},
		"an earlier start of this node that blocks is removed": {
			change: func(v *cluster.View) { v.Group[1] = in("a", "0", "old-id") }, want: []string{"old-id"},
		},
		"our own client under another member id is removed at any time": {
			change: func(v *cluster.View) {
				v.JoinPending, v.Group[1] = time.Time{}, in("a", "1", "lost-id")
			}, want: []string{"lost-id"},
		},
		"but not before we know our own member id": {
			change: func(v *cluster.View) { v.OwnID, v.Group = "", v.Group[:1] },
		},
		"clients that are not ours are left alone": {
			change: func(v *cluster.View) {
				v.Group[1] = cluster.GroupMember{MemberID: "b-id", ClientID: "tm/"}
				v.Group = append(v.Group, cluster.GroupMember{MemberID: "c-id", ClientID: "kafka-ui"})
			},
		},
		"a node's name may hold slashes": {
			change: func(v *cluster.View) { v.Group[1], v.Missed = in("b/c", "1", "b-id"), map[string]int{"b/c": 2} }, want: []string{"b-id"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := scene()
			if c.change != nil {
				c.change(&v)
			}
			var got []string
			for _, r := range cluster.NewKick("a", "1", t0).Decide(v, c.wasSick) {
				got = append(got, r.MemberID)
				require.NotEmpty(t, r.Reason)
			}
			require.Equal(t, c.want, got)
		})
	}
}

func TestTheGroupIsDescribedOnlyWhenSomebodyBlocksOrWeAreNew(t *testing.T) {
	t.Parallel()
	k, v := cluster.NewKick("a", "1", t0), scene()
	v.Now, v.JoinPending, v.OwnID = t0.Add(400*time.Millisecond), t0.Add(-time.Minute), ""
	require.False(t, k.Describe(v), "in its first 500 ms a node knows too little of the others")
	v.Now = t0.Add(500 * time.Millisecond)
	require.True(t, k.Describe(v))
	v.JoinPending, v.OwnID = time.Time{}, "a-id"
	require.True(t, k.Describe(v), "a new member id: earlier joins may be left over")
	require.Empty(t, k.Decide(v, false))
	require.False(t, k.Describe(v), "once")
}

func TestTheGroupIsDescribedBeforeSomebodyIsRemoved(t *testing.T) {
	t.Parallel()
	k, v := cluster.NewKick("a", "1", t0), scene()
	v.OwnID = ""
	v.JoinPending = v.Now.Add(-149 * time.Millisecond)
	require.False(t, k.Describe(v))
	v.JoinPending = v.Now.Add(-150 * time.Millisecond)
	require.True(t, k.Describe(v))
	require.Equal(t, []string{"b"}, k.Suspects(v), "the pings are over when it is time to remove")
	require.Empty(t, k.Decide(v, false))
}

func TestAfterARemovalItWaitsForThatMember(t *testing.T) {
	t.Parallel()
	k, v := cluster.NewKick("a", "1", t0), scene()
	require.Len(t, k.Decide(v, false), 1)
	v.Now = v.Now.Add(499 * time.Millisecond)
	require.Empty(t, k.Decide(v, false))
	v.Group, v.Missed["c"] = append(v.Group, in("c", "1", "c-id")), 2
	require.Len(t, k.Decide(v, false), 1, "another one need not wait")
	v.Now = v.Now.Add(time.Millisecond)
	require.Len(t, k.Decide(v, false), 1, "it is still there")
}

func TestOnlyStrangersToGossipArePinged(t *testing.T) {
	t.Parallel()
	k, v := cluster.NewKick("a", "1", t0), scene()
	v.Members = append(v.Members, cluster.Member{Name: "c", Boot: "1"})
	v.Group = append(v.Group, in("c", "1", "c-id"), in("c", "0", "c0-id"), in("b", "0", "b0-id"), in("a", "0", "a0-id"), cluster.GroupMember{MemberID: "x", ClientID: "other"})
	require.Equal(t, []string{"b"}, k.Suspects(v))
	v.JoinPending = time.Time{}
	require.Empty(t, k.Suspects(v))
}

func TestANodeIsSickTwoSecondsAfterItsLastContact(t *testing.T) {
	t.Parallel()
	h := cluster.NewHealth(t0)
	require.False(t, h.Probe(t0.Add(499*time.Millisecond)))
	require.True(t, h.Probe(t0.Add(500*time.Millisecond)), "a pending join sends no heartbeats")
	require.False(t, h.WasSick(t0.Add(999*time.Millisecond)))
	require.False(t, h.Sick(t0.Add(1999*time.Millisecond)))
	require.True(t, h.Sick(t0.Add(2*time.Second)))
	require.True(t, h.WasSick(t0.Add(2*time.Second)))
	h.Contact(t0.Add(3 * time.Second))
	for at := 3 * time.Second; at < 30*time.Second; at += 200 * time.Millisecond {
		now := t0.Add(at)
		h.Contact(now)
		require.Equal(t, at < 18*time.Second, h.WasSick(now), "15 s after second 3, at %s", at)
	}
}

func TestWhoMissedTheCoordinatorForASecondDoesNotJudgeTheSick(t *testing.T) {
	t.Parallel()
	h := cluster.NewHealth(t0)
	h.Contact(t0.Add(1100 * time.Millisecond))
	require.False(t, h.Sick(t0.Add(1100*time.Millisecond)))
	require.True(t, h.WasSick(t0.Add(1100*time.Millisecond)), "the others may be silent for two by now")
}

func TestASicknessThatNobodyAskedAboutIsRemembered(t *testing.T) {
	t.Parallel()
	h := cluster.NewHealth(t0)
	h.Contact(t0.Add(5 * time.Second))
	require.False(t, h.Sick(t0.Add(5*time.Second)))
	require.True(t, h.WasSick(t0.Add(6*time.Second)))
}

func TestTheOwnerIsTheHighestTermThatIsNotSick(t *testing.T) {
	t.Parallel()
	runs := func(term uint64) []cluster.Running { return []cluster.Running{{Partition: 3, Term: term}} }
	members := []cluster.Member{{Name: "a", Running: runs(1)}, {Name: "b", Running: runs(9), Status: cluster.Sick}, {Name: "c", Running: runs(2), Status: cluster.Draining}}
	owner, term, ok := cluster.Owner(members, 3)
	require.True(t, ok)
	require.Equal(t, "c", owner.Name)
	require.EqualValues(t, 2, term)
	_, _, ok = cluster.Owner(members, 4)
	require.False(t, ok)
	for s, word := range map[cluster.Status]string{cluster.Alive: "alive", cluster.Draining: "draining", cluster.Sick: "suspect"} {
		require.Equal(t, word, s.String())
	}
}
