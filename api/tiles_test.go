package api

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheBaseMapIsServedInRanges(t *testing.T) {
	file := filepath.Join(t.TempDir(), "city.pmtiles")
	body := pmtilesMagic + strings.Repeat("tile", 2000)
	require.NoError(t, os.WriteFile(file, []byte(body), 0o600))
	b := start(t, func(o *Options) { o.Tiles = file })
	part := b.get(TilesPath, "Range", "bytes=8-15", "Accept-Encoding", "gzip")
	require.Equal(t, http.StatusPartialContent, part.StatusCode)
	require.Equal(t, "tiletile", string(part.body))
	require.Equal(t, "bytes 8-15/8008", part.Header.Get("Content-Range"))
	require.Empty(t, part.Header.Get("Content-Encoding"))
	require.Empty(t, part.Header.Get("No-Gzip-Compression"))
	tag := part.Header.Get("ETag")
	require.NotEmpty(t, tag)
	require.Equal(t, http.StatusNotModified, b.get(TilesPath, "If-None-Match", tag).StatusCode)
	require.Equal(t, http.StatusRequestedRangeNotSatisfiable, b.get(TilesPath, "Range", "bytes=9000-9001").StatusCode)
	require.Equal(t, http.StatusOK, b.get(TilesPath, "Range", "bytes=0-7", "If-Range", `"another"`).StatusCode, "the file has changed: all of it")
}

func TestANodeWithoutABaseMapSaysHowToGiveItOne(t *testing.T) {
	b := start(t)
	require.Contains(t, b.get(TilesPath).problem(t, http.StatusNotFound, "")["detail"], "--map-pmtiles")
}

func TestWhatIsNoPMTilesFileIsRefused(t *testing.T) {
	dir := t.TempDir()
	require.ErrorContains(t, CheckTiles(filepath.Join(dir, "gone")), "gone")
	for name, body := range map[string]string{"empty": "", "old": "PMTiles\x02", "other": "<!doctype html>"} {
		file := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(file, []byte(body), 0o600))
		require.ErrorContains(t, CheckTiles(file), "no PMTiles file of version 3")
	}
}
