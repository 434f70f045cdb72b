package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/creack/pty"

	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/protocol"
)

const prompt = "caro-ready> "

// terminal is a program, usually an interactive shell, on a pseudo-terminal.
type terminal struct {
	t    *testing.T
	file *os.File
	cmd  *exec.Cmd

	mu     sync.Mutex
	screen bytes.Buffer
}

// openTerminal starts cmd on a pseudo-terminal, and ends it with the test.
func openTerminal(t *testing.T, cmd *exec.Cmd) *terminal {
	t.Helper()
	f, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 40, Cols: 200})
	if err != nil {
		t.Fatal(err)
	}
	term := &terminal{t: t, file: f, cmd: cmd}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 4096)
		for {
			k, err := f.Read(buf)
			term.mu.Lock()
			term.screen.Write(buf[:k])
			term.mu.Unlock()
			if err != nil { // the program has ended
				return
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()
		_ = f.Close()
		<-done
	})
	return term
}

// openShell starts an interactive shell of n's user, without its own start files, hooked by caro-node.
func openShell(t *testing.T, n *node, name string) *terminal {
	t.Helper()
	term := openPlain(t, n, name)
	hook := `eval "$(` + program + ` shell init ` + name + `)"`
	if name == "fish" {
		hook = program + " shell init fish | source"
	}
	term.run(hook)
	return term
}

// openPlain is openShell without the hook.
func openPlain(t *testing.T, n *node, name string) *terminal {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("SKIPPED: %s is not installed (.ci/run installs it)", name)
	}
	var args []string
	var setup string
	switch name {
	case "bash":
		args, setup = []string{"--norc", "--noprofile", "-i"}, fmt.Sprintf("PS1='%s'", prompt)
	case "zsh":
		args, setup = []string{"-f", "-i"}, fmt.Sprintf("unsetopt PROMPT_SP; PS1='%s'", prompt)
	case "fish":
		args, setup = []string{"-i"}, fmt.Sprintf("function fish_prompt; echo -n '%s'; end", prompt)
	}
	home := t.TempDir()
	// Where this folder is missing, fish fills it in the background, for long after the test.
	if err := os.MkdirAll(filepath.Join(home, "fish", "generated_completions"), 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = home
	cmd.Env = append(n.Env(), "HOME="+home, "XDG_CONFIG_HOME="+home, "XDG_DATA_HOME="+home, "TERM=dumb", "PATH="+named(t)+":"+os.Getenv("PATH"))
	term := openTerminal(t, cmd)
	term.send(setup + "\n")
	term.awaitPrompt(strings.Count(setup, prompt)) // the line that sets the prompt shows it as well
	return term
}

// named returns a folder in which the program under test is called caro-node, whatever its file is called.
func named(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Symlink(program, filepath.Join(dir, "caro-node")); err != nil {
		t.Fatal(err)
	}
	return dir
}

func (s *terminal) send(text string) {
	s.t.Helper()
	if _, err := s.file.WriteString(text); err != nil {
		s.t.Fatal(err)
	}
}

// prompts counts the prompts that the shell has printed. A line editor may print one more than once, so the count only
// shows that the shell is alive again.
func (s *terminal) prompts() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Count(s.screen.Bytes(), []byte(prompt))
}

