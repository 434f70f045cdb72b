package e2e

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite" // to make a database of a newer version

	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/observer/spool"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/scripts/nodeproc"
)

// refusesToStart runs the node, which has to end with one sentence on stderr that contains every word.
func (n *node) refusesToStart(words ...string) {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(n.t.Context(), patience)
	defer cancel()
	_, err := n.Run(ctx, "run")
	var exit *nodeproc.ExitError
	if !errors.As(err, &exit) || exit.Code == 0 {
		n.t.Fatalf("the node did not refuse to start: %v", err)
	}
	said := strings.TrimSpace(exit.Stderr)
	if strings.Contains(said, "\n") {
		n.t.Errorf("says more than one line: %q", said)
	}
	for _, w := range words {
		if !strings.Contains(said, w) {
			n.t.Errorf("says %q, which does not mention %q", said, w)
		}
	}
}

func TestPortInUseIsSaidAndNothingIsLeftBehind(t *testing.T) {
	for _, what := range []string{"mesh", "api"} {
		t.Run(what, func(t *testing.T) {
			n := newNode(t, "anna")
			addr := n.APIAddr
			if what == "mesh" {
				parts := strings.Split(n.MeshAddr, "/")
				addr = net.JoinHostPort(parts[2], parts[4])
			}
			l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			_, port, err := net.SplitHostPort(addr)
			if err != nil {
				t.Fatal(err)
			}
			n.refusesToStart(port, "another program")
			if _, err := os.Stat(n.Socket()); err == nil {
				t.Error("the API socket was left behind")
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			n.start()
		})
	}
}

func TestASecondDaemonIsRefusedAndTheFirstGoesOn(t *testing.T) {
	n := newNode(t, "anna")
	n.start()
	n.refusesToStart("running")
	if s, err := n.Client().Status(t.Context()); err != nil || s.Health != v1.HealthOK {
		t.Errorf("the first daemon is %+v, %v", s.Health, err)
	}
}

func TestDatabaseOfANewerVersionIsRefusedUntouched(t *testing.T) {
	n := newNode(t, "anna")
	n.start()
	n.caro("observe", "--shell", "bash", "--", "echo kept")
	n.awaitEvents(1)
	n.stop()
	path := filepath.Join(n.Home, "caro.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), `PRAGMA user_version = 9999; INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1); PRAGMA wal_checkpoint(TRUNCATE)`); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	n.refusesToStart("newer", "9999", path)
	after, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("the database was changed (%v)", err)
	}
}

func TestFileThatIsNoDatabaseIsRefusedUntouched(t *testing.T) {
	n := newNode(t, "anna")
	path := filepath.Join(n.Home, "caro.db")
	junk := bytes.Repeat([]byte("this is no database\n"), 500)
	if err := os.WriteFile(path, junk, 0o600); err != nil {
		t.Fatal(err)
	}
	n.refusesToStart(path)
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(junk, after) {
		t.Errorf("the file was changed (%v)", err)
	}
}

func TestSpoolRecordCutInHalfIsSaidAndLosesNothing(t *testing.T) {
	n := newNode(t, "anna")
	record := func(c string) []byte {
		return spool.Encode(spool.Record{Start: time.Now(), Shell: protocol.ShellBash, CWD: "/", Command: c})
	}
	half := record("echo torn in the middle of its text")
	half = half[:len(half)-12]
	content := append(append(record("echo before"), half...), record("echo after")...)
	if err := os.WriteFile(filepath.Join(n.Home, "spool", "bash-1-1-1.spool"), content, 0o600); err != nil {
		t.Fatal(err)
	}
	n.start()
	n.await("two events and a torn record", func(s v1.Status) bool { return s.Events == 2 && s.Spool.Torn == 1 })
	var got []string
	for _, e := range n.history() {
		got = append(got, e.Command)
	}
	if fmt.Sprint(got) != "[echo before echo after]" {
		t.Errorf("stored %q", got)
	}
	kept, err := filepath.Glob(filepath.Join(n.Home, "spool", "torn", "*"))
	if err != nil || len(kept) != 1 {
		t.Fatalf("the torn record is kept in %v (%v)", kept, err)
	}
	if b, err := os.ReadFile(kept[0]); err != nil || !bytes.Contains(b, []byte("echo torn in the")) {
		t.Errorf("the torn record is kept as %q (%v)", b, err)
	}
	if !strings.Contains(n.Log(), "torn") {
		t.Error("the log does not mention it")
	}
	var s v1.Status
	n.caroJSON(&s, "status")
	if s.Health != v1.HealthDegraded || len(s.HealthReasons) != 1 {
		t.Errorf("health is %s %q", s.Health, s.HealthReasons)
	}
}

func TestLocalAPIAnswersOnlyItsOwner(t *testing.T) {
	n := newNode(t, "anna")
	n.start()
	n.caro("observe", "--shell", "bash", "--", "echo private")
	n.awaitEvents(1)
	token, err := os.ReadFile(filepath.Join(n.Home, "api.token"))
	if err != nil {
		t.Fatal(err)
	}
	bearer := "Bearer " + strings.TrimSpace(string(token))
	get := func(path, host, auth string, header ...string) (int, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+n.APIAddr+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if host != "" {
			req.Host = host
		}
		if auth != "" {
			req.Header.Set("Authorization", auth)
		}
		for i := 0; i+1 < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var b bytes.Buffer
		if _, err := b.ReadFrom(resp.Body); err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, b.String()
	}
	for _, path := range []string{"/api/v1/status", "/api/v1/identity", "/api/v1/events", "/api/v1/summaries", "/api/v1/peers", "/api/v1/audit", "/api/v1/trust", "/api/v1/policy"} {
		if code, body := get(path, "", bearer); code != http.StatusOK || !strings.Contains(body, `"schema_version":1`) {
			t.Errorf("%s with the token: %d %s", path, code, body)
		}
		for name, c := range map[string]struct {
			host, auth string
			header     []string
		}{
			"no token":               {},
			"wrong token":            {auth: "Bearer " + strings.Repeat("x", 43)},
			"rebound host name":      {host: "evil.example:9237", auth: bearer},
			"host name with suffix":  {host: "localhost.evil.example", auth: bearer},
			"page of another origin": {auth: bearer, header: []string{"Origin", "http://evil.example"}},
			"cross-site fetch":       {auth: bearer, header: []string{"Sec-Fetch-Site", "cross-site"}},
		} {
			if code, body := get(path, c.host, c.auth, c.header...); code < 400 || strings.Contains(body, "private") {
				t.Errorf("%s, %s: %d %s", path, name, code, body)
			}
		}
	}
	for _, path := range []string{"/api/v1/health", "/api/v1/ready"} {
		if code, body := get(path, "", ""); code != http.StatusOK {
			t.Errorf("%s without a token: %d %s", path, code, body)
		}
	}
	if code, body := get("/", "", ""); code != http.StatusOK || !strings.Contains(body, "<html") || strings.Contains(body, "private") {
		t.Errorf("the page: %d %s", code, body)
	}
	if code, body := get("/api/v1/events", "", bearer); code != http.StatusOK || !strings.Contains(body, "echo private") {
		t.Errorf("events: %d %s", code, body)
	}
}

func TestKillAtAnyMomentLosesNothingAndDoublesNothing(t *testing.T) {
	n := newNode(t, "anna")
	const rounds, each = 6, 40
	for round := range rounds {
		n.start()
		for i := range each {
			r := spool.Record{Start: time.Now(), Shell: protocol.ShellBash, CWD: "/", Command: fmt.Sprintf("echo %d-%d", round, i)}
			if err := spool.Write(filepath.Join(n.Home, "spool"), r); err != nil {
				t.Fatal(err)
			}
		}
		if err := n.Kill(); err != nil { // wherever it is
			t.Fatal(err)
		}
	}
	n.start()
	n.awaitEvents(rounds * each)
	seen := make(map[string]int)
	for _, e := range n.history() {
		seen[e.Command]++
	}
	for round := range rounds {
		for i := range each {
			if c := fmt.Sprintf("echo %d-%d", round, i); seen[c] != 1 {
				t.Errorf("%q is stored %d times", c, seen[c])
			}
		}
	}
	var v v1.AuditVerification
	n.caroJSON(&v, "audit", "verify")
	if !v.OK {
		t.Errorf("the audit log says %+v", v)
	}
}
