package shell

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caro-mesh/caro-node/observer/spool"
)

// guarded starts a shell whose guard asks this test's own binary, which judges as caro-node does.
func guarded(t *testing.T, name string, c config) *session {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if c.guard == "" {
		c.guard = self
	}
	return start(t, name, c)
}

// asked types a line and waits for the question.
func (s *session) asked(line string) {
	s.t.Helper()
	before := strings.Count(s.screen(), "anything else to leave it:")
	s.send(strings.ReplaceAll(line, "\n", "\r") + "\r")
	s.wait("the guard's question", func() bool { return strings.Count(s.screen(), "anything else to leave it:") > before })
	if s.name == "fish" { // which takes the answer at the same prompt, drawn anew
		s.wait("the prompt for the answer", func() bool {
			_, behind, _ := strings.Cut(s.screen()[strings.LastIndex(s.screen(), "anything else"):], "it:")
			return strings.Contains(behind, ">$ ")
		})
	}
	s.continued = strings.Contains(line, "\n")
}

// answer types an answer and waits for the shell's next prompt.
func (s *session) answer(text string) {
	s.t.Helper()
	s.prompt = s.shown()
	if s.name == "zsh" && !s.continued { // draws the prompt anew before it goes on
		s.prompt++
	}
	if s.name == "fish" && text == "\x03" { // shows the same prompt once more
		s.interrupt(func() bool { return strings.Contains(s.screen(), "^C") })
		return
	}
	n := len(s.screen())
	s.send(text)
	if s.name == "fish" && text != s.agree() {
		s.lineAgain(n)
		s.send("\x15") // discard it
		return
	}
	if s.name == "bash" && (text == "\x03" || s.continued && text != s.agree()) { // a prompt after the interrupt, and the next one
		last := s.prompt + 2
		s.wait("the second prompt", func() bool { return s.shown() >= last })
		return
	}
	s.waitPrompt()
}

// agree is what the last question asked for.
func (s *session) agree() string {
	if strings.LastIndex(s.screen(), "Type yes and") > strings.LastIndex(s.screen(), "Type y and") {
		return "yes\r"
	}
	return "y\r"
}

// lineAgain waits until fish shows the stopped line to be edited.
func (s *session) lineAgain(from int) {
	s.t.Helper()
	s.wait("the line again", func() bool {
		return strings.Contains(s.screen()[from:], "rm -rf ~")
	})
}

// shown returns the number of the newest prompt on the screen.
func (s *session) shown() int {
	for s.prompted() {
		continue
	}
	return s.prompt
}

// keep makes a folder whose removal shows that a command ran.
func (s *session) keep() string {
	s.t.Helper()
	dir := filepath.Join(s.home, "keep")
	if err := os.MkdirAll(filepath.Join(dir, "in"), 0o700); err != nil {
		s.t.Fatal(err)
	}
	return dir
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// reported returns the records as command, flags and status.
func (s *session) reported() []string {
	s.t.Helper()
	var out []string
	for _, r := range s.records() {
		out = append(out, describe(r))
	}
	return out
}

func describe(r spool.Record) string {
	flags := ""
	if r.UserConfirmed {
		flags += "c"
	}
	if r.Blocked {
		flags += "b"
	}
	return fmt.Sprintf("%s|%s|%v", r.Command, flags, value(r.Exit))
}

func (s *session) wantReported(want ...string) {
	s.t.Helper()
	if got := s.reported(); fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		s.t.Errorf("reported\n %q, want\n %q\nscreen: %q", got, want, squeeze(s.screen()))
	}
}

func TestADangerousCommandRunsOnlyAfterConfirmation(t *testing.T) {
	each(t, automatic, func(t *testing.T, name string) {
		s := guarded(t, name, config{})
		dir := s.keep()
		line := "rm -rf ~/keep"
		s.asked(line)
		for _, part := range []string{"high risk: " + line, "file.remove-tree", "It deletes a folder with everything in it", "safer: "} {
			if !strings.Contains(s.screen(), part) {
				t.Errorf("%q is not shown: %q", part, squeeze(s.screen()))
			}
		}
		if !exists(dir) {
			t.Fatal("it ran before the answer")
		}
		s.answer("n\r")
		s.asked(line)
		s.answer("\r")
		s.asked(line)
		s.answer("yy\r")
		if !exists(dir) {
			t.Fatal("it ran although it was refused")
		}
		s.enter("echo between")
		s.asked(line)
		s.answer("y\r")
		if exists(dir) {
			t.Error("it did not run although it was confirmed")
		}
		s.enter("echo after")
		b := line + "|b|unknown"
		s.wantReported(b, b, b, "echo between||0", line+"|c|0", "echo after||0")
	})
}

