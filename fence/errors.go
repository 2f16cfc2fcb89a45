package fence

import "fmt"

// ParseError says where in a Feature what is wrong.
type ParseError struct {
	Pointer string // a JSON pointer (RFC 6901) into the Feature; empty: the whole
	Ring    int    // the ring of the polygon; -1: no ring is to blame
	Vertex  int    // the vertex of that ring or line; -1: no vertex is to blame
	Reason  string
	Err     error // what lies beneath, such as a *geo.ShapeError; may be nil
}

func (e *ParseError) Error() string {
	if e.Pointer == "" {
		return e.Reason
	}
	return fmt.Sprintf("%s: %s", e.Pointer, e.Reason)
}

func (e *ParseError) Unwrap() error { return e.Err }

// refuse makes the error of a place that is no vertex.
func refuse(pointer, format string, args ...any) *ParseError {
	return &ParseError{Pointer: pointer, Ring: -1, Vertex: -1, Reason: fmt.Sprintf(format, args...)}
}
