package e2e

import (
	"bufio"
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	ma "github.com/multiformats/go-multiaddr"
)

// TestTheDemoRunsAnswersAndLeavesNothing does what somebody does who wants to see the mesh: starts the demo, pastes what it
// prints into another terminal, and presses Ctrl-C.
func TestTheDemoRunsAnswersAndLeavesNothing(t *testing.T) {
	dir, err := os.MkdirTemp("", "caro-") // short, for the sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	demo, temp := filepath.Join(dir, "demo"), filepath.Join(dir, "tmp")
	if err := os.Mkdir(temp, 0o700); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", demo, "../scripts/demo").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}

	cmd := exec.CommandContext(t.Context(), demo, "-bin", program, "-commands", "30")
	cmd.Env = append(os.Environ(), "TMPDIR="+temp)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // it stops its nodes, where a kill would leave them
	cmd.WaitDelay = patience
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stuck := time.AfterFunc(2*patience, func() { _ = cmd.Process.Signal(os.Interrupt) }) // ends the reading below
	defer stuck.Stop()

	var guide []string
	lines := bufio.NewScanner(stdout)
	ready := false
	for !ready && lines.Scan() {
		guide = append(guide, lines.Text())
		ready = strings.Contains(lines.Text(), "Ctrl-C stops everything")
	}
	if ready {
		pasteQuery(t, strings.Join(guide, "\n"))
		if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
			t.Error(err)
		}
	}
	var rest []string
	for lines.Scan() {
		rest = append(rest, lines.Text())
	}
	if err := cmd.Wait(); err != nil || !ready || lines.Err() != nil {
		t.Fatalf("the demo ended with %v after\n%s\n%s\n%s", err, strings.Join(guide, "\n"), strings.Join(rest, "\n"), stderr.String())
	}
	if last := strings.Join(rest, "\n"); !strings.Contains(last, "everything of the demo is removed") || stderr.Len() > 0 {
		t.Errorf("it said goodbye with %q and %q", last, stderr.String())
	}
	left, err := os.ReadDir(temp)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	addrs := regexp.MustCompile(`/ip4/127\.0\.0\.1/tcp/\d+`).FindAllString(strings.Join(guide, "\n"), -1)
	if len(addrs) != 5 {
		t.Errorf("%d nodes were named: %q", len(addrs), addrs)
	}
	for _, a := range addrs {
		var d net.Dialer
		if c, err := d.DialContext(t.Context(), "tcp", addrPort(t, ma.StringCast(a)).String()); err == nil {
			t.Errorf("somebody still listens at %s; %v", a, c.Close())
		}
	}
}

// pasteQuery runs the first query of the guide in a shell, as it is printed.
func pasteQuery(t *testing.T, guide string) {
	t.Helper()
	home := regexp.MustCompile(`(?m)^ +export CARO_HOME=.+$`).FindString(guide)
	query := regexp.MustCompile(`(?m)^ .+ query tool_usage$`).FindString(guide)
	if home == "" || query == "" {
		t.Errorf("nothing to paste in\n%s", guide)
		return
	}
	out, err := exec.CommandContext(t.Context(), "sh", "-c", home+"\n"+query).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "success from 4 nodes") {
		t.Errorf("%s: %v\n%s", strings.TrimSpace(query), err, out)
	}
}