func TestACriticalCommandAsksForAWholeWord(t *testing.T) {
	each(t, automatic, func(t *testing.T, name string) {
		before := "rm() { echo removed \"$@\"; }" // nothing is lost where the guard fails
		if name == "fish" {
			before = "function rm; echo removed $argv; end"
		}
		s := guarded(t, name, config{before: before})
		s.asked("rm -rf ~")
		s.answer("y\r")
		if strings.Contains(s.screen(), "removed -rf") {
			t.Error("one letter was enough")
		}
		s.asked("rm -rf ~")
		s.answer("yes\r")
		if !strings.Contains(s.screen(), "removed -rf") {
			t.Error("it did not run although it was confirmed")
		}
		s.wantReported("rm -rf ~|b|unknown", "rm -rf ~|c|0")
	})
}

func TestCtrlCLeavesAStoppedCommand(t *testing.T) {
	each(t, automatic, func(t *testing.T, name string) {
		s := guarded(t, name, config{})
		dir := s.keep()
		s.asked("rm -rf ~/keep")
		s.answer("\x03")
		s.enter("echo after")
		if !exists(dir) {
			t.Error("it ran")
		}
		s.wantReported("rm -rf ~/keep|b|unknown", "echo after||0")
	})
}

func TestALineIsStoppedAsAWhole(t *testing.T) {
	each(t, automatic, func(t *testing.T, name string) {
		s := guarded(t, name, config{})
		dir := s.keep()
		lines := []string{"touch made; rm -rf ~/keep; touch made", "touch made && rm -rf ~/keep", "touch made | rm -rf ~/keep",
			"rm -rf ~/keep >made", "begin; touch made; rm -rf ~/keep; end"}
		if name != "fish" {
			lines = append(lines[:4], "(touch made; rm -rf ~/keep)", "{ rm -rf ~/keep; } >made", "for i in 1 2; do touch made; rm -rf ~/keep; done",
				"for i in 1\ndo touch made; rm -rf ~/keep\ndone", "touch \\\nmade; rm -rf ~/keep")
		}
		for _, l := range lines {
			s.asked(l)
			s.answer("n\r")
		}
		s.enter("echo after")
		if !exists(dir) || exists(filepath.Join(s.home, "made")) {
			t.Errorf("a part of a stopped line ran: %q", squeeze(s.screen()))
		}
		for i, r := range s.records() {
			if r.Blocked != (i < len(lines)) {
				t.Errorf("record %d: %s", i, describe(r))
			}
		}
		if n := len(s.records()); n != len(lines)+1 {
			t.Errorf("%d records: %q, screen %q", n, s.reported(), squeeze(s.screen()))
		}
	})
}

func TestHarmlessCommandsStartNoProcess(t *testing.T) {
	each(t, automatic, func(t *testing.T, name string) {
		s := guarded(t, name, config{guard: "/nonexistent"})
		s.enter("true", "true")
		before := childFaults(t, s)
		for i := range 10 {
			s.enter(fmt.Sprintf("test %d = 1", i), "true", "echo git status", "echo 'a  b' c", "cd .", " true", "")
		}
		if after := childFaults(t, s); after != before {
			t.Errorf("the shell's children had %d page faults: the guard starts processes", after-before)
		}
		if strings.Contains(s.screen(), "caro-node") {
			t.Errorf("the guard spoke: %q", squeeze(s.screen()))
		}
	})
}

func TestAMissingProgramIsSaidOnceAndCommandsRun(t *testing.T) {
	each(t, automatic, func(t *testing.T, name string) {
		s := guarded(t, name, config{guard: "/nonexistent/caro-node"})
		dir := s.keep()
		s.enter("rm -rf ~/keep/in", "rm -rf ~/keep")
		s.wait("both commands' effect", func() bool { return !exists(dir) })
		if n := strings.Count(s.screen(), "the guard cannot run"); n != 1 {
			t.Errorf("said %d times: %q", n, squeeze(s.screen()))
		}
	})
}

