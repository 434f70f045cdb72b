package shell

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestBashWithoutPromptvarsIsRecordedByItsHistory(t *testing.T) {
	t.Parallel()
	s := start(t, "bash", config{after: "shopt -u promptvars; PS1='<1>$ '"})
	lines := []string{"echo a", "false", "(exit 3)", "", "echo b"}
	for i, l := range lines {
		s.send(l + "\r")
		s.wait("the next prompt", func() bool { return strings.Count(s.screen(), "<1>$ ") == i+2 })
	}
	s.want("echo a", "false", "(exit 3)", "echo b")
	for _, r := range s.records() {
		if r.Command == "(exit 3)" && *r.Exit != 3 {
			t.Errorf("%+v", r)
		}
	}
	if strings.Contains(s.screen(), "caro") {
		t.Errorf("PS0 is shown unexpanded: %q", s.screen())
	}
}

// debugLog is a person's DEBUG trap: it logs each command with $? and $_.
const debugLog = `trap 'echo "$? $_ $BASH_COMMAND" >>"$HOME/log"' DEBUG`

func TestThePersonsDebugTrapFiresAsBefore(t *testing.T) {
	for _, v := range []struct {
		name  string
		c     config
		typed string
	}{
		{"set before the hook", config{before: "HISTCONTROL=ignoreboth\n" + debugLog}, ""},
		{"set after the hook", config{before: "HISTCONTROL=ignoreboth", after: debugLog}, ""},
		{"set at the prompt", config{before: "HISTCONTROL=ignoreboth"}, debugLog},
		{"with functrace", config{before: "HISTCONTROL=ignoreboth\n" + debugLog, after: "set -T"}, ""},
		{"with extdebug", config{before: "HISTCONTROL=ignoreboth\nshopt -s extdebug; trap '[[ $BASH_COMMAND != *skipped* ]]' DEBUG"}, ""},
	} {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			var logs [2][]string
			for i := range logs {
				c := v.c
				c.bare = i == 0
				s := start(t, "bash", c)
				lines := []string{"true", "false", "echo a b", "echo c", "echo c", "(true)", "(true)", "echo skipped", "for i in 1 2; do true $i; done", "true | false", "echo end"}
				if v.typed != "" {
					lines = append([]string{v.typed}, lines...)
				}
				s.enter(lines...)
				if b, err := os.ReadFile(filepath.Join(s.home, "log")); err == nil {
					for l := range strings.Lines(string(b)) {
						if strings.Contains(l, "__caro") { // PROMPT_COMMAND fires the trap, too
							continue
						}
						if _, command, _ := strings.Cut(l, " "); v.name == "with functrace" && strings.Contains(command, "builtin") {
							continue
						}
						logs[i] = append(logs[i], l)
					}
					// Until the first line the settings themselves are run, the hook among them.
					first := slices.IndexFunc(logs[i], func(l string) bool { return strings.HasSuffix(l, " true\n") })
					logs[i] = logs[i][first+1:]
				} else if !strings.Contains(v.name, "extdebug") {
					t.Fatal(err)
				}
				if v.name == "with extdebug" {
					if strings.Contains(s.screen(), "\nskipped") {
						t.Error("the command ran although the trap forbade it")
					}
					logs[i] = nil
				}
				if !c.bare {
					want := slices.Clone(lines)
					// A subshell shows the trap nothing, so its repetition cannot be told from a hidden line.
					at := slices.Index(want, "(true)")
					want = slices.Delete(want, at, at+1)
					s.want(want...)
				}
			}
			if v.name != "with functrace" && !slices.Equal(logs[0], logs[1]) {
				t.Errorf("without the hook:\n%s\nwith it:\n%s", strings.Join(logs[0], ""), strings.Join(logs[1], ""))
			}
		})
	}
}

func TestRecordingGoesOnWhenSomebodyTakesItsPlaces(t *testing.T) {
	for _, v := range []struct{ name, before, after string }{
		{"PROMPT_COMMAND array clears the DEBUG trap", "", "PROMPT_COMMAND+=('trap - DEBUG')"},
		{"PROMPT_COMMAND is assigned", "", "PROMPT_COMMAND='echo mine'"},
		{"PROMPT_COMMAND is put in front", "", `PROMPT_COMMAND="echo mine;$PROMPT_COMMAND"`},
		{"PROMPT_COMMAND is put behind", "", `PROMPT_COMMAND="$PROMPT_COMMAND;echo mine"`},
		{"PS0 is assigned", "", "PS0="},
		{"DEBUG trap is removed", "", "trap - DEBUG"},
		{"history is merged at each prompt", "", "PROMPT_COMMAND+=('history -a; history -n')"},
		{"history is reloaded at each prompt", "", "PROMPT_COMMAND+=('history -a; history -c; history -r')"},
		{"time stamps", "HISTTIMEFORMAT='%F %T '", ""},
		{"read-only time stamps", "readonly HISTTIMEFORMAT='%F %T '", ""},
		{"one entry per line", "shopt -u cmdhist", ""},
		{"line breaks in the history", "shopt -s cmdhist lithist", ""},
		{"a short history", "HISTSIZE=3", ""},
		{"no clock", "unset EPOCHREALTIME EPOCHSECONDS", ""},
		{"posix", "set -o posix", ""},
		{"vi", "set -o vi", ""},
	} {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, "bash", config{before: "HISTCONTROL=ignoreboth\n" + v.before, after: v.after})
			lines := []string{"echo a", "false", "echo 'x\ny\n  z'", "for i in 1 2\ndo echo $i\ndone", "(exit 4)", "echo a", "true | false", "cd /", "pwd"}
			for i, l := range lines {
				if i == 4 && strings.HasPrefix(v.name, "history is") {
					// In the second of the prompt a merged line and a subshell cannot be told apart.
					from := time.Now()
					s.wait("two seconds", func() bool { return time.Since(from) > 2100*time.Millisecond })
				}
				s.enter(l)
				if i == 4 {
					s.enter(" echo hidden", "", " (echo hidden)")
				}
			}
			want := slices.Clone(lines)
			if !strings.Contains(v.name, "one entry") && !strings.Contains(v.name, "line breaks") {
				want[3] = "for i in 1 2; do echo $i; done" // as bash keeps it
			}
			s.want(want...)
			for i, e := range []int{0, 1, 0, 0, 4, 0, 1, 0, 0} {
				if r := s.records(); i < len(r) && *r[i].Exit != e {
					t.Errorf("%q: exit status %d, want %d", r[i].Command, *r[i].Exit, e)
				}
			}
		})
	}
}

