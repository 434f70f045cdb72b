package e2e

import (
	"strings"
	"syscall"
	"testing"
)

func TestANodeWhoseTerminalIsClosedEndsInOrder(t *testing.T) {
	n := newNode(t, "anna")
	n.start()
	if err := syscall.Kill(n.PID(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	<-n.Done()
	if err := n.Exit(); err != nil || !strings.Contains(n.Log(), "node stopped") {
		t.Errorf("it ended with %v:\n%s", err, n.Log())
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
