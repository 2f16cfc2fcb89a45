package cluster

import (
	"cmp"
	"slices"
)

// Candidate is a member that partitions can be placed on, with what it holds now.
type Candidate struct {
	Name    string
	Status  Status
	Running []Running // what it runs, under the claims of these terms
	Warm    []int32   // what it does not run but has the state of: a hint, any claim wins
}

// PlaceInput is all that a placement depends on. The order of members and of what they hold does not matter.
type PlaceInput struct {
	Partitions int32
	Members    []Candidate // names differ
}

// Plan says by partition who should run it, "" when nobody can.
type Plan []string

// Of are the partitions of one member, in order.
func (p Plan) Of(name string) []int32 {
	var mine []int32
	for partition, owner := range p {
		if owner == name {
			mine = append(mine, int32(partition))
		}
	}
	return mine
}

// Place says where each partition should run. It is pure, and its laws are tested:
//
//   - balance: everybody who may take partitions has ⌊P/N⌋ of them or one more;
//   - minimal movement: no more claimed partitions change their owner than balance and drains force;
//   - stability: a plan that has been carried out leads to the same plan;
//   - agreement: the same input leads to the same plan on every node, in whatever order it comes.
//
// The claim with the highest term counts, lower ones are hints like warm state. Draining members drop all that they have and
// take nothing, also when all drain: then nothing is placed, the log keeps everything, and the next node to come goes on. Sick
// members take nothing while somebody is well; when all are sick (the log is away from everybody) they count as well, so that
// everybody keeps what they hold.
func Place(in PlaceInput) Plan {
	plan := make(Plan, max(in.Partitions, 0))
	b := newBoard(in)
	if len(b.seats) == 0 {
		return plan
	}
	b.setQuotas()
	b.shed()
	b.fillWarm()
	b.fillRest()
	for p, seat := range b.owner {
		plan[p] = b.seats[seat].name
	}
	return plan
}

const nobody = -1

// seat is a member that may take partitions.
type seat struct {
	name                string
	kept, quota, warmed int // partitions: held in the plan so far, allowed, warm without a claim
}

func (s *seat) room() bool { return s.kept < s.quota }

// board is a plan in the making.
type board struct {
	seats []seat
	owner []int   // partition → seat or nobody
	warm  [][]int // partition → seats that have its state
}

func newBoard(in PlaceInput) *board {
	b := &board{owner: make([]int, max(in.Partitions, 0)), warm: make([][]int, max(in.Partitions, 0))}
	sitting := b.seat(in.Members)
	b.settleClaims(in.Members, sitting)
	for _, m := range in.Members {
		seat, ok := sitting[m.Name]
		if !ok {
			continue
		}
		for _, p := range m.Warm {
			b.hint(p, seat)
		}
	}
	for p := range b.warm {
		slices.Sort(b.warm[p])
		b.warm[p] = slices.Compact(b.warm[p])
		if b.owner[p] == nobody && len(b.warm[p]) > 0 {
			b.seats[b.warm[p][0]].warmed++
		}
	}
	return b
}

// seat seats by name who may take partitions.
func (b *board) seat(members []Candidate) map[string]int {
	eligible := func(want Status) {
		for _, m := range members {
			if m.Status == want {
				b.seats = append(b.seats, seat{name: m.Name})
			}
		}
	}
	if eligible(Alive); len(b.seats) == 0 {
		eligible(Sick)
	}
	slices.SortFunc(b.seats, func(x, y seat) int { return cmp.Compare(x.name, y.name) })
	b.seats = slices.CompactFunc(b.seats, func(x, y seat) bool { return x.name == y.name })
	sitting := make(map[string]int, len(b.seats))
	for i, s := range b.seats {
		sitting[s.name] = i
	}
	return sitting
}

// settleClaims gives each partition to the highest claim, if that one may keep it; the others have its state, more or less.
func (b *board) settleClaims(members []Candidate, sitting map[string]int) {
	type claim struct {
		term uint64
		name string
	}
	best := make([]claim, len(b.owner))
	for p := range b.owner {
		b.owner[p] = nobody
	}
	for _, m := range members {
		seat, seated := sitting[m.Name]
		for _, r := range m.Running {
			if r.Partition < 0 || int(r.Partition) >= len(best) {
				continue
			}
			if seated {
				b.hint(r.Partition, seat)
			}
			c := best[r.Partition]
			if c.name == "" || r.Term > c.term || r.Term == c.term && m.Name < c.name {
				best[r.Partition] = claim{r.Term, m.Name}
			}
		}
	}
	for p, c := range best {
		if seat, ok := sitting[c.name]; ok && c.name != "" {
			b.owner[p] = seat
			b.seats[seat].kept++
		}
	}
}

func (b *board) hint(p int32, seat int) {
	if p >= 0 && int(p) < len(b.warm) {
		b.warm[p] = append(b.warm[p], seat)
	}
}

// setQuotas gives the one more to those who would have to shed it, then to those who have the most state.
func (b *board) setQuotas() {
	each, more := len(b.owner)/len(b.seats), len(b.owner)%len(b.seats)
	order := make([]int, len(b.seats))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(x, y int) int {
		return cmp.Or(cmp.Compare(b.seats[y].kept, b.seats[x].kept), cmp.Compare(b.seats[y].warmed, b.seats[x].warmed))
	})
	for rank, i := range order {
		b.seats[i].quota = each
		if rank < more {
			b.seats[i].quota++
		}
	}
}

// shed takes from those who have too many: first what somebody with room is warm for, then the highest numbers.
func (b *board) shed() {
	for _, onlyWarm := range []bool{true, false} {
		for p, o := range slices.Backward(b.owner) {
			if o == nobody || b.seats[o].kept <= b.seats[o].quota {
				continue
			}
			if onlyWarm {
				next := b.warmSeat(p)
				if next == nobody {
					continue
				}
				b.give(p, next)
			} else {
				b.owner[p] = nobody
			}
			b.seats[o].kept--
		}
	}
}

// warmSeat is who has the partition's state and room for it: the one with the most room, then by name.
func (b *board) warmSeat(p int) int {
	best := nobody
	for _, s := range b.warm[p] {
		if b.seats[s].room() && (best == nobody || b.seats[s].quota-b.seats[s].kept > b.seats[best].quota-b.seats[best].kept) {
			best = s
		}
	}
	return best
}

func (b *board) give(p, seat int) {
	b.owner[p] = seat
	b.seats[seat].kept++
}

func (b *board) fillWarm() {
	for p, o := range b.owner {
		if o != nobody {
			continue
		}
		if s := b.warmSeat(p); s != nobody {
			b.give(p, s)
		}
	}
}

// fillRest deals what is left, in turn.
func (b *board) fillRest() {
	turn := 0
	for p, o := range b.owner {
		if o != nobody {
			continue
		}
		for !b.seats[turn%len(b.seats)].room() {
			turn++
		}
		b.give(p, turn%len(b.seats))
		turn++
	}
}
