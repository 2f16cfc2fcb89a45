package brokertest

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"strconv"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/broker"
)

func modelTests() map[string]func(*env) {
	return map[string]func(*env){"a random history equals a model in memory": randomHistory}
}

type place struct {
	s broker.Stream
	p int32
}

// model is what a log must hold after a history of calls.
type model struct {
	*env
	rng     *rand.Rand
	n       int // values made so far: each is written once
	records map[place][]broker.Record
	state   [partitions]map[string]string
	terms   [partitions]uint64
	claims  [partitions]broker.Claim
	stale   [partitions]broker.Claim
	cursors map[int32]int64
}

func randomHistory(e *env) {
	seed := uint64(time.Now().UnixNano())
	if s, err := strconv.ParseUint(os.Getenv("BROKERTEST_SEED"), 10, 64); err == nil {
		seed = s
	}
	e.Logf("BROKERTEST_SEED=%d", seed)
	m := &model{env: e, rng: rand.New(rand.NewPCG(seed, 0)), records: map[place][]broker.Record{}, cursors: map[int32]int64{}}
	for p := range m.state {
		m.state[p] = map[string]string{}
	}
	steps := []struct {
		weight int
		step   func()
	}{{30, m.produceSome}, {40, m.commitSome}, {8, m.claimOne}, {6, m.commitStale}, {12, m.readOne}, {4, m.moveCursor}, {3, m.restart}, {4, m.trimOne}}
	for range 250 {
		pick := m.rng.IntN(107)
		for _, s := range steps {
			if pick -= s.weight; pick < 0 {
				s.step()
				break
			}
		}
	}
	m.checkAll()
}

func (m *model) partition() int32 { return int32(m.rng.IntN(partitions)) }

func (m *model) make(s broker.Stream, p int32) broker.Record {
	m.n++
	r := record(s, p, fmt.Sprint("k", m.rng.IntN(12)), fmt.Sprint(m.n, "-"))
	r.Value = append(r.Value, noise(m.rng.IntN(1+m.rng.IntN(4000)))...)
	return r
}

func (m *model) produceSome() {
	var batch []broker.Record
	for range 1 + m.rng.IntN(20) {
		s := []broker.Stream{broker.Input, broker.Commands, broker.Dead}[m.rng.IntN(3)]
		batch = append(batch, m.make(s, m.partition()))
	}
	offsets := m.produce(batch...)
	for i := range batch {
		batch[i].Offset = offsets[i]
		at := place{batch[i].Stream, batch[i].Partition}
		m.records[at] = append(m.records[at], batch[i])
	}
}

func (m *model) commitSome() {
	p := m.partition()
	if m.claims[p] == nil {
		m.claimFor(p)
	}
	var batch []broker.Record
	for range m.rng.IntN(20) {
		s := []broker.Stream{broker.Enriched, broker.Events, broker.State, broker.Dead}[m.rng.IntN(4)]
		r := m.make(s, p)
		if s == broker.State && m.rng.IntN(4) == 0 {
			r.Value = nil
		}
		batch = append(batch, r)
	}
	m.commit(m.claims[p], batch...)
	for _, r := range batch {
		switch {
		case r.Stream != broker.State:
			r.Offset = -1 // not known
			at := place{r.Stream, p}
			m.records[at] = append(m.records[at], r)
		case r.Value == nil:
			delete(m.state[p], string(r.Key))
		default:
			m.state[p][string(r.Key)] = string(r.Value)
		}
	}
}

func (m *model) claimOne() { m.claimFor(m.partition()) }

func (m *model) claimFor(p int32) {
	c, state := m.claim(p)
	m.terms[p]++
	require.Equal(m, m.terms[p], c.Term())
	require.True(m, maps.Equal(m.state[p], state), "state of partition %d", p)
	m.stale[p], m.claims[p] = m.claims[p], c
}

func (m *model) commitStale() {
	if p := m.partition(); m.stale[p] != nil {
		require.ErrorIs(m, m.stale[p].Commit(m.ctx, commitOf(p, "stale")), broker.ErrFenced)
		m.stale[p] = nil
	}
}

func (m *model) restart() {
	for p := range m.claims {
		if m.claims[p] != nil {
			m.claims[p].Close()
		}
		m.claims[p], m.stale[p] = nil, nil
	}
	m.reopen()
}

func (m *model) moveCursor() {
	p := m.partition()
	m.cursors[p] = m.rng.Int64N(1000)
	m.storeCursors("model", broker.Events, map[int32]int64{p: m.cursors[p]})
	require.Equal(m, m.cursors, m.env.cursors("model", broker.Events))
}

// trimOne forgets the front of a partition that only Produce writes to, where the offsets are known.
func (m *model) trimOne() {
	at := place{broker.Input, m.partition()}
	if have := m.records[at]; len(have) > 1 {
		n := m.rng.IntN(len(have))
		m.dep.Trim(m.T, m.log, at.s, at.p, have[n].Offset)
		m.records[at] = have[n:]
	}
}

func (m *model) readOne() {
	s := []broker.Stream{broker.Input, broker.Commands, broker.Enriched, broker.Events, broker.Dead}[m.rng.IntN(5)]
	m.check(place{s, m.partition()})
}

func (m *model) check(at place) {
	want := m.records[at]
	if len(want) == 0 {
		return
	}
	earliest, _, err := m.log.Bounds(m.ctx, at.s, at.p)
	require.NoError(m, err)
	got := m.read(at.s, at.p, earliest, len(want))
	for i := range want {
		require.Equal(m, string(want[i].Value), string(got[i].Value), "%s[%d], record %d", at.s, at.p, i)
		require.Equal(m, string(want[i].Key), string(got[i].Key))
		if want[i].Offset >= 0 {
			require.Equal(m, want[i].Offset, got[i].Offset)
		}
		want[i].Offset = got[i].Offset
	}
}

func (m *model) checkAll() {
	for p := range int32(partitions) {
		for _, s := range []broker.Stream{broker.Input, broker.Commands, broker.Enriched, broker.Events, broker.Dead} {
			m.check(place{s, p})
			require.Len(m, m.contents(s, p), len(m.records[place{s, p}]))
		}
		m.claimFor(p)
	}
}
