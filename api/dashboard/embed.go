// Package dashboard is the web page of a node: TypeScript and CSS under src, built by "npm run build" into dist, which is
// compiled into the program. The page's files contain no data of the user; its script fetches that from the local API.
package dashboard

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"
)

//go:embed all:dist
var built embed.FS

// Handler serves the page at "/" and its files below "/assets/". Without built files, as in a fresh clone, it serves a
// page that says how to build them. Security headers are the caller's task.
func Handler() http.Handler {
	dist, err := fs.Sub(built, "dist")
	if err != nil {
		panic(err) // "dist" is a valid name
	}
	return newHandler(dist)
}

// handler keeps the files it has served, with their digest, because reading an embedded file copies it.
type handler struct {
	dist  fs.FS
	mu    sync.Mutex
	files map[string]*file
}

// file is one file in one of its forms.
type file struct {
	data []byte
	etag string
}

func newHandler(dist fs.FS) *handler { return &handler{dist: dist, files: map[string]*file{}} }

// types names what is served; other files are not.
var types = map[string]string{
	".html": "text/html; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".svg":  "image/svg+xml",
}

const notBuilt = `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>caro-node</title>
<h1>The page was not built</h1>
<p>This caro-node was compiled without its page: the assets were not built. Run <code>make</code> in the source folder, and start the new program.
Everything else works: see <code>caro-node status</code> and <code>caro-node history</code>.</p>
`

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
	if name == "" {
		name = "index.html"
	}
	kind, known := types[path.Ext(name)]
	if !known {
		http.NotFound(w, r)
		return
	}
	plain, err := h.load(name)
	if errors.Is(err, fs.ErrNotExist) && name == "index.html" {
		w.Header().Set("Content-Type", types[".html"])
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte(notBuilt)) // the reader may have left
		return
	}
	if err != nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "no-cache") // keep it, and ask each time whether it is still the same
	w.Header().Add("Vary", "Accept-Encoding")
	f := plain
	if packed, err := h.load(name + ".gz"); err == nil && acceptsGzip(r) {
		w.Header().Set("Content-Encoding", "gzip")
		f = packed
	}
	w.Header().Set("ETag", f.etag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.data))
}

func (h *handler) load(name string) (*file, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if f := h.files[name]; f != nil {
		return f, nil
	}
	data, err := fs.ReadFile(h.dist, name)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	f := &file{data: data, etag: `"` + hex.EncodeToString(sum[:12]) + `"`}
	h.files[name] = f
	return f, nil
}

// acceptsGzip reads Accept-Encoding as far as it matters here: gzip named, and not with a weight of zero.
func acceptsGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		coding, weight, _ := strings.Cut(part, ";")
		if !strings.EqualFold(strings.TrimSpace(coding), "gzip") {
			continue
		}
		q, ok := strings.CutPrefix(strings.ReplaceAll(weight, " ", ""), "q=")
		return !ok || strings.Trim(q, "0.") != ""
	}
	return false
}
