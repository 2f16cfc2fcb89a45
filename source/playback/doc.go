// Package playback plays a file of positions as if they came now.
//
// It owns reading the file (plain or gzip, as a stream), the pace, and rewriting times. It refuses to send: the caller gives a Sender,
// to which lines go in the file's order. Run plays in the caller's goroutine until the file ends or its context does, and starts
// no other. It fails with the file and the line at which it could not go on.
package playback
