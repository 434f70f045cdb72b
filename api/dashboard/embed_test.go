package dashboard

import (
	"compress/gzip"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

func get(t *testing.T, h http.Handler, path string, headers ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func text(t *testing.T, r io.Reader) string {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

var sample = fstest.MapFS{
	"index.html":       {Data: []byte("<!doctype html>the page")},
	"index.html.gz":    {Data: packed("<!doctype html>the page")},
	"assets/app.js":    {Data: []byte("app()")},
	"assets/style.css": {Data: []byte("body{}")},
	"assets/icon.svg":  {Data: []byte("<svg/>")},
	"assets/.gitkeep":  {Data: []byte("")},
}

func packed(s string) []byte {
	var b strings.Builder
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(s)); err != nil {
		panic(err)
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return []byte(b.String())
}

func TestFilesAreServedWithTheirTypeAndADigest(t *testing.T) {
	h := newHandler(sample)
	for path, kind := range map[string]string{"/": "text/html; charset=utf-8", "/assets/app.js": "text/javascript; charset=utf-8",
		"/assets/style.css": "text/css; charset=utf-8", "/assets/icon.svg": "image/svg+xml"} {
		r := get(t, h, path)
		if r.StatusCode != http.StatusOK || r.Header.Get("Content-Type") != kind || r.Header.Get("Content-Encoding") != "" || r.Header.Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: %d %v", path, r.StatusCode, r.Header)
		}
		again := get(t, h, path, "If-None-Match", r.Header.Get("ETag"))
		if again.StatusCode != http.StatusNotModified {
			t.Errorf("%s asked for again with its digest %q: %d", path, r.Header.Get("ETag"), again.StatusCode)
		}
	}
	for _, path := range []string{"/assets/", "/assets/none.js", "/assets/.gitkeep", "/index.html.gz", "/assets/../../embed.go", "/assets"} {
		if r := get(t, h, path); r.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", path, r.StatusCode)
		}
	}
}

func TestCompressedFormIsForThoseWhoTakeIt(t *testing.T) {
	h := newHandler(sample)
	etags := map[string]bool{}
	for accept, want := range map[string]string{"": "", "gzip": "gzip", "br, gzip;q=0.5": "gzip", "GZIP": "gzip", "gzip;q=0": "", "gzip; q=0.000": "", "deflate": "", "x-gzip": ""} {
		r := get(t, h, "/", "Accept-Encoding", accept)
		if got := r.Header.Get("Content-Encoding"); got != want || r.Header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("accept %q: encoding %q, %v", accept, got, r.Header)
			continue
		}
		etags[want+r.Header.Get("ETag")] = true
		body := io.Reader(r.Body)
		if want != "" {
			var err error
			if body, err = gzip.NewReader(body); err != nil {
				t.Fatal(err)
			}
		}
		if got := text(t, body); got != "<!doctype html>the page" {
			t.Errorf("accept %q: %q", accept, got)
		}
	}
	if len(etags) != 2 {
		t.Errorf("the two forms need two digests: %v", etags)
	}
}

func TestUnbuiltPageSaysHowToBuildIt(t *testing.T) {
	h := newHandler(fstest.MapFS{".gitkeep": {}})
	r := get(t, h, "/")
	if body := text(t, r.Body); r.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, "<code>make</code>") || !strings.Contains(body, "not built") {
		t.Errorf("%d %s", r.StatusCode, body)
	}
	if r := get(t, h, "/assets/app.js"); r.StatusCode != http.StatusNotFound {
		t.Errorf("script: %d", r.StatusCode)
	}
}

// A lock file with addresses would install from one registry only, and tell which.
func TestLockFileNamesNoRegistry(t *testing.T) {
	lock, err := os.ReadFile("package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(lock), `"resolved"`) || !strings.Contains(string(lock), `"integrity"`) {
		t.Error("package-lock.json holds addresses of a registry, or no digests; .npmrc must keep omit-lockfile-registry-resolved=true")
	}
}

// The built page, when it is there, must work under the content security policy: nothing inline, nothing from elsewhere.
func TestBuiltPageLoadsNothingInlineAndNothingFromElsewhere(t *testing.T) {
	dist, err := fs.Sub(built, "dist")
	if err != nil {
		t.Fatal(err)
	}
	page, err := fs.ReadFile(dist, "index.html")
	if err != nil {
		t.Skip("the page was not built: run make")
	}
	for _, bad := range []string{"<style", " style=", " onclick=", " onload=", "http://", "https://", "<script>"} {
		if strings.Contains(string(page), bad) {
			t.Errorf("the page contains %s", bad)
		}
	}
	total := 0
	err = fs.WalkDir(dist, ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(name, ".gz") {
			b, err := fs.ReadFile(dist, name)
			total += len(b)
			return err
		}
		return err
	})
	if err != nil || total == 0 || total > 80<<10 {
		t.Errorf("compressed size %d bytes, goal below %d; %v", total, 80<<10, err)
	}
	t.Logf("compressed size %d bytes", total)
}
