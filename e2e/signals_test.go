package e2e

import (
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"

	v1 "github.com/caro-mesh/caro-node/api/v1"
)

func TestANodeWhoseTerminalIsClosedEndsInOrder(t *testing.T) {
	n := newNode(t, "anna")
	cmd := exec.Command(program, "run")
	cmd.Env = n.Env()
	tty, err := pty.Start(cmd) // which gives it a terminal of its own
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // one that has ended cannot be killed
	seen := make(chan string, 1)
	go func() {
		var text strings.Builder
		for b := make([]byte, 4096); ; {
			k, err := tty.Read(b)
			text.Write(b[:k])
			if err != nil || strings.Contains(text.String(), "is running") {
				seen <- text.String()
				return
			}
		}
	}()
	if text := <-seen; !strings.Contains(text, "is running") {
		t.Fatalf("it did not start: %s", text)
	}
	if err := tty.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("it ended with %v", err)
	}
	n.start() // its lock and its socket are free
}

func TestManySignalsToReloadEndNothing(t *testing.T) {
	n := newNode(t, "anna")
	n.start()
	for range 20 {
		if err := syscall.Kill(n.PID(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	n.await("a reloaded policy", func(s v1.Status) bool { return s.Policy.LoadedAt.After(s.StartedAt) && s.Policy.Error == "" })
	select {
	case <-n.Done():
		t.Fatal("the node ended")
	default:
	}
}

func TestALogThatIsNoTerminalHoldsNothingElse(t *testing.T) {
	n := newNode(t, "anna")
	n.start()
	for line := range strings.Lines(n.Log()) {
		if !strings.HasPrefix(line, "time=") {
			t.Errorf("between the lines of the log: %q", line)
		}
	}
}
