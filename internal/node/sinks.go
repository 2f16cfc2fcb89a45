package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/trackmesh/trackmesh/actors"
	"github.com/trackmesh/trackmesh/api"
	"github.com/trackmesh/trackmesh/broker"
	"github.com/trackmesh/trackmesh/history"
	"github.com/trackmesh/trackmesh/sinks"
	"github.com/trackmesh/trackmesh/sinks/elastic"
	"github.com/trackmesh/trackmesh/sinks/sqlite"
)

const (
	// retentionInterval is how often the store's old history is looked for.
	retentionInterval = time.Hour
	// ownerInterval is how often a node looks whether that is its business.
	ownerInterval = time.Minute
)

// namedSink is a running sink: the actors that pump one store.
type namedSink struct {
	name   string
	own    bool // its store is this node's, as its disk is
	actor  *actors.Sink
	health func() error
}

func (s namedSink) state() api.ClusterSink {
	c := api.ClusterSink{Name: s.name, State: "running"}
	for _, l := range s.actor.Lags() {
		c.Lag += l.Records()
	}
	if err := s.health(); err != nil {
		c.State, c.Error = "failing", err.Error()
	}
	return c
}

// store is what both stores are.
type store interface {
	sinks.Writer
	history.Store
}

// startSinks opens the store that the options name and pumps the committed log into it. With --history=off the events go on.
func (n *Node) startSinks(ctx context.Context) error {
	var (
		st      store
		options sinks.PumpOptions
		scope   = actors.OwnedPartitions
		err     error
		health  = func() error { return nil }
	)
	if len(n.opts.ElasticsearchURLs) > 0 {
		st, options, err = n.openElastic() //nolint:contextcheck // old history is deleted until the node stops
	} else {
		st, options, health, err = n.openSQLite(ctx)
		scope = actors.AllPartitions // a file of this node's own, so that every node knows all of history
	}
	if err != nil {
		return err
	}
	n.history = st
	options.Source, options.Writer, options.Reject = n.log, st, n.reject(options.Name)
	options.Logger, options.Registerer = n.logger, n.registry
	options.Streams = []broker.Stream{broker.Events}
	if n.opts.History != "off" {
		options.Streams = append(options.Streams, broker.Enriched)
	}
	pump, err := sinks.NewPump(options)
	if err != nil {
		return err
	}
	sink, err := n.host.StartSink(ctx, options.Name, pump, scope)
	if err != nil {
		return err
	}
	n.onStop("sink "+options.Name, sink.Stop)
	n.sinks = append(n.sinks, namedSink{name: options.Name, own: options.Name == sqlite.Name, actor: sink, health: func() error { return errors.Join(pump.Health(), health()) }})
	return nil
}

func (n *Node) openElastic() (store, sinks.PumpOptions, error) {
	o := &n.opts
	key, err := secret("elasticsearch-api-key-file", o.ElasticsearchAPIKeyFile)
	if err != nil {
		return nil, sinks.PumpOptions{}, err
	}
	password, err := secret("elasticsearch-password-file", o.ElasticsearchPasswordFile)
	if err != nil {
		return nil, sinks.PumpOptions{}, err
	}
	var ca []byte
	if o.ElasticsearchCAFile != "" {
		if ca, err = os.ReadFile(o.ElasticsearchCAFile); err != nil {
			return nil, sinks.PumpOptions{}, fmt.Errorf("--elasticsearch-ca-file: %w", err)
		}
	}
	sink, err := elastic.New(elastic.Options{
		URLs: o.ElasticsearchURLs, APIKey: key, Username: o.ElasticsearchUsername, Password: password, CACert: ca,
		IndexPrefix: o.ElasticsearchIndexPrefix, MaxAge: o.HistoryMaxAge, Logger: n.logger, Registerer: n.registry,
	})
	if err != nil {
		return nil, sinks.PumpOptions{}, fmt.Errorf("--elasticsearch-urls: %w", err)
	}
	n.deleteOld(sink)
	return sink, sinks.PumpOptions{
		Name: "elasticsearch", Cursors: n.log, MaxBatchBytes: int(o.ElasticsearchBulkBytes), MaxBatchAge: o.ElasticsearchBulkAge,
		Concurrency: o.ElasticsearchBulkConcurrency,
	}, nil
}

// deleteOld removes indices that are wholly past --history-max-age, every hour, on the node that runs partition 0.
func (n *Node) deleteOld(sink *elastic.Sink) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			pause := ownerInterval
			if n.host.Owns(0) {
				n.deleteOnce(ctx, sink)
				pause = retentionInterval
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(pause):
			}
		}
	}()
	n.onStop("deletion of old history", func(context.Context) error { cancel(); <-done; return nil })
}

func (n *Node) deleteOnce(ctx context.Context, sink *elastic.Sink) {
	deleted, err := sink.DeleteOld(ctx)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		n.logger.Warn("deleting old history failed; trying again in an hour", "err", err)
	case len(deleted) > 0:
		n.logger.Info("deleted old history", "indices", deleted)
	}
}

func (n *Node) openSQLite(ctx context.Context) (store, sinks.PumpOptions, func() error, error) {
	st, err := sqlite.Open(ctx, sqlite.Options{
		Dir: n.opts.DataDir, MaxAge: n.opts.HistoryMaxAge, MaxBytes: n.opts.HistoryMaxBytes, Logger: n.logger, Registerer: n.registry,
	})
	if err != nil {
		return nil, sinks.PumpOptions{}, nil, err
	}
	n.onStop("store", func(context.Context) error { return st.Close() })
	return st, sinks.PumpOptions{Name: sqlite.Name, Cursors: st, MaxBatchAge: 250 * time.Millisecond}, st.Health, nil
}

// reject makes what a store refuses for good a dead letter, with the store's reason.
func (n *Node) reject(sink string) func(context.Context, []sinks.Rejection) error {
	layout := n.log.Layout()
	return func(ctx context.Context, rejections []sinks.Rejection) error {
		records := make([]broker.Record, len(rejections))
		for i, r := range rejections {
			stream := broker.Enriched
			if r.Document.Kind == sinks.Event {
				stream = broker.Events
			}
			records[i] = broker.Record{
				Stream: broker.Dead, Partition: r.Document.Partition, Value: r.Document.Body,
				Headers: []broker.Header{
					{Key: "reason", Value: []byte("rejected")},
					{Key: "detail", Value: []byte(r.Detail)},
					{Key: "sink", Value: []byte(sink)},
					{Key: "document_id", Value: []byte(r.Document.ID)},
					{Key: "source_topic", Value: []byte(layout.Topic(stream))},
					{Key: "source_partition", Value: strconv.AppendInt(nil, int64(r.Document.Partition), 10)},
					{Key: "source_offset", Value: strconv.AppendInt(nil, r.Document.Offset, 10)},
				},
			}
		}
		_, err := n.log.Produce(ctx, records)
		return err
	}
}
