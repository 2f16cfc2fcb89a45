package cluster_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/trackmesh/trackmesh/cluster"
)

// inputs draws any state that a cluster can be in, and some that it should not be in.
func inputs(t *rapid.T) cluster.PlaceInput {
	in := cluster.PlaceInput{Partitions: int32(rapid.IntRange(0, 40).Draw(t, "partitions"))}
	for i := range rapid.IntRange(0, 9).Draw(t, "members") {
		status := rapid.SampledFrom([]cluster.Status{cluster.Alive, cluster.Alive, cluster.Alive, cluster.Draining, cluster.Sick}).Draw(t, "status")
		m := cluster.Candidate{Name: fmt.Sprintf("n%d", i), Status: status}
		for _, p := range rapid.SliceOfDistinct(rapid.Int32Range(-1, in.Partitions), func(p int32) int32 { return p }).Draw(t, "running") {
			m.Running = append(m.Running, cluster.Running{Partition: p, Term: rapid.Uint64Range(0, 3).Draw(t, "term")})
		}
		m.Warm = rapid.SliceOf(rapid.Int32Range(-1, in.Partitions)).Draw(t, "warm")
		in.Members = append(in.Members, m)
	}
	return in
}

// eligible are who may take partitions, by the rule's words.
func eligible(in cluster.PlaceInput) []string {
	for _, want := range []cluster.Status{cluster.Alive, cluster.Sick} {
		var names []string
		for _, m := range in.Members {
			if m.Status == want {
				names = append(names, m.Name)
			}
		}
		if len(names) > 0 {
			return names
		}
	}
	return nil
}

// claimed is the owner of each partition before, "" for those whose owner may not keep it.
func claimed(in cluster.PlaceInput) []string {
	owners, terms := make([]string, in.Partitions), make([]uint64, in.Partitions)
	names := eligible(in)
	members := slices.Clone(in.Members)
	slices.SortFunc(members, func(a, b cluster.Candidate) int { return slices.Compare([]string{a.Name}, []string{b.Name}) })
	for _, m := range members {
		for _, r := range m.Running {
			if p := r.Partition; p >= 0 && p < in.Partitions && (owners[p] == "" || r.Term > terms[p]) {
				owners[p], terms[p] = m.Name, r.Term
			}
		}
	}
	for p, o := range owners {
		if !slices.Contains(names, o) {
			owners[p] = ""
		}
	}
	return owners
}

func count(owners []string) map[string]int {
	n := map[string]int{}
	for _, o := range owners {
		n[o]++
	}
	return n
}

func TestPlacementIsBalanced(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		in := inputs(t)
		plan, names := cluster.Place(in), eligible(in)
		require.Len(t, plan, int(in.Partitions))
		loads := count(plan)
		if len(names) == 0 {
			require.Equal(t, len(plan), loads[""], "nobody may take any")
			return
		}
		require.Zero(t, loads[""], "everything is placed")
		for name := range loads {
			require.Contains(t, names, name, "draining and sick members take nothing")
		}
		for _, name := range names {
			require.Contains(t, []int{len(plan) / len(names), len(plan)/len(names) + 1}, loads[name])
		}
	})
}

func TestPlacementMovesNoMoreThanBalanceForces(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		in := inputs(t)
		plan, before, names := cluster.Place(in), claimed(in), eligible(in)
		if len(names) == 0 {
			return
		}
		// The most that can stay: everybody keeps up to the floor, and as many keep one more as there are ones more.
		loads, each, more := count(before), len(plan)/len(names), len(plan)%len(names)
		could, above := 0, 0
		for _, name := range names {
			could += min(loads[name], each)
			if loads[name] > each {
				above++
			}
		}
		could += min(above, more)
		kept := 0
		for p, owner := range before {
			if owner != "" && plan[p] == owner {
				kept++
			}
		}
		require.Equal(t, could, kept)
	})
}

func TestPlacementIsStable(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		in := inputs(t)
		plan := cluster.Place(in)
		after := carriedOut(in, plan, 10)
		require.Equal(t, plan, cluster.Place(after))
	})
}

func TestEveryNodePlacesAlike(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		in := inputs(t)
		plan := cluster.Place(in)
		other := cluster.PlaceInput{Partitions: in.Partitions, Members: rapid.Permutation(in.Members).Draw(t, "members")}
		for i, m := range other.Members {
			if len(m.Running) > 0 {
				other.Members[i].Running = rapid.Permutation(m.Running).Draw(t, "running")
			}
			if len(m.Warm) > 0 {
				other.Members[i].Warm = rapid.Permutation(m.Warm).Draw(t, "warm")
			}
		}
		require.Equal(t, plan, cluster.Place(other))
	})
}

