package remote

import (
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	protoremote "github.com/asynkron/protoactor-go/remote"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/cluster"
	trackmeshv1 "github.com/trackmesh/trackmesh/messages/trackmesh/v1"
)

func TestAQuestionIsAnswered(t *testing.T) {
	a, b := start(t, echo, nil), start(t, echo, nil)
	for range 3 {
		answer, err := a.Ask(within(t, 5*time.Second), member(b), question("x"))
		require.NoError(t, err)
		require.Equal(t, "x", answer.GetDetail())
		require.Equal(t, []int32{1}, answer.GetPartitions())
	}
	answer, err := b.Ask(within(t, 5*time.Second), member(a), question("y"))
	require.NoError(t, err)
	require.Equal(t, "y", answer.GetDetail())
}

func TestManyQuestionsAtOnceEachGetTheirOwnAnswer(t *testing.T) {
	a, b := start(t, nobody, nil), start(t, echo, nil)
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			vehicle := strings.Repeat("v", i)
			answer, err := a.Ask(within(t, 10*time.Second), member(b), question(vehicle))
			if err != nil || answer.GetDetail() != vehicle {
				t.Errorf("%d: %v", i, err)
			}
		})
	}
	all.Wait()
}

func TestLargeQuestionsAndAnswersGoInPieces(t *testing.T) {
	const n = 200_000 // some 8 MiB
	small := func(o *Options) { o.pieceBytes = 10_000 }
	b := start(t, func(_ context.Context, q *trackmeshv1.PeerQuestion) *trackmeshv1.PeerAnswer {
		answer := tracksOf(n)
		answer.Detail = q.GetTrack().GetVehicle()
		return answer
	}, small)
	a := start(t, nobody, small)
	long := strings.Repeat("long ", 1<<20)
	answer, err := a.Ask(within(t, 20*time.Second), member(b), question(long))
	require.NoError(t, err)
	require.Len(t, answer.GetTracks(), n)
	require.Equal(t, long, answer.GetDetail())
}

func TestWhatIsOverTheLimitIsRefusedNotLost(t *testing.T) {
	b := start(t, func(context.Context, *trackmeshv1.PeerQuestion) *trackmeshv1.PeerAnswer { return tracksOf(1000) }, func(o *Options) {
		o.MaxAnswerBytes = 5000
	})
	a := start(t, nobody, func(o *Options) { o.MaxQuestionBytes = 5000 })
	answer, err := a.Ask(within(t, 5*time.Second), member(b), question("x"))
	require.NoError(t, err)
	require.Equal(t, trackmeshv1.PeerCode_PEER_CODE_TOO_LARGE, answer.GetCode())
	_, err = a.Ask(within(t, 5*time.Second), member(b), question(strings.Repeat("x", 6000)))
	require.ErrorIs(t, err, errTooLarge)
}

func TestAnAskerThatGivesUpEndsTheWorkOfThePeer(t *testing.T) {
	started, stopped := make(chan struct{}), make(chan error, 1)
	b := start(t, func(ctx context.Context, _ *trackmeshv1.PeerQuestion) *trackmeshv1.PeerAnswer {
		close(started)
		<-ctx.Done()
		stopped <- ctx.Err()
		return &trackmeshv1.PeerAnswer{}
	}, nil)
	a := start(t, nobody, nil)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-started
		cancel()
	}()
	_, err := a.Ask(ctx, member(b), question("x"))
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, <-stopped, context.Canceled)
}

