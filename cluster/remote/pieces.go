package remote

import (
	"errors"

	trackmeshv1 "github.com/trackmesh/trackmesh/messages/trackmesh/v1"
)

// cut makes pieces of a body. An empty body is one empty piece.
func cut(head *trackmeshv1.PeerPart, body []byte, size int) []*trackmeshv1.PeerPart {
	n := max(1, (len(body)+size-1)/size)
	parts := make([]*trackmeshv1.PeerPart, n)
	for i := range parts {
		parts[i] = &trackmeshv1.PeerPart{
			Id: head.GetId(), Boot: head.GetBoot(), Kind: head.GetKind(), TimeoutMs: head.GetTimeoutMs(),
			Index: uint32(i), Pieces: uint32(n), Body: body[i*size : min(len(body), (i+1)*size)], //nolint:gosec // a count
		}
	}
	return parts
}

var (
	errPieces   = errors.New("a piece is not the one that was to come next")
	errTooLarge = errors.New("it is over the limit of bytes")
)

// gathering puts pieces together. They come in order, as everything on one connection does; a hole is a lost message.
type gathering struct {
	body []byte
	next uint32
}

// add reports whether the piece was the last one.
func (g *gathering) add(p *trackmeshv1.PeerPart, maxBytes int) (whole bool, err error) {
	switch {
	case p.GetIndex() != g.next || p.GetIndex() >= p.GetPieces():
		return false, errPieces
	case len(g.body)+len(p.GetBody()) > maxBytes:
		return false, errTooLarge
	}
	g.next++
	if p.GetPieces() == 1 {
		g.body = p.GetBody() // it is ours: nobody else holds a decoded message
		return true, nil
	}
	if g.body == nil { // the pieces are equally large, but for the last; what a stranger says of their number is not trusted far
		g.body = make([]byte, 0, min(int(p.GetPieces()), 64)*len(p.GetBody()))
	}
	g.body = append(g.body, p.GetBody()...)
	return g.next == p.GetPieces(), nil
}
