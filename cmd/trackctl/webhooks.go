package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/trackmesh/trackmesh/client"
)

func (a *app) webhooksCommand() *cobra.Command {
	cmd := group("webhooks", "Receivers of events over HTTP: list, read, put, delete")
	cmd.AddCommand(a.webhooksList(), a.webhooksGet(), a.webhooksPut(), a.webhooksDelete())
	return cmd
}

// webhook is what tables show of a webhook.
type webhook struct {
	ID      string        `json:"id"`
	Version int64         `json:"version"`
	URL     string        `json:"url"`
	Filter  webhookFilter `json:"filter"`
	Created string        `json:"created"`
	Secret  string        `json:"secret"`
	State   struct {
		State         string `json:"state"`
		Lag           int64  `json:"lag"`
		Delivered     int64  `json:"delivered"`
		LastDelivered string `json:"last_delivered"`
		LastError     string `json:"last_error"`
		LastErrorAt   string `json:"last_error_at"`
	} `json:"state"`
}

// webhookFilter is as the node takes it.
type webhookFilter struct {
	Types    []string  `json:"types,omitempty"`
	Fences   []string  `json:"fences,omitempty"`
	Vehicles []string  `json:"vehicles,omitempty"`
	BBox     []float64 `json:"bbox,omitempty"`
}

// words are the filter in a few of them.
func (f *webhookFilter) words() string {
	var parts []string
	for _, p := range []struct {
		name   string
		values []string
	}{{"type", f.Types}, {"fence", f.Fences}, {"vehicle", f.Vehicles}} {
		if len(p.values) > 0 {
			parts = append(parts, p.name+"="+strings.Join(p.values, ","))
		}
	}
	if len(f.BBox) == 4 {
		parts = append(parts, fmt.Sprintf("bbox=%v,%v,%v,%v", f.BBox[0], f.BBox[1], f.BBox[2], f.BBox[3]))
	}
	if len(parts) == 0 {
		return "every event"
	}
	return strings.Join(parts, " ")
}

