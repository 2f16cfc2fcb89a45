package source

import "strconv"

// Reason why a record is refused: those of docs/semantics.md.
type Reason string

// The reasons.
const (
	Unparsable Reason = "unparsable" // not a record of its format
	Vehicle    Reason = "vehicle"    // missing, empty, over 128 bytes, not UTF-8, or with control characters
	Position   Reason = "position"   // missing, not a number, out of range, or 0,0
	Time       Reason = "time"       // missing or unreadable
	Future     Reason = "future"     // more than a minute ahead of the record's timestamp or the node's clock
)

// Refusal says why a record cannot become a fix: the reason of its dead letter and, for people, what exactly is wrong.
type Refusal struct {
	Reason Reason
	Detail string
}

func (r *Refusal) Error() string { return string(r.Reason) + ": " + r.Detail }

func refuse(reason Reason, detail string) *Refusal { return &Refusal{reason, detail} }

// maxQuoted is how much of a bad value a detail shows, in bytes.
const maxQuoted = 48

// quoted shows a bad value.
func quoted(b []byte) string {
	if len(b) > maxQuoted {
		return strconv.Quote(string(b[:maxQuoted])) + "…"
	}
	return strconv.Quote(string(b))
}
