package actors

import (
	"testing"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"
)

// hearer notes what a mailbox gives it, and panics on "bad".
type hearer struct {
	heard  []any
	failed []any
}

func (h *hearer) InvokeSystemMessage(m any) { h.heard = append(h.heard, m) }

func (h *hearer) InvokeUserMessage(m any) {
	h.heard = append(h.heard, m)
	if m == "bad" {
		panic("it is")
	}
}

func (h *hearer) EscalateFailure(reason, message any) { h.failed = append(h.failed, reason, message) }

// settle returns when the lane has run what was scheduled, what that scheduled, and so on, a few times over.
func settle(l *lane) {
	for range 4 {
		done := make(chan struct{})
		l.Schedule(func() { close(done) })
		<-done
	}
}

func TestMailboxGivesSystemMessagesFirstAndEachInOrder(t *testing.T) {
	t.Parallel()
	l := newLane()
	h, m := &hearer{}, &mailbox{lane: l}
	m.RegisterHandlers(h, l)
	l.Schedule(func() { // so that all are there before the first is handled
		for _, message := range []any{1, 2, 3} {
			m.PostUserMessage(message)
		}
		m.PostSystemMessage("stop")
	})
	settle(l)
	l.stop()
	require.Equal(t, []any{"stop", 1, 2, 3}, h.heard)
	require.Zero(t, m.UserMessageCount())
}

func TestMailboxEscalatesAPanicAndGoesOnWithWhatTheSupervisorSays(t *testing.T) {
	t.Parallel()
	l := newLane()
	h, m := &hearer{}, &mailbox{lane: l}
	m.RegisterHandlers(h, l)
	l.Schedule(func() {
		m.PostUserMessage("bad")
		m.PostUserMessage("good")
	})
	settle(l)
	l.stop()
	require.Equal(t, []any{"it is", "bad"}, h.failed)
	require.Equal(t, []any{"bad", "good"}, h.heard)
}

func TestMailboxHoldsUserMessagesWhileItIsSuspended(t *testing.T) {
	t.Parallel()
	l := newLane()
	h, m := &hearer{}, &mailbox{lane: l}
	m.RegisterHandlers(h, l)
	l.Schedule(func() {
		m.PostSystemMessage(&actor.SuspendMailbox{})
		m.PostUserMessage(1)
	})
	settle(l)
	require.Equal(t, 1, m.UserMessageCount())
	l.Schedule(func() {
		require.Empty(t, h.heard)
		m.PostSystemMessage(&actor.ResumeMailbox{})
	})
	settle(l)
	l.stop()
	require.Equal(t, []any{1}, h.heard)
}
