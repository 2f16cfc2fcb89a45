package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	defaultFenceLimit = 1000
	maxFenceLimit     = 10_000
)

// fenceAnswer is what PUT and DELETE say.
type fenceAnswer struct {
	ID      string `json:"id"`
	Version int64  `json:"version"`
	Live    bool   `json:"live"` // every partition works with it; known only with wait
}

func noFence(err error, id string) error {
	if errors.Is(err, ErrNotFound) {
		return named(http.StatusNotFound, "fence", "there is no fence "+id+": GET /api/v1/fences lists them, PUT makes one")
	}
	return err
}

func (s *Server) getFence(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "id")
	if err != nil {
		return err
	}
	f, err := s.opts.Fences.Get(r.Context(), id)
	if err != nil {
		return noFence(err, id)
	}
	tag := etag(f.Version)
	w.Header().Set("ETag", tag)
	w.Header().Set("Cache-Control", "no-cache")
	if listsTag(r.Header.Get("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	doc, err := f.document()
	if err != nil {
		return err
	}
	return writeGeoJSON(w, doc)
}

// document is the Feature with its id and version.
func (f *Fence) document() (json.RawMessage, error) {
	members := map[string]json.RawMessage{}
	if err := json.Unmarshal(f.Feature, &members); err != nil {
		return nil, fmt.Errorf("reading fence %q: %w", f.ID, err)
	}
	id, err := json.Marshal(f.ID)
	if err != nil {
		return nil, fmt.Errorf("encoding the id of a fence: %w", err)
	}
	members["id"], members["version"] = id, strconv.AppendInt(nil, f.Version, 10)
	return json.Marshal(members)
}

// getFences lists fences by id; next is the last id when there may be more.
func (s *Server) getFences(w http.ResponseWriter, r *http.Request) error {
	p := readParams(r, "bbox", "limit", "after")
	box, limit, after := p.box(), p.integer("limit", defaultFenceLimit, 1, maxFenceLimit), p.text("after")
	if err := p.problem(); err != nil {
		return err
	}
	fences, err := s.opts.Fences.List(r.Context(), box, after, limit+1)
	if err != nil {
		return err
	}
	answer := collection{Type: "FeatureCollection", Limit: limit, Truncated: len(fences) > limit}
	if answer.Truncated {
		fences = fences[:limit]
		answer.Next = fences[limit-1].ID
	}
	features := make([]json.RawMessage, len(fences))
	for i := range fences {
		if features[i], err = fences[i].document(); err != nil {
			return err
		}
	}
	answer.Features = features
	return writeGeoJSON(w, answer)
}

func (s *Server) putFence(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "id")
	if err != nil {
		return err
	}
	p := readParams(r, "wait")
	wait := p.wait()
	if err := p.problem(); err != nil {
		return err
	}
	body, err := s.readBody(w, r, "application/json", "application/geo+json")
	if err != nil {
		return err
	}
	ifMatch, err := s.precondition(r, id)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.opts.StoreTimeout)
	defer cancel()
	version, err := s.opts.Fences.Put(ctx, id, body, ifMatch)
	if err != nil {
		return err
	}
	return s.answerChange(w, r, id, version, wait)
}

func (s *Server) deleteFence(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "id")
	if err != nil {
		return err
	}
	p := readParams(r, "wait")
	wait := p.wait()
	if err := p.problem(); err != nil {
		return err
	}
	ifMatch, err := s.precondition(r, id)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.opts.StoreTimeout)
	defer cancel()
	version, err := s.opts.Fences.Delete(ctx, id, ifMatch)
	if err != nil {
		return noFence(err, id)
	}
	return s.answerChange(w, r, id, version, wait)
}

func (s *Server) answerChange(w http.ResponseWriter, r *http.Request, id string, version int64, wait time.Duration) error {
	isLive, err := s.waitLive(r.Context(), version, wait)
	if err != nil {
		return err
	}
	w.Header().Set("ETag", etag(version))
	return writeJSON(w, http.StatusOK, fenceAnswer{id, version, isLive})
}

// waitLive waits until a version is in force everywhere; that the wait was too short is no error, the change is stored.
func (s *Server) waitLive(ctx context.Context, version int64, wait time.Duration) (bool, error) {
	if wait <= 0 || version < 0 {
		return false, nil
	}
	bounded, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	err := s.opts.Fences.WaitLive(bounded, version)
	if err == nil {
		return true, nil
	}
	if bounded.Err() != nil || errors.Is(err, ErrUnavailable) {
		return false, nil
	}
	return false, err
}

func etag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

func listsTag(header, tag string) bool {
	for t := range strings.SplitSeq(header, ",") {
		if t = strings.TrimPrefix(strings.TrimSpace(t), "W/"); t == tag || t == "*" {
			return true
		}
	}
	return false
}

// precondition reads If-Match and If-None-Match as the version that the fence must have: nil is any, -1 is none.
func (s *Server) precondition(r *http.Request, id string) (*int64, error) {
	return preconditionOn(r, func(ctx context.Context) (int64, error) {
		f, err := s.opts.Fences.Get(ctx, id)
		return f.Version, err
	})
}

