package brokertest

import (
	"testing"

	"github.com/trackmesh/trackmesh/broker"
)

// Deployment is one set of topics, or one data directory, that nobody else uses.
type Deployment struct {
	// Open opens the log on what is stored. The suite closes it before it opens it again.
	Open func(t *testing.T) broker.Log
	// Trim makes the log forget records of an append-only stream below an offset, as retention would. It returns once
	// Bounds says so.
	Trim func(t *testing.T, l broker.Log, s broker.Stream, p int32, below int64)
}

// Opener makes an empty deployment that lasts as long as t. Topic and Group of the options are left to it; what else they
// ask for it must give.
type Opener func(t *testing.T, opts broker.OpenOptions) Deployment

// Run runs every test of the suite as a subtest of t.
func Run(t *testing.T, open Opener) {
	t.Helper()
	groups := []struct {
		name  string
		tests map[string]func(*env)
	}{
		{"Produce", produceTests()},
		{"Records", recordTests()},
		{"Claim", claimTests()},
		{"Fight", fightTests()},
		{"Restore", restoreTests()},
		{"Reader", readerTests()},
		{"Seek", seekTests()},
		{"Wait", waitTests()},
		{"Cursor", cursorTests()},
		{"Model", modelTests()},
	}
	for _, group := range groups {
		t.Run(group.name, func(t *testing.T) {
			for name, test := range group.tests {
				t.Run(name, func(t *testing.T) { test(start(t, open)) })
			}
		})
	}
}