func TestAPeerThatHangsCostsTheDeadline(t *testing.T) {
	release := make(chan struct{})
	b := start(t, func(context.Context, *trackmeshv1.PeerQuestion) *trackmeshv1.PeerAnswer {
		<-release
		return &trackmeshv1.PeerAnswer{}
	}, nil)
	a := start(t, nobody, nil)
	defer close(release)
	_, err := a.Ask(within(t, 100*time.Millisecond), member(b), question("x"))
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestADeadAddressFailsFastAndWorksAgainWhenSomebodyIsThere(t *testing.T) {
	a := start(t, nobody, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := l.Addr().String()
	require.NoError(t, l.Close())
	dead := cluster.Member{Name: "dead", RPC: addr}
	began := time.Now()
	for range 10 {
		_, err = a.Ask(within(t, 20*time.Second), dead, question("x"))
		require.ErrorIs(t, err, ErrGone)
	}
	require.Less(t, time.Since(began), 2*time.Second)
	start(t, echo, func(o *Options) { o.Listen = addr })
	require.Eventually(t, func() bool {
		_, err = a.Ask(within(t, time.Second), dead, question("x"))
		return err == nil
	}, 5*time.Second, 20*time.Millisecond, "%v", err)
}

func TestAPeerThatDiesWhileAskedFailsTheQuestionAtOnce(t *testing.T) {
	asked := make(chan struct{}, 1)
	b := start(t, func(ctx context.Context, _ *trackmeshv1.PeerQuestion) *trackmeshv1.PeerAnswer {
		asked <- struct{}{}
		<-ctx.Done()
		return &trackmeshv1.PeerAnswer{}
	}, nil)
	a := start(t, nobody, nil)
	go func() {
		<-asked
		b.inner.Shutdown(false) // as a process that is killed: its connections close
	}()
	began := time.Now()
	_, err := a.Ask(within(t, 20*time.Second), member(b), question("x"))
	require.ErrorIs(t, err, ErrGone)
	require.Less(t, time.Since(began), 5*time.Second)
}

func TestGossipEndsQuestionsToThoseWhoLeft(t *testing.T) {
	asked := make(chan struct{}, 1)
	b := start(t, func(ctx context.Context, _ *trackmeshv1.PeerQuestion) *trackmeshv1.PeerAnswer {
		asked <- struct{}{}
		<-ctx.Done() // it hangs
		return &trackmeshv1.PeerAnswer{}
	}, nil)
	members := &gossip{}
	members.set(member(b))
	a := start(t, nobody, func(o *Options) { o.Members = members })
	go func() {
		<-asked
		restarted := member(b)
		restarted.Boot = "2"
		members.set(restarted)
	}()
	_, err := a.Ask(within(t, 20*time.Second), member(b), question("x"))
	require.ErrorIs(t, err, ErrGone)
}

func TestTooManyQuestionsAreToldSo(t *testing.T) {
	release := make(chan struct{})
	b := start(t, func(context.Context, *trackmeshv1.PeerQuestion) *trackmeshv1.PeerAnswer {
		<-release
		return &trackmeshv1.PeerAnswer{}
	}, func(o *Options) { o.MaxAnswers = 1 })
	a := start(t, nobody, nil)
	codes := make(chan trackmeshv1.PeerCode, 2)
	for range 2 {
		go func() {
			answer, _ := a.Ask(within(t, 10*time.Second), member(b), question("x"))
			codes <- answer.GetCode()
		}()
	}
	require.Equal(t, trackmeshv1.PeerCode_PEER_CODE_BUSY, <-codes)
	close(release)
	require.Equal(t, trackmeshv1.PeerCode_PEER_CODE_UNSPECIFIED, <-codes)
}

func TestAPanicCostsOneQuestion(t *testing.T) {
	b := start(t, func(_ context.Context, q *trackmeshv1.PeerQuestion) *trackmeshv1.PeerAnswer {
		if q.GetTrack().GetVehicle() == "poison" {
			panic("poison")
		}
		return &trackmeshv1.PeerAnswer{}
	}, nil)
	a := start(t, nobody, nil)
	answer, err := a.Ask(within(t, 5*time.Second), member(b), question("poison"))
	require.NoError(t, err)
	require.Equal(t, trackmeshv1.PeerCode_PEER_CODE_FAILED, answer.GetCode())
	answer, err = a.Ask(within(t, 5*time.Second), member(b), question("x"))
	require.NoError(t, err)
	require.Equal(t, trackmeshv1.PeerCode_PEER_CODE_UNSPECIFIED, answer.GetCode())
}

func TestAQuestionOfANewerNodeIsRefusedByName(t *testing.T) {
	b, a := start(t, echo, nil), start(t, nobody, nil)
	answer, err := a.Ask(within(t, 5*time.Second), member(b), &trackmeshv1.PeerQuestion{})
	require.NoError(t, err)
	require.Equal(t, trackmeshv1.PeerCode_PEER_CODE_UNSUPPORTED, answer.GetCode())
}

func TestStrangersMessagesNeitherEndTheStreamNorReachOtherActors(t *testing.T) {
	b := start(t, echo, nil)
	a := start(t, nobody, nil)
	reached := make(chan any, 10)
	victim, err := b.opts.System.Root.SpawnNamed(actor.PropsFromFunc(func(c actor.Context) {
		if _, ok := c.Message().(*trackmeshv1.PeerPart); ok {
			reached <- c.Message()
		}
	}), "victim")
	require.NoError(t, err)
	_, err = a.Ask(within(t, 5*time.Second), member(b), question("x"))
	require.NoError(t, err)
	root := a.opts.System.Root
	peer := actor.NewPID(b.Address(), actorName)
	root.Send(peer, &trackmeshv1.Position{})                                                   // another type
	root.Send(actor.NewPID(b.Address(), "activator"), &protoremote.ActorPidRequest{Kind: "?"}) // panics there
	root.Send(actor.NewPID(b.Address(), victim.GetId()), &trackmeshv1.PeerPart{})              // another actor
	root.Poison(peer)                                                                          // would stop it
	answer, err := a.Ask(within(t, 5*time.Second), member(b), question("still there"))
	require.NoError(t, err)
	require.Equal(t, "still there", answer.GetDetail())
	require.Empty(t, reached)
}

func TestOneCannotAskAfterStop(t *testing.T) {
	a, b := start(t, nobody, nil), start(t, echo, nil)
	_, err := a.Ask(within(t, 5*time.Second), member(b), question("x"))
	require.NoError(t, err)
	require.NoError(t, a.Stop(within(t, 10*time.Second)))
	_, err = a.Ask(within(t, 5*time.Second), member(b), question("x"))
	require.ErrorIs(t, err, ErrStopped)
}

func TestAPortThatIsTakenIsAnError(t *testing.T) {
	a := start(t, nobody, nil)
	o := a.opts
	o.System, o.Listen, o.Registerer = nil, a.Address(), prometheus.NewRegistry()
	_, err := New(o)
	require.ErrorContains(t, err, "listening for other nodes")
}

func TestMissingOptionsAreNamed(t *testing.T) {
	_, err := New(Options{})
	for _, name := range []string{"Listen", "Handler", "Logger", "Registerer"} {
		require.ErrorContains(t, err, "Options."+name)
	}
}
