package remote

import (
	"context"
	"fmt"
	"log/slog"
	"unicode/utf8"

	protoremote "github.com/asynkron/protoactor-go/remote"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protowire"

	trackmeshv1 "github.com/trackmesh/trackmesh/messages/trackmesh/v1"
)

// actorName is the one actor that others may send to.
const actorName = "peer"

// partType is the one type of message that may be sent.
var partType = string((&trackmeshv1.PeerPart{}).ProtoReflect().Descriptor().FullName())

// guard stands between the network and protoactor's reader, which indexes into what it received, ends the stream at a type that it
// does not know, and lets anybody stop or spawn actors. It passes on what is for our actor and drops the rest.
type guard struct {
	logger  *slog.Logger
	metrics *metrics
}

// stream is the interceptor. What still panics ends one stream, not the process.
func (g *guard) stream(srv any, s grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) (err error) {
	defer func() {
		if p := recover(); p != nil {
			g.logger.Error("a peer's stream panicked", "panic", p)
			err = fmt.Errorf("internal error: %v", p)
		}
	}()
	return handler(srv, &guarded{ServerStream: s, guard: g})
}

// unary refuses the calls that protoactor has not written yet: it panics in them.
func (g *guard) unary(context.Context, any, *grpc.UnaryServerInfo, grpc.UnaryHandler) (any, error) {
	return nil, errNotServed
}

type guarded struct {
	grpc.ServerStream
	guard *guard
}

// RecvMsg reads the next message that may be passed on.
func (s *guarded) RecvMsg(m any) error {
	for {
		if err := s.ServerStream.RecvMsg(m); err != nil {
			return err
		}
		message, ok := m.(*protoremote.RemoteMessage)
		if ok && s.guard.admit(message) {
			return nil
		}
		s.guard.metrics.dropped.Inc()
	}
}

// admit reports whether a message may be passed on; it takes out of a batch what may not.
func (g *guard) admit(m *protoremote.RemoteMessage) bool {
	switch t := m.GetMessageType().(type) {
	case *protoremote.RemoteMessage_ConnectRequest:
		return t.ConnectRequest.GetServerConnection() != nil
	case *protoremote.RemoteMessage_MessageBatch:
		b := t.MessageBatch
		kept := b.GetEnvelopes()[:0]
		for _, e := range b.GetEnvelopes() {
			if allowed(b, e) {
				kept = append(kept, e)
				continue
			}
			g.metrics.dropped.Inc()
		}
		if b == nil {
			return false
		}
		b.Envelopes = kept
		return true
	}
	return false
}

// allowed reports whether an envelope holds a piece for our actor, with a sender to answer to.
func allowed(b *protoremote.MessageBatch, e *protoremote.MessageEnvelope) bool {
	return e.GetSerializerId() == 0 &&
		inside(e.GetTypeId(), len(b.GetTypeNames())) && b.GetTypeNames()[e.GetTypeId()] == partType &&
		inside(e.GetTarget(), len(b.GetTargets())) && b.GetTargets()[e.GetTarget()] == actorName &&
		(e.GetSender() == 0 || inside(e.GetSender()-1, len(b.GetSenders())) && b.GetSenders()[e.GetSender()-1].GetId() == actorName) &&
		wellFormed(e.GetMessageData())
}

func inside(i int32, n int) bool { return i >= 0 && int(i) < n }

// wellFormed reports whether a piece can be decoded, without copying it.
func wellFormed(b []byte) bool {
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return false
		}
		b = b[n:]
		n = protowire.ConsumeFieldValue(number, kind, b)
		if n < 0 {
			return false
		}
		if number == bootField && kind == protowire.BytesType {
			text, _ := protowire.ConsumeBytes(b)
			if !utf8.Valid(text) {
				return false
			}
		}
		b = b[n:]
	}
	return true
}

// bootField is the only text in a piece: protobuf refuses text that is not UTF-8.
const bootField = 2