func (a *app) webhooksList() *cobra.Command {
	return leaf("list", "List webhooks by id", 0, func(cmd *cobra.Command, _ []string) error {
		raw, err := a.client.Get(cmd.Context(), client.Path("webhooks"), nil)
		if err != nil {
			return err
		}
		var answered struct {
			Webhooks []webhook `json:"webhooks"`
		}
		if err := json.Unmarshal(raw, &answered); err != nil {
			return fmt.Errorf("reading the webhooks: %w", err)
		}
		return a.show(answer{raw: raw, table: func(w io.Writer) error {
			if len(answered.Webhooks) == 0 {
				_, err := fmt.Fprintln(w, "No webhooks.")
				return err
			}
			t := newTable("id", "state", "lag", "delivered", "filter", "url", "last error")
			for i := range answered.Webhooks {
				h := &answered.Webhooks[i]
				t.add(h.ID, h.State.State, strconv.FormatInt(h.State.Lag, 10), strconv.FormatInt(h.State.Delivered, 10), h.Filter.words(), h.URL, orDash(h.State.LastError))
			}
			return t.write(w)
		}})
	})
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func (a *app) webhooksGet() *cobra.Command {
	return leaf("get ID", "Show a webhook and how it fares", 1, func(cmd *cobra.Command, args []string) error {
		raw, err := a.client.Get(cmd.Context(), client.Path("webhooks", args[0]), nil)
		if err != nil {
			return err
		}
		return a.showWebhook(raw)
	})
}

func (a *app) showWebhook(raw []byte) error {
	var h webhook
	if err := json.Unmarshal(raw, &h); err != nil {
		return fmt.Errorf("reading the webhook: %w", err)
	}
	var notes []string
	if h.Secret != "" {
		notes = append(notes, "Keep the secret: it is not shown again.")
	}
	return a.show(answer{raw: raw, notes: notes, table: func(w io.Writer) error {
		t := fields("id", h.ID, "version", strconv.FormatInt(h.Version, 10), "url", h.URL, "filter", h.Filter.words(), "created", moment(h.Created),
			"state", h.State.State, "lag", strconv.FormatInt(h.State.Lag, 10)+" events", "delivered", strconv.FormatInt(h.State.Delivered, 10),
			"last delivered", moment(h.State.LastDelivered))
		if h.State.LastError != "" {
			t.add("last error", h.State.LastError)
			t.add("last error at", moment(h.State.LastErrorAt))
		}
		if h.Secret != "" {
			t.add("secret", h.Secret)
		}
		return t.write(w)
	}})
}

func (a *app) webhooksPut() *cobra.Command {
	var filter webhookFilter
	var secretFile, ifMatch string
	var isNew bool
	cmd := &cobra.Command{
		Use: "put ID URL", Short: "Make or change a webhook", Args: usage(cobra.ExactArgs(2)), DisableFlagsInUseLine: true,
		Long: "Make a webhook, or change its address, filter or secret. Without --secret-file one is made and shown once; a change without it keeps the one\n" +
			"that is there. A webhook gets the events from its making on; a change keeps its place.",
		Example: "  trackctl webhooks put ops https://ops.example.org/hook --type enter,exit --fence depot",
	}
	cmd.Flags().StringSliceVar(&filter.Types, "type", nil, "only these types of event")
	cmd.Flags().StringSliceVar(&filter.Fences, "fence", nil, "only events of these fences")
	cmd.Flags().StringSliceVar(&filter.Vehicles, "vehicle", nil, "only events of these vehicles")
	cmd.Flags().Float64SliceVar(&filter.BBox, "bbox", nil, "only events within west,south,east,north")
	cmd.Flags().StringVar(&secretFile, "secret-file", "", "file with the secret that signs the POSTs")
	cmd.Flags().StringVar(&ifMatch, "if-match", "", "only when it has this version")
	cmd.Flags().BoolVar(&isNew, "new", false, "only when there is none of that id")
	cmd.MarkFlagsMutuallyExclusive("if-match", "new")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		body := struct {
			URL    string        `json:"url"`
			Secret *string       `json:"secret,omitempty"`
			Filter webhookFilter `json:"filter"`
		}{URL: args[1], Filter: filter}
		if secretFile != "" {
			raw, err := os.ReadFile(secretFile)
			if err != nil {
				return fmt.Errorf("--secret-file: %w", err)
			}
			secret := strings.TrimSpace(string(raw))
			body.Secret = &secret
		}
		raw, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("encoding the webhook: %w", err)
		}
		req := client.Request{Method: http.MethodPut, Path: client.Path("webhooks", args[0]), Header: http.Header{}, Body: bytes.NewReader(raw)}
		req.Header.Set("Content-Type", "application/json")
		precondition(req.Header, ifMatch, isNew)
		resp, err := a.client.Do(cmd.Context(), req)
		if err != nil {
			return err
		}
		return a.showWebhook(resp.Body)
	}
	return cmd
}

// precondition sets the headers of --if-match and --new.
func precondition(h http.Header, ifMatch string, isNew bool) {
	switch {
	case isNew:
		h.Set("If-None-Match", "*")
	case ifMatch == "*":
		h.Set("If-Match", "*")
	case ifMatch != "":
		h.Set("If-Match", `"`+strings.Trim(ifMatch, `"`)+`"`)
	}
}

func (a *app) webhooksDelete() *cobra.Command {
	var ifMatch string
	cmd := leaf("delete ID", "Delete a webhook: what it has not sent it never will", 1, func(cmd *cobra.Command, args []string) error {
		req := client.Request{Method: http.MethodDelete, Path: client.Path("webhooks", args[0]), Header: http.Header{}}
		precondition(req.Header, ifMatch, false)
		if _, err := a.client.Do(cmd.Context(), req); err != nil {
			return err
		}
		raw, err := json.Marshal(map[string]any{"id": args[0], "deleted": true})
		if err != nil {
			return err
		}
		return a.show(answer{raw: raw, table: func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "Webhook %s deleted\n", plain(args[0]))
			return err
		}})
	})
	cmd.Flags().StringVar(&ifMatch, "if-match", "", "only when it has this version")
	return cmd
}
