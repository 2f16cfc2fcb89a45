// Command deploycheck validates deploy/ with the parsers of those who will read it, without an engine: Marathon's schemas
// where they are at hand, Compose's loader, BuildKit's Dockerfile parser, and Prometheus' parsers of rules and expressions.
//
// It is in the module of the tools, so that none of this is a dependency of trackmesh. It prints what is wrong, a line each,
// and exits with 1.
package main
