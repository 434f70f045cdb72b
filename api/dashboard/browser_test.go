package dashboard_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caro-mesh/caro-node/api"
	"github.com/caro-mesh/caro-node/api/dashboard"
	"github.com/caro-mesh/caro-node/api/internal/fake"
	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/protocol"
)

const browserToken = "YnJvd3NlciB0ZXN0IHRva2VuIG9mIDMyIGJ5dGVzISE"

// TestPageInABrowser runs test/browser.mjs: a real browser against the real server, with a node made of plain data. The
// script asks on its standard output for changes of the node ("do …"), and goes on after "done".
//
// CARO_BROWSER names the browser, else a Chromium is looked for. With CARO_BROWSER_REQUIRED=1 a missing one is a failure
// instead of a skip. CARO_SHOTS names a folder for screenshots.
func TestPageInABrowser(t *testing.T) {
	browser := requirements(t)
	s := &site{t: t, backend: fake.Sample(time.Now()), dir: t.TempDir(), listen: "127.0.0.1:0", token: browserToken}
	s.start()
	defer func() { s.stop() }() // the one of the last start

	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	script := exec.CommandContext(ctx, "node", "test/browser.mjs")
	script.Env = append(os.Environ(), "BASE=http://"+s.listen, "TOKEN="+browserToken, "BROWSER="+browser,
		"HOSTILE_MARKUP="+fake.HostileMarkup, "SHOTS="+os.Getenv("CARO_SHOTS"))
	script.Stderr = os.Stderr
	out, err := script.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	in, err := script.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := script.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		order, ok := strings.CutPrefix(lines.Text(), "do ")
		if !ok {
			t.Log(lines.Text())
			continue
		}
		s.do(order)
		if _, err := fmt.Fprintln(in, "done"); err != nil {
			t.Error(err)
		}
	}
	if err := errors.Join(lines.Err(), script.Wait()); err != nil {
		t.Fatalf("the browser test failed: %v", err)
	}
}

// requirements returns the browser, or skips with the reason.
func requirements(t *testing.T) string {
	t.Helper()
	missing := func(what string) {
		t.Helper()
		if os.Getenv("CARO_BROWSER_REQUIRED") == "1" {
			t.Fatal(what)
		}
		t.Skip(what)
	}
	if _, err := fs.Stat(os.DirFS("."), "dist/index.html"); err != nil {
		missing("the page was not built: run make")
	}
	if _, err := fs.Stat(os.DirFS("."), "node_modules/playwright-core"); err != nil {
		missing("playwright-core is not installed: run npm ci in api/dashboard")
	}
	if b := os.Getenv("CARO_BROWSER"); b != "" {
		return b
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	missing("no Chromium was found; set CARO_BROWSER to its path")
	return ""
}

// site is the server under test, which can be stopped and started again on its port.
type site struct {
	t       *testing.T
	backend *fake.Backend
	dir     string
	listen  string
	token   string
	stop    func()
	added   int
}

func (s *site) start() {
	s.t.Helper()
	srv, err := api.Listen(s.t.Context(), api.Config{Socket: filepath.Join(s.dir, "api.sock"), Listen: s.listen, Token: s.token, Page: dashboard.Handler(), Version: "0.1.0"})
	if err != nil {
		s.t.Fatal(err)
	}
	s.listen = srv.Endpoints().Listen
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- srv.Run(ctx, s.backend) }()
	s.stop = func() {
		cancel()
		if err := <-ended; err != nil && !errors.Is(err, net.ErrClosed) {
			s.t.Error(err)
		}
	}
}

func (s *site) do(order string) {
	s.t.Helper()
	switch order {
	case "add a command":
		s.add("echo fresh command", 1)
	case "add sixty commands":
		s.add("echo one of many", 60)
	case "stop":
		s.stop()
		s.stop = func() {}
	case "start":
		s.start()
	case "start with another token":
		s.token = strings.ToUpper(browserToken)
		s.start()
	case "degrade":
		s.backend.Change(func(b *fake.Backend) {
			b.Node.Health, b.Node.HealthReasons = v1.HealthDegraded, []string{"The disk is nearly full: 80 MiB are left."}
		})
	case "recover":
		s.backend.Change(func(b *fake.Backend) { b.Node.Health, b.Node.HealthReasons = v1.HealthOK, nil })
	case "another node waits":
		s.backend.Change(func(b *fake.Backend) {
			id := fake.NodeID(7)
			b.Known = append(b.Known, v1.Peer{NodeID: id, Fingerprint: id.Fingerprint(), DisplayName: "mallory", Addresses: []string{"/ip4/10.0.0.66/tcp/9238"},
				Source: v1.SourcePending, State: v1.PeerPending})
			b.Node.Peers.Pending++
		})
	case "only that node was trusted":
		s.backend.Change(func(b *fake.Backend) {
			if len(b.Grants) != 1 || b.Grants[0].NodeID != fake.NodeID(6) || b.Grants[0].Trust != protocol.TrustPeer {
				s.t.Errorf("trust was given as %+v", b.Grants)
			}
		})
	case "lose the disk":
		s.backend.Change(func(b *fake.Backend) { b.NoTrust = api.Refuse(api.ErrUnavailable, "the disk is full") })
	case "find the disk":
		s.backend.Change(func(b *fake.Backend) { b.NoTrust = nil })
	case "forget everything":
		s.backend.Change(func(b *fake.Backend) {
			b.Commands, b.Known, b.Preview.Summary = nil, nil, protocol.NodeSummary{}
			b.Node.Events, b.Node.Spool.LastEventAt, b.Node.Peers = 0, nil, v1.PeerCounts{}
		})
	default:
		s.t.Errorf("the script asks for %q", order)
	}
}

func (s *site) add(command string, n int) {
	s.backend.Change(func(b *fake.Backend) {
		for range n {
			s.added++
			now := time.Now().UTC()
			exit := 0
			e := v1.Event{ID: fmt.Sprintf("added-%d", s.added), Timestamp: now, Shell: protocol.ShellBash, Command: fmt.Sprintf("%s %d", command, s.added),
				CWD: "/tmp", ExitCode: &exit, Category: "other:echo"}
			b.Commands = append([]v1.Event{e}, b.Commands...)
			b.Node.Events++
			b.Node.Spool.LastEventAt = &now
		}
	})
}