func (s *terminal) awaitPrompt(beyond int) {
	s.t.Helper()
	eventually(s.t, func() string {
		if s.prompts() > beyond {
			return ""
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		return fmt.Sprintf("no prompt; the screen shows %q", s.screen.String())
	})
}

// run types a line and waits until a prompt appears after it.
func (s *terminal) run(line string) {
	s.t.Helper()
	before := s.prompts()
	s.send(line + "\n")
	s.awaitPrompt(before)
}

// runRecorded types a line and waits until the node has stored one more command.
func (s *terminal) runRecorded(n *node, line string) {
	s.t.Helper()
	before := n.stored()
	s.run(line)
	n.awaitEvents(before + 1)
}

func TestCommandsOfRealShellsReachTheHistory(t *testing.T) {
	for _, name := range []string{"bash", "zsh", "fish"} {
		t.Run(name, func(t *testing.T) {
			n := newNode(t, "anna")
			n.start()
			sh := openShell(t, n, name)
			folder := t.TempDir()
			for _, line := range []string{"cd " + folder, `echo "it's quoted" 'and so'`, "printf '%s' grün 日本 | cat", "false"} {
				sh.runRecorded(n, line)
			}
			sh.send("\n")
			sh.runRecorded(n, "test -d /nonexistent")
			sh.run(" echo hidden by a space")
			sh.runRecorded(n, "sleep 0.2")
			if name == "fish" {
				sh.runRecorded(n, "for i in 1 2\necho $i\nend")
			} else {
				sh.runRecorded(n, "for i in 1 2\ndo echo $i\ndone")
			}
			interrupt(n, sh)
			sh.runRecorded(n, "rm -rf /nonexistent/"+name)

			want := []struct {
				contains string
				exit     int
			}{
				{"cd " + folder, 0}, {`echo "it's quoted" 'and so'`, 0}, {"printf '%s' grün 日本 | cat", 0}, {"false", 1},
				{"test -d /nonexistent", 1}, {"sleep 0.2", 0}, {"echo $i", 0}, {"sleep 300", 130}, {"rm -rf /nonexistent/" + name, 0},
			}
			got := n.history()
			if len(got) != len(want) {
				t.Fatalf("recorded %d commands, want %d: %s", len(got), len(want), commandsOf(got))
			}
			for i, w := range want {
				e := got[i]
				if !strings.Contains(e.Command, w.contains) || e.ExitCode == nil || *e.ExitCode != w.exit || e.Shell != protocol.ShellType(name) {
					t.Errorf("record %d is %+v, want %q with exit code %d", i, e, w.contains, w.exit)
				}
			}
			if e := got[1]; e.CWD != folder {
				t.Errorf("%q was typed in %s, recorded in %s", e.Command, folder, e.CWD)
			}
			if d := got[5].DurationMS; d == nil || *d < 200 || *d > 60_000 {
				t.Errorf("sleep 0.2 took %v ms", d)
			}
			if e := got[8]; e.RiskLevel < protocol.RiskHigh || e.Category != protocol.CategoryFileOps {
				t.Errorf("rm -rf is %s, %s", e.Category, e.RiskLevel)
			}
		})
	}
}

// interrupt types a long command and Ctrl-C once it runs.
func interrupt(n *node, s *terminal) {
	s.t.Helper()
	before := n.stored()
	s.send("sleep 300\n")
	eventually(s.t, func() string {
		out, err := exec.Command("ps", "--ppid", fmt.Sprint(s.cmd.Process.Pid), "-o", "args=").Output()
		if err == nil && strings.Contains(string(out), "sleep 300") {
			return ""
		}
		return "sleep 300 does not run: " + string(out)
	})
	s.send("\x03")
	n.awaitEvents(before + 1)
}

func commandsOf(events []v1.Event) string {
	var b strings.Builder
	for _, e := range events {
		fmt.Fprintf(&b, "%q ", e.Command)
	}
	return b.String()
}

func TestRecordsWrittenWhileTheDaemonIsDownArriveOnceEach(t *testing.T) {
	n := newNode(t, "anna")
	n.start()
	sh := openShell(t, n, "bash")
	sh.runRecorded(n, "echo first")
	n.stop()
	for i := range 5 {
		sh.run(fmt.Sprintf("echo while down %d", i))
	}
	n.start()
	n.awaitEvents(6)
	sh.runRecorded(n, "echo last")
	if err := n.Kill(); err != nil {
		t.Fatal(err)
	}
	sh.run("echo after the crash")
	n.start()
	n.awaitEvents(8)
	seen := make(map[string]int)
	for _, e := range n.history() {
		seen[e.Command]++
	}
	for _, want := range []string{"echo first", "echo while down 0", "echo while down 1", "echo while down 2", "echo while down 3",
		"echo while down 4", "echo last", "echo after the crash"} {
		if seen[want] != 1 {
			t.Errorf("%q is stored %d times", want, seen[want])
		}
	}
	if len(seen) != 8 {
		t.Errorf("stored %v", seen)
	}
}
