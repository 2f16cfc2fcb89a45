// Package follow keeps a view of a compacted stream of one partition: the fences, the webhooks.
//
// A Follower owns the reading: it builds a view anew from the earliest record, shows it when it is whole, follows the log, and
// starts over with back-off when that fails. What a view is, and how it is shown, its user says. It refuses to write, and to
// remember anything of a view that it starts over. Whoever calls Run ends it with its context; it starts no goroutine. It fails by
// telling: Failing says why the stream cannot be read just now.
package follow