// carriedOut is the cluster after the plan: each owner has claimed what it was given, the others have stopped.
func carriedOut(in cluster.PlaceInput, plan cluster.Plan, term uint64) cluster.PlaceInput {
	after := cluster.PlaceInput{Partitions: in.Partitions}
	running := map[string][]cluster.Running{}
	for p, owner := range plan {
		running[owner] = append(running[owner], cluster.Running{Partition: int32(p), Term: term})
	}
	for _, m := range in.Members {
		m.Running = running[m.Name]
		after.Members = append(after.Members, m)
	}
	return after
}

func TestPlacementBySituation(t *testing.T) {
	t.Parallel()
	runs := func(term uint64, ps ...int32) (out []cluster.Running) {
		for _, p := range ps {
			out = append(out, cluster.Running{Partition: p, Term: term})
		}
		return out
	}
	for name, c := range map[string]struct {
		partitions int32
		members    []cluster.Candidate
		want       cluster.Plan
	}{
		"nobody is there":              {2, nil, cluster.Plan{"", ""}},
		"one has all":                  {3, []cluster.Candidate{{Name: "a"}}, cluster.Plan{"a", "a", "a"}},
		"a start is dealt in turn":     {5, []cluster.Candidate{{Name: "b"}, {Name: "a"}}, cluster.Plan{"a", "b", "a", "b", "a"}},
		"more members than partitions": {1, []cluster.Candidate{{Name: "a"}, {Name: "b", Running: runs(1, 0)}}, cluster.Plan{"b"}},
		"a newcomer takes its share only": {
			4, []cluster.Candidate{{Name: "a", Running: runs(1, 0, 1, 2, 3)}, {Name: "b"}}, cluster.Plan{"a", "a", "b", "b"},
		},
		"what the newcomer is warm for moves": {
			4, []cluster.Candidate{{Name: "a", Running: runs(1, 0, 1, 2, 3)}, {Name: "b", Warm: []int32{0, 2}}}, cluster.Plan{"b", "a", "b", "a"},
		},
		"who drains drops all": {
			4, []cluster.Candidate{{Name: "a", Status: cluster.Draining, Running: runs(1, 0, 1)}, {Name: "b", Running: runs(1, 2, 3)}}, cluster.Plan{"b", "b", "b", "b"},
		},
		"when all drain nothing is placed": {
			2, []cluster.Candidate{{Name: "a", Status: cluster.Draining, Running: runs(1, 0, 1)}}, cluster.Plan{"", ""},
		},
		"who is sick takes nothing while another is well": {
			2, []cluster.Candidate{{Name: "a", Status: cluster.Sick, Running: runs(1, 0, 1)}, {Name: "b"}}, cluster.Plan{"b", "b"},
		},
		"when all are sick everybody keeps": {
			4, []cluster.Candidate{{Name: "a", Status: cluster.Sick, Running: runs(1, 3, 1)}, {Name: "b", Status: cluster.Sick, Running: runs(1, 0, 2)}}, cluster.Plan{"b", "a", "b", "a"},
		},
		"the highest term wins": {
			2, []cluster.Candidate{{Name: "a", Running: runs(3, 0)}, {Name: "b", Running: runs(4, 0)}}, cluster.Plan{"b", "a"},
		},
		"any claim wins over a warm hint": {
			2, []cluster.Candidate{{Name: "a", Warm: []int32{0, 1}}, {Name: "b", Running: runs(1, 0)}}, cluster.Plan{"b", "a"},
		},
		"a lost session comes back to what is warm": {
			4, []cluster.Candidate{{Name: "a", Warm: []int32{1, 3}}, {Name: "b", Warm: []int32{0, 2}}}, cluster.Plan{"b", "a", "b", "a"},
		},
		"a name that comes twice sits once": {2, []cluster.Candidate{{Name: "a"}, {Name: "a"}, {Name: "b"}}, cluster.Plan{"a", "b"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, cluster.Place(cluster.PlaceInput{Partitions: c.partitions, Members: c.members}))
		})
	}
	require.Equal(t, []int32{0, 2}, cluster.Plan{"a", "b", "a"}.Of("a"))
}

// simulation is a large cluster that nodes join, leave and crash in.
type simulation struct {
	rng     *rand.Rand
	members map[string]*cluster.Candidate
	parts   int32
	born    int
	term    uint64
}

func (s *simulation) join(n int) {
	for range n {
		s.born++
		name := fmt.Sprintf("node-%05d", s.born)
		s.members[name] = &cluster.Candidate{Name: name}
	}
}

func (s *simulation) some(n int) (names []string) {
	for name := range s.members {
		names = append(names, name)
	}
	slices.Sort(names)
	s.rng.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	return names[:min(n, len(names)-1)]
}

