package api

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed openapi.yaml
var openAPI []byte

//go:embed docs.html
var docsPage []byte

// pagePolicy is what the map's page may do: everything from here and nothing from elsewhere; workers and pictures that it makes itself;
// styles that the map library sets on elements.
const pagePolicy = "default-src 'self'; script-src 'self'; worker-src 'self' blob:; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; " +
	"connect-src 'self'; font-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// docsPolicy lets the documentation, which is one file, run its own script and nothing else.
const docsPolicy = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"

// assets serves the built map. Its files are few, and read once.
type assets struct {
	files  map[string]*asset
	config []byte
	policy string
}

type asset struct {
	body        []byte
	contentType string
	tag         string
	cache       string
}

// newAssets reads the files of the map. A map_style_url in the configuration opens the page's policy to it.
func newAssets(web fs.FS, config any) (*assets, error) {
	a := &assets{files: map[string]*asset{}, config: []byte("{}"), policy: pagePolicy}
	if config != nil {
		raw, err := json.Marshal(config)
		if err != nil {
			return nil, fmt.Errorf("encoding the map's configuration: %w", err)
		}
		a.config = raw
		a.allowStyle(raw)
	}
	if web == nil {
		return a, nil
	}
	err := fs.WalkDir(web, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := fs.ReadFile(web, name)
		if err != nil {
			return err
		}
		a.files[name] = newAsset(name, body)
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) { // not built
		err = nil
	}
	return a, err
}

// allowStyle opens the page's policy to the origin of a base map's style that the operator chose.
func (a *assets) allowStyle(config []byte) {
	var c struct {
		StyleURL string `json:"map_style_url"`
	}
	if json.Unmarshal(config, &c) != nil || !strings.HasPrefix(c.StyleURL, "http") {
		return
	}
	a.policy = strings.Replace(a.policy, "connect-src 'self'", "connect-src 'self' https: http:", 1)
	a.policy = strings.Replace(a.policy, "img-src 'self'", "img-src 'self' https: http:", 1)
}

func newAsset(name string, body []byte) *asset {
	hash := sha256.Sum256(body)
	f := &asset{body: body, tag: `"` + hex.EncodeToString(hash[:8]) + `"`, cache: "no-cache"}
	if strings.HasPrefix(name, "assets/") { // the build puts a hash of the content into these names
		f.cache = "public, max-age=31536000, immutable"
	}
	switch ext := path.Ext(name); ext {
	case ".js", ".mjs":
		f.contentType = "text/javascript; charset=utf-8"
	case ".geojson":
		f.contentType = "application/geo+json"
	case ".wasm":
		f.contentType = "application/wasm"
	case ".map":
		f.contentType = "application/json"
	default:
		f.contentType = mime.TypeByExtension(ext)
	}
	if f.contentType == "" {
		f.contentType = "application/octet-stream"
	}
	return f
}

// serve answers for a page: a file, or the index for an address of the page's own.
func (a *assets) serve(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
	if name == "config.json" {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		_, _ = w.Write(a.config)
		return
	}
	f := a.files[name]
	if f == nil && path.Ext(name) == "" && !strings.HasPrefix(name, "assets/") {
		f = a.files["index.html"]
	}
	if f == nil {
		detail := "there is no such page; /docs shows the API"
		if len(a.files) == 0 {
			detail = "this program was built without the map (make web); /docs shows the API"
		}
		newProblem(http.StatusNotFound, detail).write(w)
		return
	}
	h := w.Header()
	h.Set("Content-Type", f.contentType)
	h.Set("Cache-Control", f.cache)
	h.Set("ETag", f.tag)
	h.Set("Content-Security-Policy", a.policy)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.body))
}

func (s *Server) getOpenAPI(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "application/yaml")
	_, _ = w.Write(openAPI) // a client that left cannot be told
	return nil
}

func (s *Server) getDocs(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", docsPolicy)
	_, _ = w.Write(docsPage)
	return nil
}
