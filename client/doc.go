// Package client asks trackmesh nodes, in two ways.
//
// Mesh is the typed client of a cluster: Dial, then Track(vehicle).Get, Send, Path and Watch, and Search. It speaks Connect to any node,
// goes on at another one when that does not answer, repeats messages under an idempotency key, and takes up a watch where it was, so
// that no event is missed and none comes twice.
//
// Client speaks plain HTTP to one server: the ingest of positions with repeats that do no harm, the event stream with its cursor, the
// walk through a topic of the log, and questions whose answers it hands on as the server wrote them.
//
// Neither has a goroutine of its own. They fail by returning errors: a Mesh wraps ErrNotFound, ErrInvalid, ErrDenied and ErrCursorGone,
// a Client returns a *Problem where the server said why.
package client