func (s *simulation) input() cluster.PlaceInput {
	in := cluster.PlaceInput{Partitions: s.parts}
	for _, m := range s.members {
		in.Members = append(in.Members, *m)
	}
	return in
}

// rebalance carries the plan out and returns how many partitions moved that had an owner who could keep them.
func (s *simulation) rebalance() (moved int) {
	in := s.input()
	plan := cluster.Place(in)
	for p, owner := range claimed(in) {
		if owner != "" && plan[p] != owner {
			moved++
		}
	}
	s.term++
	running := map[string][]cluster.Running{}
	for p, owner := range plan {
		running[owner] = append(running[owner], cluster.Running{Partition: int32(p), Term: s.term})
	}
	for name, m := range s.members {
		m.Running = running[name]
	}
	return moved
}

func TestALargeClusterKeepsTheLawsThroughJoinsDrainsAndCrashes(t *testing.T) {
	t.Parallel()
	s := &simulation{rng: rand.New(rand.NewPCG(7, 7)), members: map[string]*cluster.Candidate{}, parts: 10_000}
	s.join(500)
	require.Zero(t, s.rebalance())
	for range 60 {
		joined, n := 0, 1+s.rng.IntN(20)
		switch s.rng.IntN(3) {
		case 0:
			joined = n
			s.join(n)
		case 1: // a crash: the claims are gone with the member
			for _, name := range s.some(n) {
				delete(s.members, name)
			}
		case 2:
			drained := s.some(n)
			for _, name := range drained {
				s.members[name].Status = cluster.Draining
			}
			s.rebalance()
			for _, name := range drained {
				require.Empty(t, s.members[name].Running)
				delete(s.members, name)
			}
		}
		moved := s.rebalance()
		each := int(s.parts) / len(s.members)
		require.LessOrEqual(t, moved, joined*(each+1), "only what the newcomers take moves")
		for name, m := range s.members {
			require.Contains(t, []int{each, each + 1}, len(m.Running), name)
		}
		require.Zero(t, s.rebalance(), "then it is quiet")
		s.requireRoutes(t)
	}
}

// asMembers is what gossip shows of the simulated nodes.
func (s *simulation) asMembers() (members []cluster.Member) {
	for _, m := range s.members {
		members = append(members, cluster.Member{Name: m.Name, Status: m.Status, Running: m.Running})
	}
	return members
}

// requireRoutes checks for some partitions that the owner is found, also while a node that was taken for dead still says that it
// runs all of them under an older claim.
func (s *simulation) requireRoutes(t *testing.T) {
	t.Helper()
	stale := cluster.Member{Name: "stale"}
	for p := range s.parts {
		stale.Running = append(stale.Running, cluster.Running{Partition: p, Term: s.term - 1})
	}
	members := append(s.asMembers(), stale)
	plan := cluster.Place(s.input())
	for range 20 {
		p := s.rng.Int32N(s.parts)
		owner, term, ok := cluster.Owner(members, p)
		require.True(t, ok)
		require.Equal(t, plan[p], owner.Name)
		require.Equal(t, s.term, term)
	}
}

func BenchmarkOwner(b *testing.B) {
	s := &simulation{rng: rand.New(rand.NewPCG(1, 1)), members: map[string]*cluster.Candidate{}, parts: 10_000}
	s.join(500)
	s.rebalance()
	members := s.asMembers()
	b.ReportAllocs()
	for b.Loop() {
		cluster.Owner(members, s.rng.Int32N(s.parts))
	}
}

func TestPlacing10000PartitionsOn500NodesTakesLessThanASecond(t *testing.T) {
	t.Parallel()
	s := &simulation{rng: rand.New(rand.NewPCG(1, 1)), members: map[string]*cluster.Candidate{}, parts: 10_000}
	s.join(490)
	s.rebalance()
	s.join(10)
	in := s.input()
	start := time.Now()
	cluster.Place(in)
	require.Less(t, time.Since(start), time.Second)
}

func BenchmarkPlace(b *testing.B) {
	for _, size := range []struct{ nodes, partitions int }{{3, 8}, {16, 256}, {500, 10_000}} {
		b.Run(fmt.Sprintf("nodes=%d/partitions=%d", size.nodes, size.partitions), func(b *testing.B) {
			s := &simulation{rng: rand.New(rand.NewPCG(1, 1)), members: map[string]*cluster.Candidate{}, parts: int32(size.partitions)}
			s.join(size.nodes)
			s.rebalance()
			s.join(1 + size.nodes/50)
			in := s.input()
			b.ReportAllocs()
			for b.Loop() {
				cluster.Place(in)
			}
		})
	}
}
