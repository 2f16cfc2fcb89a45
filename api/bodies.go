package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
)

// writeJSON answers with a JSON document.
func writeJSON(w http.ResponseWriter, code int, doc any) error {
	return writeAs(w, code, "application/json", doc)
}

// writeGeoJSON answers with GeoJSON.
func writeGeoJSON(w http.ResponseWriter, doc any) error {
	return writeAs(w, http.StatusOK, "application/geo+json", doc)
}

func writeAs(w http.ResponseWriter, code int, contentType string, doc any) error {
	body, err := json.Marshal(doc)
	if err != nil {
		return fmt.Errorf("encoding an answer: %w", err)
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(code)
	_, _ = w.Write(body) // a client that left cannot be told
	return nil
}

// readBody reads a document of at most MaxBodyBytes whose content type is one of the allowed ones (or none).
func (s *Server) readBody(w http.ResponseWriter, r *http.Request, allowed ...string) ([]byte, error) {
	if err := checkContentType(r, allowed...); err != nil {
		return nil, err
	}
	if e := r.Header.Get("Content-Encoding"); e != "" && e != "identity" {
		return nil, unsupported("Content-Encoding " + e + " is not taken here")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, io.NopCloser(s.patiently(w, r)), s.opts.MaxBodyBytes))
	if err != nil {
		return nil, bodyError(err)
	}
	return body, nil
}

// bodyError keeps "too large" and blames the client for the rest: a body that ends early is not our fault.
func bodyError(err error) error {
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return err
	}
	return newProblem(http.StatusBadRequest, "the body cannot be read: "+err.Error())
}

func checkContentType(r *http.Request, allowed ...string) error {
	header := r.Header.Get("Content-Type")
	if header == "" {
		return nil
	}
	t, _, err := mime.ParseMediaType(header)
	if err != nil || !slices.Contains(allowed, t) {
		return unsupported("Content-Type " + header + " is not taken here; it must be " + strings.Join(allowed, " or "))
	}
	return nil
}

func unsupported(detail string) *problem {
	return named(http.StatusUnsupportedMediaType, "media-type", detail)
}

// readJSON reads a JSON document into a struct; unknown members are refused.
func (s *Server) readJSON(w http.ResponseWriter, r *http.Request, into any) error {
	body, err := s.readBody(w, r, "application/json")
	if err != nil {
		return err
	}
	return decodeStrictly(body, into)
}

func decodeStrictly(body []byte, into any) error {
	d := json.NewDecoder(strings.NewReader(string(body)))
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if err == nil {
		if _, more := d.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("something stands behind the document")
		}
	}
	if err == nil {
		return nil
	}
	pointer := ""
	var wrongType *json.UnmarshalTypeError
	if errors.As(err, &wrongType) && wrongType.Field != "" {
		pointer = "/" + strings.ReplaceAll(wrongType.Field, ".", "/")
	}
	return badBody(pointer, strings.TrimPrefix(err.Error(), "json: "))
}