func TestRepeatedCommandsAreRecordedAlthoughSomebodyClearsTheTrap(t *testing.T) {
	t.Parallel()
	s := start(t, "bash", config{before: "HISTCONTROL=ignoreboth", after: "PROMPT_COMMAND+=('trap - DEBUG')"})
	s.enter("echo a", "echo b", "echo b", " echo hidden", "echo c", "echo c", "echo c")
	// The hook sets its trap anew before the other clears it, so a repetition cannot be told from a hidden line: it is left
	// out, and the hidden one is never taken for it.
	got := slices.Compact(s.commands())
	if fmt.Sprint(got) != "[echo a echo b echo c]" {
		t.Errorf("recorded %q", s.commands())
	}
}

func TestAnotherSessionsHistoryIsNeverTakenForThisOnes(t *testing.T) {
	t.Parallel()
	const merge = "PROMPT_COMMAND+=('history -a; history -n')"
	a := start(t, "bash", config{before: "HISTCONTROL=ignoreboth", after: merge})
	b := start(t, "bash", config{before: "HISTCONTROL=ignoreboth", after: merge + "\nHISTFILE=" + filepath.Join(a.home, "history")})
	for i := range 5 {
		b.enter(fmt.Sprintf("echo from b %d", i))
		a.enter("", " echo hidden", fmt.Sprintf("echo from a %d", i), " echo hidden")
	}
	for _, c := range a.commands() {
		if !strings.HasPrefix(c, "echo from a") {
			t.Errorf("session a recorded %q", c)
		}
	}
	if n := len(a.commands()); n != 5 {
		t.Errorf("session a recorded %q", a.commands())
	}
}

func TestClearingTheHistoryIsRecorded(t *testing.T) {
	t.Parallel()
	s := start(t, "bash", config{before: "HISTCONTROL=ignoreboth"})
	s.enter("echo a", "history -c", "echo b")
	s.want("echo a", "history -c", "echo b")
}

func TestSwitchingTheHistoryOffPausesRecording(t *testing.T) {
	t.Parallel()
	s := start(t, "bash", config{before: "HISTCONTROL=ignoreboth"})
	s.enter("echo a", "set +o history", "echo hidden", "set -o history", "echo b")
	s.want("echo a", "set +o history", "echo b")
}

func TestBashWithoutAnyHistoryRecordsTheFirstSimpleCommand(t *testing.T) {
	t.Parallel()
	s := start(t, "bash", config{before: "set +o history"})
	s.enter("echo a", "false", "false", "echo b; echo c", "true | cat")
	s.want("echo a", "false", "false", "echo b", "true")
}

func TestAReadOnlyPromptCommandIsSaidOnce(t *testing.T) {
	t.Parallel()
	s := start(t, "bash", config{before: "readonly PROMPT_COMMAND='true'"})
	s.enter("echo a", "echo b")
	if n := strings.Count(s.screen(), "PROMPT_COMMAND is read-only"); n != 1 {
		t.Errorf("said %d times: %q", n, s.screen())
	}
}

func TestTheScratchFileIsEmptyBetweenCommands(t *testing.T) {
	runtime := t.TempDir()
	for _, v := range []struct {
		name, folder string
		env          []string
	}{
		{"in memory where there is a folder for it", runtime, []string{"XDG_RUNTIME_DIR=" + runtime}},
		{"beside the spool otherwise", "", []string{"XDG_RUNTIME_DIR=/nonexistent"}},
	} {
		t.Run(v.name, func(t *testing.T) {
			s := start(t, "bash", config{before: "HISTCONTROL=ignoreboth", env: v.env})
			s.enter("echo secret", " echo hidden secret", "echo 'a\nb'", "(true)", "history -c")
			folder := v.folder
			if folder == "" {
				folder = filepath.Join(s.spool, "lines")
			}
			files, err := os.ReadDir(folder)
			if err != nil || len(files) != 1 {
				t.Fatal(files, err)
			}
			if fi, err := files[0].Info(); err != nil || fi.Size() != 0 {
				t.Errorf("%s holds %d bytes (%v)", fi.Name(), fi.Size(), err)
			}
			s.want("echo secret", "echo 'a\nb'", "(true)", "history -c")
		})
	}
}
