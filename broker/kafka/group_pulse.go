package kafka

import (
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// groupPulse watches the group client's requests: since when a join or sync is unanswered, and when the coordinator last
// answered anything. An answer that is an error (not the coordinator any more) counts too: whoever gets one is not cut off.
type groupPulse struct {
	mu      sync.Mutex // guards what follows
	pending map[kmsg.Key]time.Time
	last    time.Time
}

var (
	_ kgo.HookBrokerWrite = (*groupPulse)(nil)
	_ kgo.HookBrokerE2E   = (*groupPulse)(nil)
)

func newGroupPulse() *groupPulse { return &groupPulse{pending: map[kmsg.Key]time.Time{}} }

func waits(key int16) bool {
	return kmsg.Key(key) == kmsg.JoinGroup || kmsg.Key(key) == kmsg.SyncGroup
}

// OnBrokerWrite begins the wait of a join or sync.
func (g *groupPulse) OnBrokerWrite(_ kgo.BrokerMetadata, key int16, _ int, _, _ time.Duration, err error) {
	if err != nil || !waits(key) {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pending[kmsg.Key(key)] = time.Now()
}

// OnBrokerE2E ends it.
func (g *groupPulse) OnBrokerE2E(_ kgo.BrokerMetadata, key int16, e kgo.BrokerE2E) {
	if !waits(key) && kmsg.Key(key) != kmsg.Heartbeat {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.pending, kmsg.Key(key))
	if e.Err() == nil {
		g.last = time.Now()
	}
}

func (g *groupPulse) beat() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.last = time.Now()
}

func (g *groupPulse) answered() time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.last
}

func (g *groupPulse) waiting() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	var longest time.Duration
	for _, since := range g.pending {
		longest = max(longest, time.Since(since))
	}
	return longest
}