// preconditionOn asks current for the version that "*" stands for.
func preconditionOn(r *http.Request, current func(context.Context) (int64, error)) (*int64, error) {
	match, noneMatch := r.Header.Get("If-Match"), r.Header.Get("If-None-Match")
	absent := int64(-1)
	switch {
	case match == "" && noneMatch == "":
		return nil, nil
	case match != "" && noneMatch != "":
		return nil, badParameter("If-Match", "does not go with If-None-Match")
	case noneMatch == "*":
		return &absent, nil
	case noneMatch != "":
		return nil, badParameter("If-None-Match", "must be * here")
	case match == "*":
		version, err := current(r.Context())
		if errors.Is(err, ErrNotFound) {
			return nil, ErrVersion
		}
		return &version, err
	}
	version, err := strconv.ParseInt(strings.Trim(match, `"`), 10, 64)
	if err != nil || version < 0 || etag(version) != match {
		return nil, badParameter("If-Match", `must be one ETag such as "17"`)
	}
	return &version, nil
}

// importAnswer reports on an import.
type importAnswer struct {
	Stored        int           `json:"stored"`
	Errors        []importError `json:"errors"`
	ErrorsOmitted int           `json:"errors_omitted,omitempty"`
	Version       int64         `json:"version"` // of the last stored; -1: none
	Live          bool          `json:"live"`
}

// importError says why a line (or the n-th Feature of a collection) was not stored.
type importError struct {
	Line    int    `json:"line"`
	ID      string `json:"id,omitempty"`
	Pointer string `json:"pointer,omitempty"`
	Reason  string `json:"reason"`
}

// Bounds of an import's pieces.
const (
	importBatch      = 500
	importBatchBytes = 1 << 20
	maxReported      = 1000
)

// importer collects the fences of a body and stores them in batches.
type importer struct {
	s      *Server
	ctx    context.Context // the request's: take is called back
	answer importAnswer
	batch  []Fence
	lines  []int
	bytes  int
}

func (s *Server) postFenceImport(w http.ResponseWriter, r *http.Request) error {
	p := readParams(r, "wait")
	wait := p.wait()
	if err := p.problem(); err != nil {
		return err
	}
	if err := checkContentType(r, append([]string{"application/geo+json", "application/json"}, lineTypes...)...); err != nil {
		return err
	}
	if !s.imports.take() {
		return busy("too many imports are under way")
	}
	defer s.imports.free()
	body, err := s.unpack(w, r, 0)
	if err != nil {
		return err
	}
	in := &importer{s: s, ctx: r.Context(), answer: importAnswer{Errors: []importError{}, Version: -1}}
	err = features(r.Header.Get("Content-Type"), body, int(s.opts.MaxBodyBytes), in.take)
	if err == nil {
		err = in.flush() //nolint:contextcheck // it has the request's
	}
	if err != nil {
		return in.failed(err)
	}
	if in.answer.Live, err = s.waitLive(r.Context(), in.answer.Version, wait); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, in.answer)
}

// failed says what was stored before an import broke off.
func (in *importer) failed(err error) error {
	p, internal := asProblem(err)
	if internal {
		in.s.opts.Logger.Error("importing fences failed", "stored", in.answer.Stored, "err", err)
	}
	told := *p
	told.extra = map[string]any{"stored": in.answer.Stored, "lines": in.answer.Errors, "version": in.answer.Version}
	return &told
}

// take is called with each Feature, or with what is none.
func (in *importer) take(line int, raw []byte, err error) error {
	if err != nil {
		in.report(importError{Line: line, Reason: err.Error()})
		return nil
	}
	id, err := featureID(raw)
	if err != nil {
		in.report(importError{Line: line, Pointer: "/id", Reason: err.Error()})
		return nil
	}
	in.batch = append(in.batch, Fence{ID: id, Feature: bytes.Clone(raw)})
	in.lines = append(in.lines, line)
	in.bytes += len(raw)
	if len(in.batch) >= importBatch || in.bytes >= importBatchBytes {
		return in.flush()
	}
	return nil
}

func (in *importer) report(e importError) {
	if len(in.answer.Errors) == maxReported {
		in.answer.ErrorsOmitted++
		return
	}
	in.answer.Errors = append(in.answer.Errors, e)
}

func (in *importer) flush() error {
	if len(in.batch) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(in.ctx, in.s.opts.StoreTimeout)
	defer cancel()
	version, refused, err := in.s.opts.Fences.PutAll(ctx, in.batch)
	if err != nil {
		return err
	}
	stored := len(in.batch)
	for i, why := range refused {
		if why == nil {
			continue
		}
		stored--
		e := importError{Line: in.lines[i], ID: in.batch[i].ID, Reason: why.Error()}
		if p, _ := asProblem(why); len(p.errors) > 0 {
			e.Pointer, e.Reason = p.errors[0].Pointer, p.errors[0].Detail
		}
		in.report(e)
	}
	in.answer.Stored += stored
	in.answer.Version = max(in.answer.Version, version)
	in.batch, in.lines, in.bytes = in.batch[:0], in.lines[:0], 0
	return nil
}
