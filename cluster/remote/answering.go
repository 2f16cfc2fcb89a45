package remote

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	trackmeshv1 "github.com/trackmesh/trackmesh/messages/trackmesh/v1"
)

// Bounds of the questions whose pieces are still coming, over all askers.
const (
	maxGatherings     = 256
	maxGatheringBytes = 64 << 20
)

// longestWait bounds how long a question may be worked on, whatever its asker says.
const longestWait = 2 * time.Minute

// asked names a question of another node's.
type asked struct {
	boot string
	id   uint64
}

// incoming is a question whose pieces come in.
type incoming struct {
	gathering
	since time.Time
}

// receiver is the actor that takes what other nodes send. It never blocks: a question is answered in a goroutine of its own.
type receiver struct {
	remote *Remote
	coming map[asked]*incoming
	bytes  int // in coming
}

// Receive implements actor.Actor.
func (a *receiver) Receive(c actor.Context) {
	switch m := c.Message().(type) {
	case *trackmeshv1.PeerPart:
		switch m.GetKind() {
		case trackmeshv1.PeerPartKind_PEER_PART_KIND_ANSWER:
			a.answer(m)
		case trackmeshv1.PeerPartKind_PEER_PART_KIND_QUESTION:
			a.question(m, c.Sender())
		case trackmeshv1.PeerPartKind_PEER_PART_KIND_CANCEL:
			a.remote.cancelAnswer(asked{m.GetBoot(), m.GetId()})
		default:
			a.remote.metrics.dropped.Inc()
		}
	case *actor.DeadLetterResponse:
		a.remote.waiting.fail(ErrGone, func(q *waiter) bool { return q.addr == m.Target.GetAddress() })
	}
}

// answer adds a piece to the answer that somebody here waits for.
func (a *receiver) answer(p *trackmeshv1.PeerPart) {
	r := a.remote
	q := r.waiting.get(p.GetId())
	if q == nil || p.GetBoot() != r.boot { // too late, or for the process that had this address before
		r.metrics.dropped.Inc()
		return
	}
	whole, err := q.parts.add(p, r.opts.MaxAnswerBytes)
	if err == nil && !whole {
		return
	}
	if r.waiting.end(p.GetId()) == nil {
		return
	}
	if err != nil {
		q.result <- result{err: fmt.Errorf("putting an answer together: %w", err)}
		return
	}
	r.metrics.bytes.WithLabelValues("in").Add(float64(len(q.parts.body)))
	q.result <- result{body: q.parts.body}
}

// question adds a piece to a question, and has it answered when it is whole.
func (a *receiver) question(p *trackmeshv1.PeerPart, asker *actor.PID) {
	if asker == nil {
		a.remote.metrics.dropped.Inc()
		return
	}
	body := p.GetBody()
	if p.GetPieces() != 1 {
		whole, ok := a.gather(p)
		if !ok {
			return
		}
		body = whole
	}
	a.remote.metrics.bytes.WithLabelValues("in").Add(float64(len(body)))
	a.remote.take(asked{p.GetBoot(), p.GetId()}, asker, body, time.Duration(p.GetTimeoutMs())*time.Millisecond)
}

// gather returns the whole body when the last piece is there.
func (a *receiver) gather(p *trackmeshv1.PeerPart) (body []byte, whole bool) {
	key := asked{p.GetBoot(), p.GetId()}
	in := a.coming[key]
	if in == nil {
		a.sweep()
		if p.GetIndex() != 0 || len(a.coming) >= maxGatherings {
			a.remote.metrics.dropped.Inc()
			return nil, false
		}
		in = &incoming{since: time.Now()}
		a.coming[key] = in
	}
	before := len(in.body)
	done, err := in.add(p, min(a.remote.opts.MaxQuestionBytes, before+maxGatheringBytes-a.bytes))
	a.bytes += len(in.body) - before
	if err != nil || done {
		delete(a.coming, key)
		a.bytes -= len(in.body)
	}
	if err != nil {
		a.remote.metrics.dropped.Inc()
		return nil, false
	}
	return in.body, done
}

