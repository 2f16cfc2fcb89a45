package remote

import (
	"bytes"
	"log/slog"
	"testing"

	protoremote "github.com/asynkron/protoactor-go/remote"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	trackmeshv1 "github.com/trackmesh/trackmesh/messages/trackmesh/v1"
)

func TestPiecesPutTogetherAreTheBody(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		body := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "body")
		size := rapid.IntRange(1, 100).Draw(t, "size")
		var g gathering
		parts := cut(&trackmeshv1.PeerPart{Id: 7}, body, size)
		for i, p := range parts {
			raw, err := p.MarshalVT()
			require.NoError(t, err)
			require.True(t, wellFormed(raw))
			got := &trackmeshv1.PeerPart{}
			require.NoError(t, got.UnmarshalVT(raw))
			whole, err := g.add(got, len(body))
			require.NoError(t, err)
			require.Equal(t, i == len(parts)-1, whole)
		}
		require.True(t, bytes.Equal(body, g.body))
	})
}

func TestAHoleOrTooMuchIsNoticed(t *testing.T) {
	parts := cut(&trackmeshv1.PeerPart{}, make([]byte, 30), 10)
	var g gathering
	_, err := g.add(parts[1], 100)
	require.ErrorIs(t, err, errPieces)
	_, err = g.add(parts[0], 5)
	require.ErrorIs(t, err, errTooLarge)
}

// FuzzGuard: whatever batch arrives, what the guard lets through can be read by protoactor: its indexes are inside, its type is
// known, its bytes decode.
func FuzzGuard(f *testing.F) {
	part, err := (&trackmeshv1.PeerPart{Id: 1, Boot: "b", Body: []byte("body")}).MarshalVT()
	require.NoError(f, err)
	seed, err := proto.Marshal(&protoremote.RemoteMessage{MessageType: &protoremote.RemoteMessage_MessageBatch{MessageBatch: &protoremote.MessageBatch{
		TypeNames: []string{partType}, Targets: []string{actorName}, Envelopes: []*protoremote.MessageEnvelope{{MessageData: part}, {TypeId: 9}, {Target: -1}},
	}}})
	require.NoError(f, err)
	f.Add(seed)
	g := &guard{logger: slog.New(slog.DiscardHandler), metrics: newMetrics(prometheus.NewRegistry())}
	f.Fuzz(func(t *testing.T, raw []byte) {
		m := &protoremote.RemoteMessage{}
		if proto.Unmarshal(raw, m) != nil || !g.admit(m) {
			return
		}
		b := m.GetMessageBatch()
		for _, e := range b.GetEnvelopes() {
			require.Equal(t, actorName, b.GetTargets()[e.GetTarget()])
			if e.GetSender() != 0 {
				require.Equal(t, actorName, b.GetSenders()[e.GetSender()-1].GetId())
			}
			_, err := protoremote.Deserialize(e.GetMessageData(), b.GetTypeNames()[e.GetTypeId()], e.GetSerializerId())
			require.NoError(t, err)
		}
	})
}

// FuzzDecode: questions and answers of any bytes are refused or read, and what was read can be written and read again.
func FuzzDecode(f *testing.F) {
	q, err := question("x").MarshalVT()
	require.NoError(f, err)
	a, err := tracksOf(2).MarshalVT()
	require.NoError(f, err)
	f.Add(q)
	f.Add(a)
	f.Fuzz(func(t *testing.T, raw []byte) {
		question, answer := &trackmeshv1.PeerQuestion{}, &trackmeshv1.PeerAnswer{}
		if question.UnmarshalVT(raw) == nil {
			again, err := question.MarshalVT()
			require.NoError(t, err)
			require.NoError(t, (&trackmeshv1.PeerQuestion{}).UnmarshalVT(again))
		}
		if answer.UnmarshalVT(raw) == nil {
			again, err := answer.MarshalVT()
			require.NoError(t, err)
			require.NoError(t, (&trackmeshv1.PeerAnswer{}).UnmarshalVT(again))
		}
	})
}
