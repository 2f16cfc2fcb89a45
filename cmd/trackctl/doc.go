// Command trackctl is the operator's tool: it asks a node about tracks, fences, events and the cluster, plays files and
// simulated vehicles in, reads the log, and measures.
//
// It owns how questions are put and answers shown. It refuses to keep state between two calls. Exit codes: 0 for done (also
// a stream ended by Ctrl-C), 2 for bad usage, 1 for everything else.
package main
