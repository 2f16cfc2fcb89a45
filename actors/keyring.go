package actors

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// keysKept is how long an idempotency key is remembered after it was applied.
const keysKept = 24 * time.Hour

// maxKeys is how many idempotency keys a partition remembers, the newest: about 10 MB at their greatest length.
const maxKeys = 50_000

// maxKeysDropped bounds how many keys one commit forgets, each of which is a tombstone in it.
const maxKeysDropped = 1000

// appliedKey is an idempotency key and when it was applied, UTC ms on the node's clock.
type appliedKey struct {
	key string
	at  int64
}

// keyring remembers which idempotency keys were applied, in the order in which they were: to ask, to add and to forget the oldest
// cost the same however many there are.
type keyring struct {
	known map[string]struct{}
	queue []appliedKey // oldest first, from head on
	head  int
}

// newKeyring makes a ring of what was restored, key → when.
func newKeyring(restored map[string]int64) *keyring {
	k := &keyring{known: make(map[string]struct{}, len(restored)), queue: make([]appliedKey, 0, len(restored))}
	for key, at := range restored {
		k.known[key] = struct{}{}
		k.queue = append(k.queue, appliedKey{key, at})
	}
	slices.SortFunc(k.queue, func(a, b appliedKey) int { return cmp.Or(cmp.Compare(a.at, b.at), strings.Compare(a.key, b.key)) })
	return k
}

func (k *keyring) len() int { return len(k.queue) - k.head }

// add notes a key; it reports false for one that is known.
func (k *keyring) add(key string, now int64) bool {
	if _, ok := k.known[key]; ok {
		return false
	}
	k.known[key] = struct{}{}
	k.queue = append(k.queue, appliedKey{key, now})
	return true
}

// drop forgets the oldest key when it was applied before the time given, or when there are too many, and returns it.
func (k *keyring) drop(before int64, most int) (key string, ok bool) {
	if k.len() == 0 || (k.queue[k.head].at >= before && k.len() <= most) {
		return "", false
	}
	key = k.queue[k.head].key
	k.queue[k.head] = appliedKey{}
	k.head++
	if k.head > len(k.queue)/2 { // each key is moved once at most for each that was dropped
		k.queue = append(k.queue[:0], k.queue[k.head:]...)
		k.head = 0
	}
	delete(k.known, key)
	return key, true
}
