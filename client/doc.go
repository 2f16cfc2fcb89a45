// Package client speaks the HTTP interface of a trackmesh node: questions, the ingest of positions with repeats that do no
// harm, the event stream with its resume cursor, and the walk through a topic of the log.
//
// It owns how a request is made, repeated and its problem document read. It refuses to interpret answers: they come back as
// the server wrote them. A Client has no goroutine of its own and needs no closing; it fails by returning errors, which are
// *Problem where the server said why.
package client
