package remote

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/trackmesh/trackmesh/cluster"
	trackmeshv1 "github.com/trackmesh/trackmesh/messages/trackmesh/v1"
)

// Handler answers a question. It is called in a goroutine of its own, with a context that ends when the asker stops waiting.
type Handler func(ctx context.Context, q *trackmeshv1.PeerQuestion) *trackmeshv1.PeerAnswer

// Options of a Remote. Fields without a default must be set.
type Options struct {
	// System is the actor system to attach to: one that nothing else sends messages in yet. Nil: one of its own, so that nobody
	// outside can name the node's other actors.
	System *actor.ActorSystem
	// Listen is the host:port to listen on. Port 0: any.
	Listen string
	// Advertise is the host:port at which others reach this node. Empty: where it listens.
	Advertise string
	// TLS is for both directions (see ReadTLS). Nil: plain text.
	TLS *tls.Config
	// Members tells who has left: questions to them fail at once. Nil: nobody tells.
	Members cluster.Membership
	Handler Handler

	Logger     *slog.Logger
	Registerer prometheus.Registerer

	MaxAnswers       int           // questions that are answered at once; default 512
	MaxQuestionBytes int           // default 32 MiB
	MaxAnswerBytes   int           // default 128 MiB
	DialTimeout      time.Duration // default 1 s

	pieceBytes int // for tests; default 256 KiB
}

func (o *Options) withDefaults() (Options, error) {
	d := *o
	d.MaxAnswers = cmp.Or(d.MaxAnswers, 512)
	d.MaxQuestionBytes = cmp.Or(d.MaxQuestionBytes, 32<<20)
	d.MaxAnswerBytes = cmp.Or(d.MaxAnswerBytes, 128<<20)
	d.DialTimeout = cmp.Or(d.DialTimeout, time.Second)
	d.pieceBytes = cmp.Or(d.pieceBytes, 256<<10)
	var errs []error
	for name, missing := range map[string]bool{
		"Listen": o.Listen == "", "Handler": o.Handler == nil, "Logger": o.Logger == nil, "Registerer": o.Registerer == nil,
	} {
		if missing {
			errs = append(errs, fmt.Errorf("remote: Options.%s is missing", name))
		}
	}
	return d, errors.Join(errs...)
}
