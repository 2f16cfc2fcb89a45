package kafka

import (
	"context"
	"fmt"
	"time"

	"github.com/trackmesh/trackmesh/broker"
)

const (
	watchEvery   = time.Second
	watchTimeout = 3 * time.Second
	// silentAfter is how long no broker may have answered any client before Health says so.
	silentAfter = 5 * time.Second
	// deletedAfter is how many times in a row a topic must be missing: a broker that has just started may not know it yet.
	deletedAfter = 15
)

// watch asks for our topics every second: it is the pulse behind Health, and it notices a topic that was deleted or made
// anew under us.
func (l *Log) watch(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	missing := map[broker.Stream]int{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		asking, cancel := context.WithTimeout(ctx, watchTimeout)
		topics, _, err := l.describe(asking)
		cancel()
		if err == nil {
			l.compare(topics, missing) //nolint:contextcheck // readers ask within their own life
		}
	}
}

// compare holds what the cluster has now against what it had when we opened.
func (l *Log) compare(topics map[broker.Stream]topic, missing map[broker.Stream]int) {
	var health error
	for _, s := range l.streams {
		was, is := l.topics[s], topics[s]
		switch _, there := topics[s]; {
		case !there:
			health = fmt.Errorf("topic %s was deleted: restart every node to have it made anew", l.topicOf(s))
			if missing[s]++; missing[s] >= deletedAfter {
				l.lose(s, health)
			}
			continue
		case is.id != was.id:
			err := fmt.Errorf("topic %s was deleted and made anew (id %s, was %s): restart every node; partitions whose checkpoint names the old topic say what to do then",
				l.topicOf(s), is.hexID(), was.hexID())
			health = err
			l.lose(s, err)
		case is.partitions != was.partitions:
			health = fmt.Errorf("topic %s has %d partitions now, was %d: restart every node", l.topicOf(s), is.partitions, was.partitions)
		case is.leaderless >= 0:
			health = fmt.Errorf("%s[%d] has no leader", l.topicOf(s), is.leaderless)
		}
		missing[s] = 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.health = health
}

// lose marks a stream as not ours any more and tells its readers, once.
func (l *Log) lose(s broker.Stream, err error) {
	l.mu.Lock()
	_, known := l.lost[s]
	var readers []*reader
	if !known {
		l.lost[s] = err
		for r := range l.readers {
			readers = append(readers, r)
		}
	}
	l.mu.Unlock()
	for _, r := range readers {
		r.lose(s)
	}
}

func (l *Log) lostError(s broker.Stream) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lost[s]
}

// Health returns nil while brokers answer and our topics are whole.
func (l *Log) Health() error {
	if l.isClosed() {
		return broker.ErrClosed
	}
	if silent := time.Since(time.Unix(0, l.metrics.lastAnswer.Load())); silent > silentAfter {
		return l.unreachable(fmt.Errorf("silent for %s", silent.Round(time.Second)))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.health
}
