package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caro-mesh/caro-node/api"
	"github.com/caro-mesh/caro-node/api/internal/fake"
	v1 "github.com/caro-mesh/caro-node/api/v1"
)

const token = "dGhpcyBpcyBhIHRva2VuIG9mIDMyIGJ5dGVzISEhISE"

// noon is the clock of every server under test.
var noon = time.Date(2026, 11, 23, 12, 30, 15, 0, time.UTC)

// running is a server on a fresh socket and a free port.
type running struct {
	t       *testing.T
	backend *fake.Backend
	socket  string
	addr    string // host:port
	log     *logBuffer
	http    *http.Client
	unix    *http.Client
	server  *api.Server
	stop    func() error
}

// logBuffer collects log output of concurrent requests.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// errNoSpace is what the servers of the tests explain.
var errNoSpace = errors.New("no space")

func explainNoSpace(err error) error {
	if errors.Is(err, errNoSpace) {
		return api.Refuse(api.ErrUnavailable, "free some space")
	}
	return err
}

func start(t *testing.T) *running {
	t.Helper()
	r := &running{t: t, backend: fake.Sample(noon), socket: filepath.Join(t.TempDir(), "api.sock"), log: &logBuffer{}}
	page := http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if strings.HasPrefix(q.URL.Path, "/assets/none") {
			http.NotFound(w, q)
			return
		}
		_, _ = io.WriteString(w, "<!doctype html>the page")
	})
	s, err := api.Listen(t.Context(), api.Config{Explain: explainNoSpace, Socket: r.socket, Listen: "127.0.0.1:0", Token: token, Page: page, Version: "0.1.0",
		Logger: slog.New(slog.NewJSONHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})), Now: func() time.Time { return noon }})
	if err != nil {
		t.Fatal(err)
	}
	r.server, r.addr = s, s.Endpoints().Listen
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, r.backend) }()
	r.stop = sync.OnceValue(func() error { cancel(); return <-ended })
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", r.socket)
	}
	r.http, r.unix = &http.Client{Transport: &http.Transport{}}, &http.Client{Transport: &http.Transport{DialContext: dial}}
	t.Cleanup(func() {
		r.http.CloseIdleConnections()
		r.unix.CloseIdleConnections()
		if err := r.stop(); err != nil {
			t.Errorf("the server did not end in order: %v", err)
		}
	})
	return r
}

// answer is a response that was read to its end.
type answer struct {
	status int
	header http.Header
	body   []byte
}

type tweak func(*http.Request)

func withToken(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
func header(name, value string) tweak {
	return func(r *http.Request) { r.Header.Set(name, value) }
}
func host(h string) tweak { return func(r *http.Request) { r.Host = h } }

func (r *running) send(c *http.Client, method, path, body string, tweaks ...tweak) answer {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, "http://"+r.addr+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, t := range tweaks {
		t(req)
	}
	resp, err := c.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	b, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		r.t.Fatal(err)
	}
	return answer{status: resp.StatusCode, header: resp.Header, body: b}
}

// tcp sends over TCP, viaUnix over the socket.
func (r *running) tcp(method, path, body string, tweaks ...tweak) answer {
	r.t.Helper()
	return r.send(r.http, method, path, body, tweaks...)
}

func (r *running) viaUnix(method, path, body string) answer {
	r.t.Helper()
	return r.send(r.unix, method, path, body)
}

func (a answer) into(t *testing.T, v any) {
	t.Helper()
	if err := json.Unmarshal(a.body, v); err != nil {
		t.Fatalf("%v in %s", err, a.body)
	}
}

// wantProblem checks that the answer is a problem document of this status and returns its detail with its fields.
func (a answer) wantProblem(t *testing.T, status int) string {
	t.Helper()
	if a.status != status {
		t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	if ct := a.header.Get("Content-Type"); ct != v1.ProblemMediaType {
		t.Fatalf("content type %q, want a problem document: %s", ct, a.body)
	}
	var p v1.Problem
	a.into(t, &p)
	if p.Status != status || p.Title != http.StatusText(status) || p.Detail == "" {
		t.Fatalf("problem document is incomplete: %+v", p)
	}
	text := p.Detail
	for _, f := range p.Errors {
		text += "; " + f.Location + ": " + f.Message
	}
	return text
}

func (a answer) text() string { return string(a.body) }

// retry asks until the promise holds or ten seconds have passed.
func retry(t *testing.T, promise string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("not within ten seconds: %s", promise)
		}
	}
}

// ask starts a query that stays inside the backend until waiting is closed, and returns once it is there.
func (r *running) ask(waiting chan struct{}) <-chan error {
	entered := make(chan struct{})
	r.backend.Change(func(b *fake.Backend) { b.Entered, b.Waiting = entered, waiting })
	ended := make(chan error, 1)
	go func() {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "http://caro/api/v1/query", strings.NewReader(`{"query_type":"tool_usage"}`))
		if err != nil {
			ended <- err
			return
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := r.unix.Do(req)
		if err == nil && resp.StatusCode != http.StatusOK {
			err = errors.New(resp.Status)
		}
		if resp != nil {
			err = errors.Join(err, resp.Body.Close())
		}
		ended <- err
	}()
	<-entered
	return ended
}

func TestStoppedServerFinishesRequestsUnderWay(t *testing.T) {
	r := start(t)
	waiting := make(chan struct{})
	answered := r.ask(waiting)
	stopped := make(chan error, 1)
	go func() { stopped <- r.stop() }()
	retry(t, "a stopped server takes no new connection", func() bool {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", r.addr)
		if err != nil {
			return true
		}
		return conn.Close() != nil
	})
	close(waiting)
	if err := <-answered; err != nil {
		t.Errorf("the request under way was lost: %v", err)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

func TestStoppedServerGivesUpRequestsThatDoNotEnd(t *testing.T) {
	r := start(t)
	r.server.SetGrace(10 * time.Millisecond)
	ended := r.ask(make(chan struct{}))
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	if err := <-ended; err == nil {
		t.Error("a request without an end was answered")
	}
}

func TestServerNeedsATokenForTCP(t *testing.T) {
	for _, short := range []string{"", "short"} {
		s, err := api.Listen(t.Context(), api.Config{Socket: filepath.Join(t.TempDir(), "s"), Listen: "127.0.0.1:0", Token: short})
		if err == nil {
			t.Errorf("token %q was accepted", short)
			_ = s.Close()
		}
	}
}
