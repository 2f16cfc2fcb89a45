package actors

import (
	"sync"

	"github.com/asynkron/protoactor-go/actor"
)

// mailbox of a track. It does what protoactor's own does, in a third of the memory and with no allocation per message: a million tracks
// have one each, and mostly there is one message in it.
//
//	idle ──posted──> scheduled on the lane ──empty──> idle
//
// System messages go first. After a failure user messages wait until the supervisor has decided.
type mailbox struct {
	lane    *lane
	invoker actor.MessageInvoker

	mu        sync.Mutex // guards what follows
	first     any        // the next user message; nil: none
	rest      *letters   // nil: nothing else
	scheduled bool
	suspended bool
}

// letters are what a mailbox rarely has.
type letters struct {
	user   []any // behind the first
	system []any
}

var _ actor.Mailbox = (*mailbox)(nil)

// RegisterHandlers is told who handles the messages. The lane is known already.
func (m *mailbox) RegisterHandlers(invoker actor.MessageInvoker, _ actor.Dispatcher) {
	m.invoker = invoker
}

// Start does nothing: the first message starts it.
func (m *mailbox) Start() {}

// PostUserMessage puts a message behind those that are there.
func (m *mailbox) PostUserMessage(message any) {
	m.mu.Lock()
	if m.first == nil {
		m.first = message
	} else {
		m.others().user = append(m.others().user, message)
	}
	m.schedule()
}

// PostSystemMessage puts a message before all user messages.
func (m *mailbox) PostSystemMessage(message any) {
	m.mu.Lock()
	m.others().system = append(m.others().system, message)
	m.schedule()
}

func (m *mailbox) others() *letters {
	if m.rest == nil {
		m.rest = &letters{}
	}
	return m.rest
}

// schedule gives up the lock.
func (m *mailbox) schedule() {
	idle := !m.scheduled
	m.scheduled = true
	m.mu.Unlock()
	if idle {
		m.lane.enqueue(m)
	}
}

// UserMessageCount is how many user messages wait.
func (m *mailbox) UserMessageCount() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.first == nil:
		return 0
	case m.rest == nil:
		return 1
	}
	return 1 + len(m.rest.user)
}

// run handles what is there. It is the lane's task.
func (m *mailbox) run() {
	var message any
	defer func() {
		if r := recover(); r != nil {
			m.invoker.EscalateFailure(r, message)
			m.lane.enqueue(m) // still scheduled: for what the supervisor says
		}
	}()
	for {
		next, system := m.next()
		if message = next; message == nil {
			return
		}
		if system {
			m.handleSystem(message)
		} else {
			m.invoker.InvokeUserMessage(message)
		}
	}
}

func (m *mailbox) handleSystem(message any) {
	switch message.(type) {
	case *actor.SuspendMailbox:
		m.suspend(true)
	case *actor.ResumeMailbox:
		m.suspend(false)
	default:
		m.invoker.InvokeSystemMessage(message)
	}
}

func (m *mailbox) suspend(on bool) {
	m.mu.Lock()
	m.suspended = on
	m.mu.Unlock()
}

// next takes the next message; nil: there is none, and the mailbox is idle.
func (m *mailbox) next() (message any, system bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.rest != nil && len(m.rest.system) > 0:
		message, m.rest.system = m.rest.system[0], m.rest.system[1:]
		m.tidy()
		return message, true
	case m.first != nil && !m.suspended:
		message, m.first = m.first, nil
		if m.rest != nil && len(m.rest.user) > 0 {
			m.first, m.rest.user = m.rest.user[0], m.rest.user[1:]
			m.tidy()
		}
		return message, false
	}
	m.scheduled = false
	return nil, false
}

func (m *mailbox) tidy() {
	if len(m.rest.system) == 0 && len(m.rest.user) == 0 {
		m.rest = nil
	}
}
