package node

import (
	"context"
	"errors"
	"time"

	"github.com/trackmesh/trackmesh/actors"
	"github.com/trackmesh/trackmesh/api"
	"github.com/trackmesh/trackmesh/sinks"
	"github.com/trackmesh/trackmesh/sinks/webhook"
)

// startWebhooks runs the webhooks that the log defines, each over the partitions of this node.
func (n *Node) startWebhooks(ctx context.Context) error {
	service, err := webhook.New(webhook.Options{
		Log: n.log, Run: n.runWebhook, Agent: "trackmesh/" + n.opts.Version, Logger: n.logger, Registerer: n.registry,
	})
	if err != nil {
		return err
	}
	n.webhooks = service
	n.onStop("webhooks", service.Stop)
	return service.Start(ctx)
}

func (n *Node) runWebhook(ctx context.Context, name string, pump *sinks.Pump) (func(context.Context) error, error) {
	sink, err := n.host.StartSink(ctx, name, pump, actors.OwnedPartitions)
	if err != nil {
		return nil, err
	}
	return sink.Stop, nil
}

// hookState is a webhook as one of the cluster's sinks.
func hookState(w webhook.State) api.ClusterSink {
	s := api.ClusterSink{Name: "webhook " + w.ID, State: "running", Lag: w.Lag, Error: w.Err}
	if w.Err != "" {
		s.State = "failing"
	}
	return s
}

// hooks answers the API from the webhooks' service.
type hooks struct{ service *webhook.Service }

func (h hooks) List(ctx context.Context) ([]api.Webhook, error) {
	all, err := h.service.List(ctx)
	shown := make([]api.Webhook, len(all))
	for i := range all {
		shown[i] = shownHook(&all[i])
	}
	return shown, err
}

func (h hooks) Get(ctx context.Context, id string) (api.Webhook, error) {
	w, err := h.service.Get(ctx, id)
	return shownHook(&w), hookError(err)
}

func (h hooks) Put(ctx context.Context, id string, c api.WebhookChange, ifMatch *int64) (api.Webhook, string, error) {
	w, secret, err := h.service.Put(ctx, id, webhook.Change{URL: c.URL, Secret: c.Secret, Filter: webhook.Filter(c.Filter)}, ifMatch)
	return shownHook(&w), secret, hookError(err)
}

func (h hooks) Delete(ctx context.Context, id string, ifMatch *int64) error {
	return hookError(h.service.Delete(ctx, id, ifMatch))
}

func hookError(err error) error {
	var invalid *webhook.InvalidError
	switch {
	case errors.Is(err, webhook.ErrNotFound):
		return api.ErrNotFound
	case errors.Is(err, webhook.ErrVersion):
		return api.ErrVersion
	case errors.As(err, &invalid):
		return &api.InvalidError{Pointer: invalid.Pointer, Reason: invalid.Reason}
	}
	return err
}

func shownHook(w *webhook.Webhook) api.Webhook {
	s := api.WebhookState{
		State: "running", Lag: w.Lag, Delivered: w.Delivery.Delivered, LastDelivered: moment(w.Delivery.LastDelivered),
		LastError: w.Delivery.LastError, LastErrorAt: moment(w.Delivery.LastErrorAt),
	}
	if w.Err != "" {
		s.State, s.LastError = "failing", w.Err
	}
	return api.Webhook{ID: w.ID, Version: w.Version, URL: w.URL, Filter: api.WebhookFilter(w.Filter), Created: w.Created, State: s}
}

// moment is a time in answers, or nil for none.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Millisecond)
	return &t
}