// sweep forgets questions whose rest never came.
func (a *receiver) sweep() {
	for key, in := range a.coming {
		if time.Since(in.since) > longestWait {
			delete(a.coming, key)
			a.bytes -= len(in.body)
		}
	}
}

// take has a question answered.
func (r *Remote) take(key asked, asker *actor.PID, body []byte, timeout time.Duration) {
	if timeout <= 0 || timeout > longestWait {
		timeout = longestWait
	}
	ctx, cancel := context.WithTimeout(r.ctx, timeout)
	if !r.begin(key, cancel) {
		cancel()
		r.reply(key, asker, "any", refusal(trackmeshv1.PeerCode_PEER_CODE_BUSY, "too many questions at once"))
		return
	}
	go func() {
		defer r.finish(key)
		defer cancel()
		q := &trackmeshv1.PeerQuestion{}
		if err := q.UnmarshalVT(body); err != nil {
			r.reply(key, asker, "unknown", refusal(trackmeshv1.PeerCode_PEER_CODE_UNSUPPORTED, "the question cannot be decoded"))
			return
		}
		r.reply(key, asker, routeOf(q), r.handle(ctx, q))
	}()
}

// handle keeps a panic of the handler's to its question.
func (r *Remote) handle(ctx context.Context, q *trackmeshv1.PeerQuestion) (answer *trackmeshv1.PeerAnswer) {
	defer func() {
		if p := recover(); p != nil {
			r.opts.Logger.Error("answering a peer panicked", "route", routeOf(q), "panic", p, "stack", string(debug.Stack()))
			answer = refusal(trackmeshv1.PeerCode_PEER_CODE_FAILED, "an internal error; the node's log has it")
		}
	}()
	if q.GetBody() == nil {
		return refusal(trackmeshv1.PeerCode_PEER_CODE_UNSUPPORTED, "this node does not know the question")
	}
	return r.opts.Handler(ctx, q)
}

func refusal(code trackmeshv1.PeerCode, detail string) *trackmeshv1.PeerAnswer {
	return &trackmeshv1.PeerAnswer{Code: code, Detail: detail}
}

func (r *Remote) reply(key asked, asker *actor.PID, route string, answer *trackmeshv1.PeerAnswer) {
	body, err := answer.MarshalVT()
	if err == nil && len(body) > r.opts.MaxAnswerBytes {
		answer = refusal(trackmeshv1.PeerCode_PEER_CODE_TOO_LARGE, "the answer would be over the limit of bytes")
		body, err = answer.MarshalVT()
	}
	if err != nil {
		r.opts.Logger.Error("encoding an answer failed", "route", route, "err", err)
		return
	}
	r.metrics.answered.WithLabelValues(route, codeOf(answer.GetCode())).Inc()
	r.metrics.bytes.WithLabelValues("out").Add(float64(len(body)))
	head := &trackmeshv1.PeerPart{Id: key.id, Boot: key.boot, Kind: trackmeshv1.PeerPartKind_PEER_PART_KIND_ANSWER}
	for _, p := range cut(head, body, r.opts.pieceBytes) {
		r.send(asker, p)
	}
}

// begin counts a question in, unless there are too many or the node stops.
func (r *Remote) begin(key asked, cancel context.CancelFunc) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || len(r.answers) >= r.opts.MaxAnswers || r.answers[key] != nil {
		return false
	}
	r.answers[key] = cancel
	r.work.Add(1)
	return true
}

func (r *Remote) finish(key asked) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.answers, key)
	r.work.Done()
}

// cancelAnswer ends the work on a question whose asker waits no more.
func (r *Remote) cancelAnswer(key asked) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if cancel := r.answers[key]; cancel != nil {
		cancel()
	}
}
