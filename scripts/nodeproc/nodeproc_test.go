package nodeproc

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// program writes a script that stands in for caro-node: it logs, then waits to be stopped.
func program(t *testing.T, log string) *Node {
	t.Helper()
	dir := t.TempDir()
	bin := filepath.Join(dir, "node")
	script := "#!/bin/sh\ntrap 'exit 0' TERM\ncat <<'EOF'\n" + log + "\nEOF\n: > \"$CARO_HOME/ready\"\nwhile :; do sleep 0.05; done\n"
	if err := os.WriteFile(bin, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return &Node{Bin: bin, Home: dir, Name: "anna"}
}

func run(t *testing.T, n *Node) error {
	t.Helper()
	ready := filepath.Join(n.Home, "ready")
	if err := os.RemoveAll(ready); err != nil {
		t.Fatal(err)
	}
	if err := n.Start(); err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(ready); err == nil {
			return n.Stop()
		}
		select {
		case <-n.Done():
			t.Fatalf("it ended by itself: %v\n%s", n.Exit(), n.Log())
		case <-t.Context().Done():
			t.Fatal("it never came up")
		default:
		}
	}
}

func TestARaceOrAPanicInTheLogFailsTheStop(t *testing.T) {
	for _, log := range []string{
		"level=INFO msg=started\n==================\nWARNING: DATA RACE\nRead at 0x1 by goroutine 7:",
		"panic: runtime error: index out of range [recovered]",
		"fatal error: concurrent map writes",
	} {
		n := program(t, log)
		err := run(t, n)
		var f *FaultError
		if !errors.As(err, &f) || !strings.Contains(log, f.Report[:20]) || f.Node != "anna" {
			t.Errorf("%q: %v", log, err)
		}
		if err := n.Stop(); err != nil {
			t.Errorf("told twice: %v", err)
		}
		if err := run(t, n); !errors.As(err, &f) {
			t.Errorf("%q of the second process: %v", log, err)
		}
	}
}

func TestTheWordsOfAReportInALoggedLineMeanNothing(t *testing.T) {
	n := program(t, `level=INFO msg="a command was stored" command="echo panic: WARNING: DATA RACE"`)
	if err := run(t, n); err != nil {
		t.Error(err)
	}
	if err := (&Node{Home: t.TempDir()}).Stop(); err != nil {
		t.Errorf("a node that never ran: %v", err)
	}
}
