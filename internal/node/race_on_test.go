//go:build race

package node

// underRace: everything is many times slower, and six nodes on two cores take each other for dead.
const underRace = true
