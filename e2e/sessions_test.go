package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	v1 "github.com/caro-mesh/caro-node/api/v1"
)

// user is somebody whose programs keep to the XDG folders.
type user struct {
	t         *testing.T
	home, run string
}

func newUser(t *testing.T) user {
	t.Helper()
	home, err := os.MkdirTemp("", "caro-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(home); err != nil {
			t.Error(err)
		}
	})
	u := user{t, home, filepath.Join(home, "run")}
	if err := os.Mkdir(u.run, 0o700); err != nil {
		t.Fatal(err)
	}
	return u
}

// command is one of a session that has a runtime folder, as on the desktop, or has none, as with cron.
func (u user) command(ctx context.Context, runtimeFolder bool, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = []string{"HOME=" + u.home, "PATH=" + os.Getenv("PATH"), "NO_COLOR=1"}
	if runtimeFolder {
		cmd.Env = append(cmd.Env, "XDG_RUNTIME_DIR="+u.run)
	}
	return cmd
}

// runs starts a node with free ports, which ends with the test, and waits until it says that it runs.
func (u user) runs(runtimeFolder bool) {
	u.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := u.command(ctx, runtimeFolder, "run", "--network-listen", "/ip4/127.0.0.1/tcp/0", "--api-listen", "", "--log-format", "json")
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	log, err := os.Create(filepath.Join(u.home, "log"))
	if err != nil {
		u.t.Fatal(err)
	}
	cmd.Stderr = log
	if err := errors.Join(cmd.Start(), log.Close()); err != nil {
		u.t.Fatal(err)
	}
	u.t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // that it was asked to end is no news
	})
	eventually(u.t, func() string {
		b, err := os.ReadFile(log.Name())
		if err != nil || !strings.Contains(string(b), "node started") {
			return "the log is: " + string(b)
		}
		return ""
	})
}

func TestASessionWithoutRuntimeFolderFindsTheDaemonOfOneThatHasIt(t *testing.T) {
	for _, c := range []struct {
		name            string
		daemon, command bool
	}{{"cron beside the desktop", true, false}, {"the desktop beside cron", false, true}, {"the desktop alone", true, true}} {
		t.Run(c.name, func(t *testing.T) {
			u := newUser(t)
			u.runs(c.daemon)
			out, err := u.command(t.Context(), c.command, "status", "--json").Output()
			var s v1.Status
			if err := errors.Join(err, json.Unmarshal(out, &s)); err != nil || s.Health != v1.HealthOK {
				t.Fatalf("status says %s (%v)", out, err)
			}
			if inRun := strings.HasPrefix(s.API.Socket, u.run); inRun != c.daemon {
				t.Errorf("the socket is at %s", s.API.Socket)
			}

			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			second := u.command(ctx, c.command, "run", "--network-listen", "/ip4/127.0.0.1/tcp/0", "--api-listen", "")
			var said bytes.Buffer
			second.Stderr = &said
			err = second.Run()
			if err == nil || !strings.Contains(said.String(), "another caro-node is running") || strings.Contains(said.String(), "node started") {
				t.Errorf("a second daemon says %q (%v)", said.String(), err)
			}
		})
	}
}

func TestTheIdentityIsInTheAuditLogOnceAlthoughInitMadeIt(t *testing.T) {
	n := newNode(t, "anna") // by init
	for range 2 {
		n.start()
		if got := auditOf(n, "identity_created"); len(got) != 1 || string(got[0].Peer) != n.ID {
			t.Errorf("recorded %+v", got)
		}
		n.stop()
	}
}

func TestANodeThatSaysItRunsAnswers(t *testing.T) {
	u := newUser(t)
	u.runs(false)
	began := time.Now()
	if out, err := u.command(t.Context(), false, "peers", "list").CombinedOutput(); err != nil {
		t.Errorf("%s after it said that it runs: %v, %s", time.Since(began), err, out)
	}
}
