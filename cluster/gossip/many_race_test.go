//go:build race

package gossip

// many nodes in one process: fewer under the race detector, where each costs ten times as much.
const many = 12
