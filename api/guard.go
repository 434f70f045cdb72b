package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// guard protects the TCP side: see the package comment for what it keeps out.
type guard struct {
	hosts []string // the only accepted Host values
	token [sha256.Size]byte
	next  http.Handler
}

func newGuard(addr net.Addr, token string, next http.Handler) *guard {
	_, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		panic(fmt.Sprintf("address %s of a TCP listener has no port", addr)) // net promises it
	}
	hosts := []string{"127.0.0.1:" + port, "localhost:" + port, "[::1]:" + port}
	if !slices.Contains(hosts, addr.String()) {
		hosts = append(hosts, addr.String()) // another address of 127.0.0.0/8
	}
	return &guard{hosts: hosts, token: sha256.Sum256([]byte(token)), next: next}
}

func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !slices.Contains(g.hosts, r.Host) {
		writeProblem(w, http.StatusForbidden, fmt.Sprintf("this address answers only to the host names %s", strings.Join(g.hosts, ", ")))
		return
	}
	if !sameOrigin(r) {
		writeProblem(w, http.StatusForbidden, "requests from other web pages are refused")
		return
	}
	if !open(r) && !g.authorized(r) {
		w.Header().Set("WWW-Authenticate", `Bearer realm="caro-node"`)
		writeProblem(w, http.StatusUnauthorized, `this needs the token of the node; run "caro-node dashboard" for the address of the page, or send the content of the api.token file as "Authorization: Bearer …"`)
		return
	}
	g.next.ServeHTTP(w, r)
}

// sameOrigin refuses what a browser sends on behalf of another page. Origin is compared with the Host that was just
// checked. Sec-Fetch-Site counts other ports of localhost as "same-site", which is another program and refused too;
// "none" is the address bar. Neither header: not a browser, or a same-origin GET of an old one.
func sameOrigin(r *http.Request) bool {
	for _, origin := range r.Header.Values("Origin") {
		if origin != "http://"+r.Host {
			return false
		}
	}
	for _, site := range r.Header.Values("Sec-Fetch-Site") {
		if site != "same-origin" && site != "none" {
			return false
		}
	}
	return true
}

// open tells what is served without a token: yes-or-no probes, and the page's files, which hold no data.
func open(r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	switch r.URL.Path {
	case "/", "/api/v1/health", "/api/v1/ready":
		return true
	}
	return strings.HasPrefix(r.URL.Path, "/assets/")
}

// authorized compares hashes in constant time, so that neither content nor length of the token can be timed.
func (g *guard) authorized(r *http.Request) bool {
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return false
	}
	scheme, token, ok := strings.Cut(values[0], " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return false
	}
	sum := sha256.Sum256([]byte(strings.TrimSpace(token)))
	return subtle.ConstantTimeCompare(sum[:], g.token[:]) == 1
}

// securityHeaders go with every answer, refusals included.
var securityHeaders = map[string]string{
	"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
		"frame-ancestors 'none'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
	"X-Content-Type-Options":       "nosniff",
	"X-Frame-Options":              "DENY",
	"Referrer-Policy":              "no-referrer",
	"Cross-Origin-Opener-Policy":   "same-origin",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Cache-Control":                "no-store", // the page's own files set another
}

// outermost sets the headers, bounds the body, and turns a panic into a problem document and a log entry.
func outermost(log *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, value := range securityHeaders {
			w.Header().Set(name, value)
		}
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(p)
			}
			log.ErrorContext(r.Context(), "the local API failed on a request", "method", r.Method, "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
			writeProblem(w, http.StatusInternalServerError, internalDetail)
		}()
		allowed := allow(r.Method, r.URL.Path)
		if r.ContentLength > allowed.body {
			w.Header().Set("Connection", "close") // the rest of the body is not read
			writeProblem(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("the body of the request is larger than %d bytes", allowed.body))
			return
		}
		if allowed.answer != writeTimeout {
			if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(allowed.answer)); err != nil {
				log.DebugContext(r.Context(), "the answer has only the usual time", "error", err)
			}
		}
		r.Body = http.MaxBytesReader(w, r.Body, allowed.body)
		next.ServeHTTP(w, r)
	})
}