func TestAStoppedCommandStaysAtHand(t *testing.T) {
	each(t, automatic, func(t *testing.T, name string) {
		s := guarded(t, name, config{})
		s.keep()
		s.enter("echo earlier")
		s.asked("rm -rf ~/keep # x")
		s.prompt = s.shown()
		if name == "zsh" {
			s.prompt++
		}
		n := len(s.screen())
		s.send("n\r")
		if name == "fish" { // where the line stays in the editor
			s.lineAgain(n)
			s.send("\x01echo \r")
			s.waitPrompt()
		} else {
			s.waitPrompt()
			s.send("\x1b[A\x01echo \r")
			s.waitPrompt()
			s.send("\x1b[A\x1b[A\x1b[A\r") // behind it the one before
			s.waitPrompt()
		}
		got := s.commands()
		if len(got) < 3 || got[0] != "echo earlier" || got[2] != "echo rm -rf ~/keep # x" {
			t.Errorf("recorded %q, screen %q", got, squeeze(s.screen()))
		}
		if name != "fish" && (len(got) != 4 || got[3] != "echo earlier") {
			t.Errorf("recorded %q, screen %q", got, squeeze(s.screen()))
		}
	})
}

func TestTheGuardKeepsStatusAndLine(t *testing.T) {
	each(t, automatic, func(t *testing.T, name string) {
		s := guarded(t, name, config{})
		s.keep()
		status := "echo was=$?"
		if name == "fish" {
			status = "echo was=$status"
		}
		s.enter("sh -c 'exit 7'", status)
		s.enter("sh -c 'exit 8'")
		s.asked("rm -rf ~/keep")
		s.answer("n\r")
		s.enter(status)
		for _, want := range []string{"was=7", "was=8"} {
			if !strings.Contains(s.screen(), want) {
				t.Errorf("%s is not seen: %q", want, squeeze(s.screen()))
			}
		}
	})
}

func TestALineWithALeadingBlankIsStoppedButNotRecorded(t *testing.T) {
	each(t, automatic, func(t *testing.T, name string) {
		s := guarded(t, name, config{before: map[string]string{"bash": "HISTCONTROL=ignoreboth", "zsh": "setopt hist_ignore_space"}[name]})
		dir := s.keep()
		s.asked(" rm -rf ~/keep")
		s.answer("n\r")
		s.enter("echo after")
		if !exists(dir) {
			t.Error("it ran")
		}
		s.wantReported("echo after||0")
	})
}

func TestTheGuardLeavesThePersonsOwnHooksAlone(t *testing.T) {
	t.Run("a DEBUG trap in bash", func(t *testing.T) {
		t.Parallel()
		s := guarded(t, "bash", config{before: "HISTCONTROL=ignoreboth\n" + `trap 'echo "$BASH_COMMAND" >>"$HOME/log"' DEBUG`})
		s.keep()
		s.enter("echo first")
		s.asked("rm -rf ~/keep")
		s.answer("n\r")
		s.enter("echo second | cat", `[[ $(shopt extdebug) == *off && $- != *T* ]] && echo un"touched"`)
		log, err := os.ReadFile(filepath.Join(s.home, "log"))
		if err != nil {
			t.Fatal(err)
		}
		if got := string(log); !strings.Contains(got, "echo first\n") || !strings.Contains(got, "echo second\ncat\n") || strings.Contains(got, "rm -rf") {
			t.Errorf("the trap saw %q", got)
		}
		if !strings.Contains(s.screen(), "\nuntouched") {
			t.Error("the shell's options were changed")
		}
	})
	for _, when := range []string{"before", "after"} {
		t.Run("a wrapped accept-line in zsh, "+when, func(t *testing.T) {
			t.Parallel()
			wrap := "zle -A accept-line mine; on-line() { print -r -- \"$BUFFER\" >>~/log; zle mine }; zle -N accept-line on-line"
			c := config{after: wrap}
			if when == "before" {
				c = config{before: wrap}
			}
			s := guarded(t, "zsh", c)
			dir := s.keep()
			s.enter("echo first")
			s.asked("rm -rf ~/keep")
			s.answer("n\r")
			s.enter("echo second")
			log, err := os.ReadFile(filepath.Join(s.home, "log"))
			if err != nil || !exists(dir) || !strings.Contains(string(log), "echo first\n") || !strings.Contains(string(log), "echo second\n") {
				t.Errorf("%q %v", log, err)
			}
		})
	}
}
