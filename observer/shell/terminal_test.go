package shell

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/caro-mesh/caro-node/observer/spool"
)

// multiplexer is a tmux server of its own.
type multiplexer struct {
	t      testing.TB
	socket string
	env    []string
}

func (m multiplexer) run(args ...string) string {
	m.t.Helper()
	cmd := exec.Command("tmux", append([]string{"-S", m.socket, "-f", "/dev/null"}, args...)...)
	cmd.Env = m.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		m.t.Fatalf("tmux %q: %v: %s", args, err, out)
	}
	return string(out)
}

func (m multiplexer) wait(what string, ok func() bool) {
	m.t.Helper()
	if !poll(ok) {
		m.t.Fatalf("%s: not seen within %v", what, patience)
	}
}

// enter types a line into a pane.
func (m multiplexer) enter(pane, line string) {
	m.t.Helper()
	m.run("send-keys", "-t", pane, "-l", line)
	m.run("send-keys", "-t", pane, "Enter")
}

func TestEachPaneOfTmuxIsASessionThatSurvivesItsEnd(t *testing.T) {
	if _, err := exec.LookPath("tmux"); err != nil {
		t.Skip("tmux is not installed, so the hook is not tested within it")
	}
	each(t, automatic, func(t *testing.T, name string) {
		s := prepare(t, name, config{before: ignoreboth(name)})
		dir, err := os.MkdirTemp("", "caro") // the path of a socket must be short
		if err != nil {
			t.Fatal(err)
		}
		m := multiplexer{t, filepath.Join(dir, "s"), s.cmd.Env}
		t.Cleanup(func() {
			_ = exec.Command("tmux", "-S", m.socket, "kill-server").Run() // it has ended by itself unless the test failed
			if err := os.RemoveAll(dir); err != nil {
				t.Error(err)
			}
		})
		shell := append([]string{s.cmd.Path}, s.cmd.Args[1:]...)
		m.run(append([]string{"new-session", "-d", "-x", "200", "-y", "50", "-c", s.home}, shell...)...)
		first := strings.TrimSpace(m.run("display-message", "-p", "#{pane_id}"))
		second := strings.TrimSpace(m.run(append([]string{"split-window", "-P", "-F", "#{pane_id}", "-c", s.home}, shell...)...))
		for _, pane := range []string{first, second} {
			m.wait("the prompt of the pane", func() bool { return strings.Contains(m.run("capture-pane", "-p", "-t", pane), ">$") })
		}
		recorded := func(n int) { m.wait("the record", func() bool { return len(s.commands()) == n }) }
		m.enter(first, "echo one")
		recorded(1)
		m.enter(second, "false")
		recorded(2)
		m.enter(first, " echo hidden")
		m.enter(first, "sleep 60")
		m.wait("the running command", func() bool {
			return strings.Contains(m.run("display-message", "-p", "-t", first, "#{pane_current_command}"), "sleep")
		})
		pids := strings.Fields(m.run("list-panes", "-F", "#{pane_pid}"))
		m.run("kill-server") // closes the terminals of both
		m.wait("the record of what ran", func() bool { return slices.Contains(s.commands(), "sleep 60") })
		for _, pid := range pids { // they keep their histories, which must not meet the removal of the folder
			m.wait("the shell's end", func() bool { return !exists("/proc/" + pid) })
		}
		got := s.commands()
		slices.Sort(got)
		if !slices.Equal(got, []string{"echo one", "false", "sleep 60"}) {
			t.Errorf("recorded %q", got)
		}
		if files, _, err := spool.Pending(s.spool); err != nil || len(files) != 2 {
			t.Errorf("files %q (%v), want one for each pane", files, err)
		}
	})
}

func TestATerminalKilledWithAllItsProcessesLosesNothingThatWasCompleted(t *testing.T) {
	each(t, automatic, func(t *testing.T, name string) {
		s := start(t, name, config{before: ignoreboth(name)})
		s.enter("echo a", "sh -c 'exit 3'")
		s.send("sh -c 'echo running; exec sleep 60'\r")
		s.wait("the running command", func() bool { return strings.Contains(s.screen(), "running\r\n") })
		s.wait("the command in the foreground", func() bool { return s.foreground() != s.cmd.Process.Pid })
		// As when the scope of a terminal is killed: nobody has a last word. The shell goes first, or it would see the end of
		// the other, which its own end may take along.
		group := s.foreground()
		for _, g := range []int{s.cmd.Process.Pid, group} {
			if err := syscall.Kill(-g, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				t.Fatal(err)
			}
		}
		s.close()
		s.want("echo a", "sh -c 'exit 3'") // fails on a torn record
	})
}

func TestJobsAreRecordedWhenTheirLineEnds(t *testing.T) {
	each(t, automatic, func(t *testing.T, name string) {
		s := start(t, name, config{before: ignoreboth(name)})
		n := 0
		enter := func(lines ...string) { // fish draws its prompt anew when a job ends, so that prompts cannot be counted
			for _, l := range lines {
				s.send(l + "\r")
				n++
				s.wait("the record of "+l, func() bool { return len(s.commands()) >= n })
			}
		}
		away := func() bool { return s.foreground() != s.cmd.Process.Pid }
		enter("sleep 60 &", "true", "kill %1", "sh -c 'exit 4' &", "wait")
		s.send("sh -c 'echo ready; exec sleep 60'\r")
		s.wait("ready", func() bool { return strings.Contains(s.screen(), "ready\r\n") })
		s.wait("the command in the foreground", away)
		s.send("\x1a") // suspend it
		n++
		s.wait("the record of what was suspended", func() bool { return len(s.commands()) >= n })
		enter("echo between")
		s.send("fg\r")
		n++
		s.wait("the command in the foreground", away)
		s.interrupt(func() bool { return len(s.commands()) >= n })
		enter("false")
		s.want("sleep 60 &", "true", "kill %1", "sh -c 'exit 4' &", "wait", "sh -c 'echo ready; exec sleep 60'", "echo between", "fg", "false")
		if t.Failed() {
			return
		}
		r := s.records()
		for i, want := range map[int]int{0: 0, 1: 0, 2: 0, 3: 0, 6: 0, 8: 1} {
			if r[i].Exit == nil || *r[i].Exit != want {
				t.Errorf("%q: exit status %v, want %d", r[i].Command, value(r[i].Exit), want)
			}
		}
		// 128 + SIGTSTP, and 128 + SIGINT; in fish a suspended command has the status from before, and its fg succeeds.
		if name != "fish" && (*r[5].Exit != 148 || *r[7].Exit != 130) {
			t.Errorf("exit status %d of the suspended command and %d of fg, want 148 and 130", *r[5].Exit, *r[7].Exit)
		}
	})
}
