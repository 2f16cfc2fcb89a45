// Package node wires everything into the daemon: it is the only package that knows all the others.
//
// Run opens the log, starts fences, partitions, sinks and the API in that order, and stops them in the reverse one. Each
// part is started by what stands below it, and stopped when the context ends. What fails at the start is returned as one
// line that says what to do; what fails later is logged, shown by /readyz, and tried again.
package node
