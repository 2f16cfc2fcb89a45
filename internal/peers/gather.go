package peers

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/trackmesh/trackmesh/cluster"
	"github.com/trackmesh/trackmesh/live"
	trackmeshv1 "github.com/trackmesh/trackmesh/messages/trackmesh/v1"
)

// Pauses before a partition is asked for again, doubled each time. News of the membership end a pause.
const (
	firstPause = 20 * time.Millisecond
	maxPause   = 250 * time.Millisecond
)

// inquiry is a question to the owners of some partitions.
type inquiry struct {
	// body is the question; gather sets its partitions.
	body *trackmeshv1.PeerQuestion
	// local answers for partitions of this node, and says for which it could.
	local func(ctx context.Context, partitions []int32) (answered []int32)
	// merge takes in another node's answer. Neither is ever called twice for the same partition once it answered, and both are called
	// by the goroutine that gathers.
	merge func(a *trackmeshv1.PeerAnswer)

	attempt time.Duration // how long one node is given
	once    bool          // no second attempts: a frame of the map
	patient bool          // ask until ctx ends, however long a partition has been missing
}

// attempt is one question to one node.
type attempt struct {
	partitions []int32
	answered   []int32
	answer     *trackmeshv1.PeerAnswer // nil: of this node, or none
	hopeless   bool
}

// search is the state of each partition that has not answered yet.
type search struct {
	inFlight bool
	hopeless bool // its owner cannot answer, and never will
	tries    int
	next     time.Time // not before
}

// gathered is one scatter and gather.
type gathered struct {
	peers   *Peers
	inquiry inquiry
	todo    map[int32]*search
	results chan attempt // has room for as many as can be under way
	flying  int
	work    sync.WaitGroup
}

// gather asks the owners of partitions until all have answered, it is no use to wait, or ctx ends. Each partition is asked for at
// one node at a time, and counts once: a second node that claims it has the lower term and is not asked.
func (p *Peers) gather(ctx context.Context, partitions []int32, q inquiry) live.Coverage {
	ctx, cancel := context.WithCancel(ctx)
	g := &gathered{peers: p, inquiry: q, todo: make(map[int32]*search, len(partitions)), results: make(chan attempt, len(partitions))}
	for _, partition := range partitions {
		g.todo[partition] = &search{}
	}
	defer g.work.Wait()
	defer cancel()
	g.run(ctx)
	c := live.Coverage{Asked: len(partitions), Missing: []int32{}}
	for partition := range g.todo {
		c.Missing = append(c.Missing, partition)
	}
	slices.Sort(c.Missing)
	c.Answered = c.Asked - len(c.Missing)
	return c
}

func (g *gathered) run(ctx context.Context) {
	for {
		news := g.peers.routes.next()
		g.launch(ctx)
		if len(g.todo) == 0 || ctx.Err() != nil {
			return
		}
		wait, worth := g.pause()
		if g.flying == 0 && !worth {
			return
		}
		timer := time.NewTimer(wait)
		select {
		case a := <-g.results:
			g.take(a)
		case <-news:
			g.hurry()
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// launch asks for every partition whose turn it is, one question a node.
func (g *gathered) launch(ctx context.Context) {
	table, now := g.peers.routes.get(), g.peers.opts.now()
	byMember := map[int][]int32{}
	for partition, s := range g.todo {
		if s.inFlight || s.hopeless || now.Before(s.next) || (g.inquiry.once && s.tries > 0) {
			continue
		}
		owner, ok := table.member(partition)
		s.tries++
		s.next = now.Add(min(maxPause, firstPause<<min(s.tries-1, 10)))
		if !ok {
			continue
		}
		s.inFlight = true
		byMember[owner] = append(byMember[owner], partition)
	}
	for i, partitions := range byMember {
		if i != table.self {
			g.ask(ctx, table.members[i], partitions)
		}
	}
	if mine := byMember[table.self]; len(mine) > 0 { // while the others work
		g.flying++
		g.take(attempt{partitions: mine, answered: g.inquiry.local(ctx, mine)})
	}
}

func (g *gathered) ask(ctx context.Context, m cluster.Member, partitions []int32) {
	slices.Sort(partitions)
	q := &trackmeshv1.PeerQuestion{Partitions: partitions, Body: g.inquiry.body.GetBody()}
	g.flying++
	g.work.Go(func() {
		bounded, cancel := context.WithTimeout(ctx, g.inquiry.attempt)
		defer cancel()
		a := attempt{partitions: partitions}
		answer, err := g.peers.opts.Asker.Ask(bounded, m, q)
		switch {
		case err != nil: // whoever went away is looked for elsewhere; what is missing in the end is said
		case answer.GetCode() == trackmeshv1.PeerCode_PEER_CODE_UNSPECIFIED:
			a.answer, a.answered = answer, answer.GetPartitions()
		case answer.GetCode() == trackmeshv1.PeerCode_PEER_CODE_UNSUPPORTED, answer.GetCode() == trackmeshv1.PeerCode_PEER_CODE_TOO_LARGE:
			a.hopeless = true
		}
		g.results <- a
	})
}

// take counts an attempt's partitions as answered, or lets them be looked for again.
func (g *gathered) take(a attempt) {
	g.flying--
	answered := a.answered[:0:0]
	for _, partition := range a.answered { // what was not asked for is not believed
		if s := g.todo[partition]; s != nil && s.inFlight && slices.Contains(a.partitions, partition) {
			answered = append(answered, partition)
		}
	}
	if a.answer != nil && len(answered) > 0 {
		if len(answered) != len(a.answered) { // the data of the others cannot be told apart
			answered = nil
		} else {
			g.inquiry.merge(a.answer)
		}
	}
	g.peers.missing.found(answered)
	for _, partition := range a.partitions {
		if slices.Contains(answered, partition) {
			delete(g.todo, partition)
			continue
		}
		s := g.todo[partition]
		if s == nil {
			continue
		}
		s.inFlight, s.hopeless = false, a.hopeless
	}
}

// pause is how long nothing can be done, and whether there is something to wait for beside what is under way.
func (g *gathered) pause() (wait time.Duration, worth bool) {
	wait = time.Hour
	now := g.peers.opts.now()
	for partition, s := range g.todo {
		if s.inFlight || s.hopeless || g.inquiry.once {
			continue
		}
		turn := s.next.Sub(now)
		if !g.inquiry.patient {
			left := g.peers.missing.left(partition)
			if left <= 0 {
				continue
			}
			turn = min(turn, left)
		}
		worth = true
		wait = min(wait, max(0, turn))
	}
	return wait, worth
}

// hurry ends the pauses: somebody may have taken a partition over.
func (g *gathered) hurry() {
	now := g.peers.opts.now()
	for _, s := range g.todo {
		s.next = now
	}
}

// all are the numbers of all partitions.
func (p *Peers) all() []int32 {
	all := make([]int32, p.opts.Partitions)
	for i := range all {
		all[i] = int32(i) //nolint:gosec // partitions are int32
	}
	return all
}
