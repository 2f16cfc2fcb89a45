package api

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/klauspost/compress/gzhttp"
)

// TilesPath is where the file of Options.Tiles is served.
const TilesPath = "/map.pmtiles"

// pmtilesMagic begins a PMTiles file of the version that the map's library reads.
const pmtilesMagic = "PMTiles\x03"

// CheckTiles says why a file cannot be a base map: it cannot be read, or is no PMTiles file of version 3.
func CheckTiles(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	head := make([]byte, len(pmtilesMagic))
	if _, err := io.ReadFull(f, head); err != nil || string(head) != pmtilesMagic {
		return fmt.Errorf("%s is no PMTiles file of version 3: it begins with %s", name, hex.EncodeToString(head))
	}
	return nil
}

// getTiles serves the base map. The page reads a few ranges of it, never the whole.
func (s *Server) getTiles(w http.ResponseWriter, r *http.Request) error {
	if s.opts.Tiles == "" {
		return newProblem(http.StatusNotFound, "this node has no base map of its own: start it with --map-pmtiles FILE")
	}
	f, err := os.Open(s.opts.Tiles)
	if err != nil {
		return fmt.Errorf("opening the base map: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.IsDir() {
		return errors.Join(errors.New("the base map is no file"), err)
	}
	first, _, _ := strings.Cut(strings.TrimPrefix(r.Header.Get("Range"), "bytes="), "-")
	if from, err := strconv.ParseInt(first, 10, 64); err == nil && from >= info.Size() {
		return newProblem(http.StatusRequestedRangeNotSatisfiable, fmt.Sprintf("the base map has %d bytes", info.Size()))
	}
	h := w.Header()
	h.Set("Content-Type", "application/vnd.pmtiles")
	h.Set("Cache-Control", "no-cache")
	h.Set("ETag", `"`+strconv.FormatInt(info.ModTime().UnixNano(), 36)+"-"+strconv.FormatInt(info.Size(), 36)+`"`)
	h.Set(gzhttp.HeaderNoCompression, "1") // ranges are of the file's bytes
	http.ServeContent(w, r, "", info.ModTime(), f)
	return nil
}
