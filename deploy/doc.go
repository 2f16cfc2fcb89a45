// Package deploy holds no code: its folders say how to run trackmesh elsewhere, in Marathon first.
//
// Its tests check what can be checked without an engine: that the group is made of the apps beside it, that ports, checks
// and grace periods fit together, and (in cmd/node and cmd/trackctl) that every command line there is one that the
// binaries take. What needs foreign schemas is in tools/deploycheck.
package deploy
