package observer

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caro-mesh/caro-node/observer/event"
	"github.com/caro-mesh/caro-node/observer/redact"
	"github.com/caro-mesh/caro-node/observer/spool"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/store"
)

func TestASecretInTheNameOfAFolderIsReplaced(t *testing.T) {
	token := "ghp_" + strings.Repeat("a1B2", 9)
	for cwd, want := range map[string]string{
		"/home/anna/" + token + "/src":             "/home/anna/REDACTED:github_token/src",
		"/tmp/https:__anna@host":                   "/tmp/https:__anna@host",
		"/tmp/https://anna:hunter2@git.example/x":  "/tmp/https://anna:REDACTED:url_password@git.example/x",
		"/srv/password-reset/tokens/api_key":       "/srv/password-reset/tokens/api_key",
		"/Users/anna/My secret files/mysql -p dir": "/Users/anna/My secret files/mysql -p dir",
		"": "",
	} {
		e := event.Event{Command: "ls", CWD: cwd, Shell: protocol.ShellBash}
		if !newPreparer(t).Prepare(&e) || e.CWD != want || (len(e.Redactions) > 0) != (cwd != want) {
			t.Errorf("%q became %q %v", cwd, e.CWD, e.Redactions)
		}
	}
}

// syncBuffer is a log that several goroutines write.
type syncBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.String()
}

// Every way into the database: records of shells and programs, reports and imports, with the secret in the command, in
// the folder, in a category's or a pattern's reach, in a line whose rules fail, and in one that is not kept.
func TestNoSecretIsInAnyFileOfTheDatabaseOrInTheLog(t *testing.T) {
	var secrets []string
	secret := func() string {
		s := fmt.Sprintf("Hunter2x%dQz", 1000+len(secrets))
		secrets = append(secrets, s)
		return s
	}
	var commands []string
	for _, form := range []string{"mysql -u root -p%s shop", "export DB_PASSWORD=%s", "curl -u anna:%s https://example.com", "echo %s | sudo -S ls",
		"psql postgres://anna:%s@db/app", "alias m='mysql -p%s'", "deploy() { sshpass -p %s ssh host; }; deploy", "./tool --token=%s", "kubectl create secret generic x --from-literal=p=%s",
		"bash -c 'docker login -u a -p %s'", "cat <<EOF > .env\nPASSWORD=%s\nEOF", "mysql -p%s 'unclosed", "caro-node delete --search %s", " curl -u a:%s https://example.com",
		"vault kv put secret/x password=%s", "PASSWORD=%s not-a-command", "panic --password %s"} {
		commands = append(commands, fmt.Sprintf(form, secret()))
	}
	folder := "/srv/https://anna:" + secret() + "@git.example/x"

	dir := t.TempDir()
	spools := filepath.Join(dir, "spool")
	db, err := store.Open(t.Context(), filepath.Join(dir, "caro.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var log syncBuffer
	o := startIn(t, spools, db, func(c *Config) {
		c.Logger = slog.New(slog.NewTextHandler(io.MultiWriter(&log), &slog.HandlerOptions{Level: slog.LevelDebug}))
		c.Redact = func(s string) (string, []string) {
			if strings.HasPrefix(s, "panic ") {
				panic("a rule that fails on " + s)
			}
			return redact.Redact(s)
		}
		c.Annotate = func(e *event.Event) {
			Annotate(e)
			if strings.HasPrefix(e.Command, "PASSWORD=") {
				panic("a rule that fails on " + e.Command)
			}
		}
	})
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	var reported []event.Event
	for i, c := range commands {
		write(t, spools, spool.Record{Start: at, Shell: protocol.ShellBash, CWD: folder, Command: c})
		reported = append(reported, event.Event{ID: event.NewID(at), Timestamp: at.Add(time.Duration(i) * time.Second), Shell: protocol.ShellZsh, CWD: folder, Command: c})
	}
	keep, err := o.Preparer().PrepareAll(t.Context(), reported)
	if err != nil {
		t.Fatal(err)
	}
	kept := slices.DeleteFunc(reported, func(e event.Event) bool {
		return !keep[slices.IndexFunc(reported, func(o event.Event) bool { return o.ID == e.ID })]
	})
	if err := db.Append(t.Context(), kept); err != nil {
		t.Fatal(err)
	}
	eventually(t, released(spools))
	if n, err := db.CountEvents(t.Context()); err != nil || n != int64(2*(len(commands)-2)) {
		t.Errorf("%d events are stored (%v), want %d", n, err, 2*(len(commands)-2))
	}

	// The database is read while it is open, with its write-ahead log, and so is everything beside it.
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		for _, s := range secrets {
			if bytes.Contains(content, []byte(s)) {
				t.Errorf("%s holds %q", path, s)
			}
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	for _, s := range secrets {
		if strings.Contains(log.String(), s) {
			t.Errorf("the log holds %q", s)
		}
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}
