package api

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// Webhooks are receivers of events over HTTP.
type Webhooks interface {
	List(ctx context.Context) ([]Webhook, error)
	// Get returns one, or ErrNotFound.
	Get(ctx context.Context, id string) (Webhook, error)
	// Put makes or changes one. ifMatch is as for fences. secret is what was made because the change has none, once. A change that is
	// wrong is an *InvalidError.
	Put(ctx context.Context, id string, change WebhookChange, ifMatch *int64) (w Webhook, secret string, err error)
	// Delete removes one, or says ErrNotFound.
	Delete(ctx context.Context, id string, ifMatch *int64) error
}

// WebhookFilter says which events are sent: those that every list names which is not empty.
type WebhookFilter struct {
	Types    []string  `json:"types,omitempty"`
	Fences   []string  `json:"fences,omitempty"`
	Vehicles []string  `json:"vehicles,omitempty"`
	BBox     []float64 `json:"bbox,omitempty"` // west, south, east, north
}

// WebhookChange is the body of a PUT. A nil Secret keeps the one that is there, or has one made.
type WebhookChange struct {
	URL    string        `json:"url"`
	Secret *string       `json:"secret"`
	Filter WebhookFilter `json:"filter"`
}

// Webhook is one as the API shows it: never with its secret, but for Secret in the answer to the PUT that had it made.
type Webhook struct {
	ID      string        `json:"id"`
	Version int64         `json:"version"`
	URL     string        `json:"url"`
	Filter  WebhookFilter `json:"filter"`
	Created time.Time     `json:"created"`
	Secret  string        `json:"secret,omitempty"`
	State   WebhookState  `json:"state"`
}

// WebhookState is how a webhook fares: the lag over all partitions, the rest on the node that answers.
type WebhookState struct {
	State         string     `json:"state"` // running or failing
	Lag           int64      `json:"lag"`   // events that are not acknowledged
	Delivered     int64      `json:"delivered"`
	LastDelivered *time.Time `json:"last_delivered,omitempty"`
	LastError     string     `json:"last_error,omitempty"`
	LastErrorAt   *time.Time `json:"last_error_at,omitempty"`
}

func noWebhook(err error, id string) error {
	if errors.Is(err, ErrNotFound) {
		return named(http.StatusNotFound, "webhook", "there is no webhook "+id+": GET /api/v1/webhooks lists them, PUT makes one")
	}
	return err
}

func (s *Server) getWebhooks(w http.ResponseWriter, r *http.Request) error {
	all, err := s.opts.Webhooks.List(r.Context())
	if err != nil {
		return err
	}
	if all == nil {
		all = []Webhook{}
	}
	return writeJSON(w, http.StatusOK, map[string]any{"webhooks": all})
}

func (s *Server) getWebhook(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "id")
	if err != nil {
		return err
	}
	hook, err := s.opts.Webhooks.Get(r.Context(), id)
	if err != nil {
		return noWebhook(err, id)
	}
	w.Header().Set("ETag", etag(hook.Version))
	w.Header().Set("Cache-Control", "no-store")
	return writeJSON(w, http.StatusOK, hook)
}

func (s *Server) putWebhook(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "id")
	if err != nil {
		return err
	}
	var change WebhookChange
	if err := s.readJSON(w, r, &change); err != nil {
		return err
	}
	ifMatch, err := preconditionOn(r, s.webhookVersion(id))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.opts.StoreTimeout)
	defer cancel()
	hook, secret, err := s.opts.Webhooks.Put(ctx, id, change, ifMatch)
	if err != nil {
		return err
	}
	hook.Secret = secret
	w.Header().Set("ETag", etag(hook.Version))
	w.Header().Set("Cache-Control", "no-store")
	return writeJSON(w, http.StatusOK, hook)
}

func (s *Server) deleteWebhook(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "id")
	if err != nil {
		return err
	}
	ifMatch, err := preconditionOn(r, s.webhookVersion(id))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.opts.StoreTimeout)
	defer cancel()
	if err := s.opts.Webhooks.Delete(ctx, id, ifMatch); err != nil {
		return noWebhook(err, id)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// webhookVersion finds the version that If-Match: * stands for.
func (s *Server) webhookVersion(id string) func(context.Context) (int64, error) {
	return func(ctx context.Context) (int64, error) {
		hook, err := s.opts.Webhooks.Get(ctx, id)
		return hook.Version, err
	}
}
