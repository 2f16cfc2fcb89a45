package elastic

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/elastic/go-elasticsearch/v8/esapi"

	"github.com/trackmesh/trackmesh/sinks"
)

// templateVersion goes up with every change of the templates. A cluster with a higher one keeps it: a newer node is there.
const templateVersion = 1

// checkEvery is how often the templates are looked for without a reason.
const checkEvery = time.Minute

var (
	//go:embed positions.json
	positionsTemplate string
	//go:embed events.json
	eventsTemplate string
)

// prepare sees to it that the templates are there before a document is written: at first, after a failure, before an index
// that was not written to yet, and once a minute.
func (s *Sink) prepare(ctx context.Context, items []item) error {
	s.mu.Lock()
	defer s.mu.Unlock() // concurrent batches wait: the first installs
	now := s.opts.Now()
	due := s.checked.IsZero() || now.Sub(s.checked) >= checkEvery
	if s.checked.IsZero() {
		clear(s.known)
	}
	for i := range items {
		due = due || !s.known[items[i].index]
	}
	if !due {
		return nil
	}
	for _, t := range []struct{ name, content string }{
		{s.opts.IndexPrefix + "-positions", positionsTemplate},
		{s.opts.IndexPrefix + "-events", eventsTemplate},
	} {
		if err := s.install(ctx, t.name, t.content); err != nil {
			return err
		}
	}
	if err := s.createMissing(ctx); err != nil {
		return err
	}
	s.checked = now
	for i := range items {
		s.known[items[i].index] = true
	}
	return nil
}

// install puts a template unless the cluster has it in this version or a later one.
func (s *Sink) install(ctx context.Context, name, content string) error {
	have, err := s.templateVersion(ctx, name)
	if err != nil {
		return err
	}
	if have >= templateVersion {
		return nil
	}
	body := strings.NewReplacer("{{name}}", name, "{{version}}", strconv.Itoa(templateVersion)).Replace(content)
	if err := s.call(ctx, esapi.IndicesPutIndexTemplateRequest{Name: name, Body: strings.NewReader(body)}, nil); err != nil {
		return fmt.Errorf("installing the index template %s: %w", name, err)
	}
	s.opts.Logger.Info("installed an index template", "template", name, "version", templateVersion, "replaced", have)
	return nil
}

// templateVersion is the version of the template that the cluster has; 0: none.
func (s *Sink) templateVersion(ctx context.Context, name string) (int, error) {
	var found struct {
		Templates []struct {
			Template struct {
				Version int `json:"version"`
			} `json:"index_template"`
		} `json:"index_templates"`
	}
	err := s.call(ctx, esapi.IndicesGetIndexTemplateRequest{Name: name}, &found)
	if status, ok := errors.AsType[*statusError](err); ok && status.status == http.StatusNotFound {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("looking for the index template %s: %w", name, err)
	}
	if len(found.Templates) == 0 {
		return 0, nil
	}
	return found.Templates[0].Template.Version, nil
}

// remember notes indices that are not there and that Elasticsearch was not allowed to make by itself.
func (s *Sink) remember(j *judgement) {
	if len(j.absent) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, index := range j.absent {
		s.missing[index] = true
	}
}

// createMissing makes indices where action.auto_create_index forbids that they come by themselves. s.mu is held.
func (s *Sink) createMissing(ctx context.Context) error {
	for index := range s.missing {
		err := s.call(ctx, esapi.IndicesCreateRequest{Index: index}, nil)
		if status, ok := errors.AsType[*statusError](err); ok && status.kind == "resource_already_exists_exception" {
			err = nil
		}
		if err != nil {
			return fmt.Errorf("creating the index %s: %w", index, err)
		}
		delete(s.missing, index)
	}
	return nil
}

// request is one of esapi's.
type request interface {
	Do(ctx context.Context, t esapi.Transport) (*esapi.Response, error)
}

// call makes a request and decodes its reply into into, unless that is nil. Its errors are *sinks.RetryError.
func (s *Sink) call(ctx context.Context, r request, into any) error {
	res, err := r.Do(ctx, s.es)
	if err != nil {
		return unreachable(err)
	}
	defer discard(res.Body)
	if res.IsError() {
		return refusal(res)
	}
	if into == nil {
		return nil
	}
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return unreachable(err)
	}
	if err := json.NewDecoder(bytes.NewReader(raw)).Decode(into); err != nil {
		return &sinks.RetryError{Class: "malformed", Err: fmt.Errorf("reading Elasticsearch's reply: %w", err)}
	}
	return nil
}
