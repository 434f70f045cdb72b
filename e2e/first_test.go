package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// TestTheFirstRunSaysWhatToDoNextAndItWorks follows the words on the screen as a new person does: start the node, copy the
// line that hooks the shell, type something, copy the line that looks.
func TestTheFirstRunSaysWhatToDoNextAndItWorks(t *testing.T) {
	n := newNode(t, "anna")
	if err := os.Remove(filepath.Join(n.Home, "identity.key")); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "run")
	cmd.Env = append(n.Env(), "SHELL=/bin/bash", "TERM=dumb")
	node := openTerminal(t, cmd)
	var screen string
	eventually(t, func() string {
		node.mu.Lock()
		defer node.mu.Unlock()
		if screen = strings.ReplaceAll(node.screen.String(), "\r", ""); strings.Contains(screen, "stop:             Ctrl-C\n") {
			return ""
		}
		return fmt.Sprintf("the screen shows %q", screen)
	})
	if want := "This is a new node. Its identity is in " + filepath.Join(n.Home, "identity.key"); !strings.Contains(screen, want) {
		t.Errorf("the screen does not say %q:\n%s", want, screen)
	}
	offered := func(what string) string {
		t.Helper()
		m := regexp.MustCompile(`(?m)^  ` + what + `: +(\S.*)$`).FindStringSubmatch(screen)
		if m == nil {
			t.Fatalf("nothing is offered to %q:\n%s", what, screen)
		}
		return m[1]
	}

	sh := openPlain(t, n, "bash")
	sh.run(offered("hook your shell"))
	sh.runRecorded(n, "echo my first command")
	sh.run(offered("then look"))
	sh.mu.Lock()
	shown := sh.screen.String()
	sh.mu.Unlock()
	if strings.Count(shown, "echo my first command") < 2 {
		t.Errorf("looking does not show the command:\n%s", shown)
	}

	node.send("\x03")
	if err := cmd.Wait(); err != nil || cmd.ProcessState.Sys().(syscall.WaitStatus).Signaled() {
		t.Errorf("Ctrl-C ended the node with %v", err)
	}
}
