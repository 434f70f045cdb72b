package shell

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/caro-mesh/caro-node/observer/spool"
)

var hooked = []string{"bash", "zsh", "fish", "ksh", "mksh"}

// ignoreboth is the setting of most distributions, with which the hook needs its DEBUG trap.
func ignoreboth(name string) string {
	if name == "bash" {
		return "HISTCONTROL=ignoreboth"
	}
	return ""
}

func TestASpoolFolderThatCannotBeWrittenDisturbsNobody(t *testing.T) {
	each(t, hooked, func(t *testing.T, name string) {
		for _, c := range []struct {
			name string
			dir  func(t *testing.T) string
		}{
			{"missing", func(t *testing.T) string { return filepath.Join(t.TempDir(), "gone", "spool") }},
			{"a file", func(t *testing.T) string {
				p := filepath.Join(t.TempDir(), "spool")
				if err := os.WriteFile(p, nil, 0o600); err != nil {
					t.Fatal(err)
				}
				return p
			}},
			// Root may write anywhere but there.
			{"read-only", func(*testing.T) string { return "/proc/self/fdinfo" }},
		} {
			t.Run(c.name, func(t *testing.T) {
				dir := c.dir(t)
				s := start(t, name, config{spool: dir})
				status := "echo status $?"
				if name == "fish" {
					status = "echo status $status"
				}
				s.enter("true", "echo o'u't", "false", status, "true")
				if name == "fish" && c.name == "read-only" && os.Getuid() == 0 {
					// No other folder refuses root, and this one claims to be writable: fish complains once, then waits.
					if n := strings.Count(s.screen(), "An error occurred"); n > 1 {
						t.Errorf("%d complaints: %q", n, squeeze(s.screen()))
					}
				} else {
					wantQuiet(t, s, "caro")
				}
				if !strings.Contains(s.screen(), "out\r\n") || !strings.Contains(s.screen(), "status 1\r\n") {
					t.Errorf("screen %q", squeeze(s.screen()))
				}
			})
		}
	})
}

// wantQuiet fails if the shell said something about the hook.
func wantQuiet(t *testing.T, s *session, words ...string) {
	t.Helper()
	screen := strings.ToLower(strings.ReplaceAll(s.screen(), s.home, "/home"))
	for _, w := range append(words, "error", "denied", "no such", "no space", "cannot", "redirect", "not found", "unbound", "warning", "usage") {
		if strings.Contains(screen, w) {
			t.Errorf("the screen shows %q: %q", w, squeeze(screen))
		}
	}
}

func TestAFullDiskDisturbsNobody(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("this system has no /dev/full, so a full disk cannot be imitated")
	}
	each(t, hooked, func(t *testing.T, name string) {
		s := start(t, name, config{after: map[bool]string{true: "set -g __caro_file /dev/full", false: "__caro_file=/dev/full"}[name == "fish"]})
		s.enter("true", "false", "echo x", "true", "echo y")
		if name == "fish" {
			// fish itself reports a failed write, and nothing can keep it from that: once, then a minute of silence.
			if n := strings.Count(s.screen(), "No space left"); n != 1 {
				t.Errorf("%d complaints, want 1: %q", n, squeeze(s.screen()))
			}
			return
		}
		wantQuiet(t, s)
	})
}

func TestAFileSystemThatTakesNothingMoreDisturbsNobody(t *testing.T) {
	each(t, []string{"bash", "zsh", "mksh"}, func(t *testing.T, name string) { // fish is ended by the signal, and ksh by a fault of its own
		s := start(t, name, config{before: ignoreboth(name), after: "trap '' XFSZ; ulimit -f 0"})
		s.enter("true", "echo x", "echo 'a\nb'", "sh -c 'exit 4'", "echo status $?")
		s.want()
		wantQuiet(t, s, "too large")
		if !strings.Contains(s.screen(), "status 4\r\n") {
			t.Errorf("screen %q", squeeze(s.screen()))
		}
	})
}

func TestScriptsAndSubshellsAreNotRecorded(t *testing.T) {
	each(t, automatic, func(t *testing.T, name string) {
		s := start(t, name, config{before: "set -a; true"})
		script := filepath.Join(s.home, "script")
		if err := os.WriteFile(script, []byte("echo one\ntrue\nfalse\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		sub := "(true; true)"
		if name == "fish" {
			sub = "begin; true; true; end"
		}
		lines := []string{name + " " + script, sub, name + " -c 'true; true'", "echo (true) >/dev/null", "true | true | true"}
		if name != "fish" {
			lines[3] = "echo $(true; true) >/dev/null"
		}
		s.enter(lines...)
		s.want(lines...)
	})
}

func TestANestedShellHasASessionOfItsOwn(t *testing.T) {
	each(t, automatic, func(t *testing.T, name string) {
		s := start(t, name, config{})
		nested := map[string]string{"bash": "bash --noprofile --rcfile .zshrc -i", "zsh": "zsh -d -i", "fish": "fish -i -C 'source .zshrc'"}[name]
		s.enter("echo outside")
		s.prompt = 0 // the nested shell counts anew
		mark := len(s.screen())
		s.send(nested + "\r")
		s.wait("the nested prompt", func() bool { return strings.Contains(s.screen()[mark:], "<1>$ ") })
		s.prompt = 1
		s.enter("echo inside", "false")
		mark = len(s.screen())
		s.send("exit\r")
		s.wait("the outer prompt", func() bool { return regexp.MustCompile(`exit[^<]*\n(?s:.*)<3>\$ `).MatchString(s.screen()[mark:]) })
		s.prompt = 3
		s.enter("echo back")
		got := s.commands()
		slices.Sort(got)
		want := []string{"echo back", "echo inside", "echo outside", "exit", "false", nested}
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("recorded %q, want %q", got, want)
		}
		names, _, err := spool.Pending(s.spool)
		if err != nil || len(names) != 2 {
			t.Errorf("files %q (%v), want one for each shell", names, err)
		}
	})
}

func TestStrictOptionsNeitherEndTheShellNorStopRecording(t *testing.T) {
	each(t, []string{"bash", "zsh", "ksh", "mksh"}, func(t *testing.T, name string) {
		for _, options := range []string{"set -eu", "set -eu -o pipefail -o noclobber", "set -euf"} {
			s := start(t, name, config{before: ignoreboth(name)})
			lines := []string{options, "! true", "true", "echo a", "if false; then true; fi", "true && ! true", "(true)", "echo end"}
			s.enter(lines...)
			want := lines
			if name == "mksh" {
				want = lines[:len(lines)-1]
			}
			s.want(want...)
			wantQuiet(t, s, "caro")
		}
	})
}

func TestATraceStaysReadable(t *testing.T) {
	each(t, []string{"bash", "zsh"}, func(t *testing.T, name string) {
		s := start(t, name, config{before: ignoreboth(name)})
		s.enter("set -x", "true")
		mark := len(s.screen())
		s.enter("true")
		if n := strings.Count(s.screen()[mark:], "\n+"); n > 20 {
			t.Errorf("%d lines of trace: %q", n, s.screen()[mark:])
		}
		s.want("set -x", "true", "true")
	})
}

func TestTheHookReadTwiceRecordsOnce(t *testing.T) {
	each(t, hooked, func(t *testing.T, name string) {
		s := start(t, name, config{bare: true})
		hook, err := Script(shellType(name), Options{SpoolDir: s.spool})
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(s.home, "hook")
		if err := os.WriteFile(path, []byte(hook), 0o600); err != nil {
			t.Fatal(err)
		}
		read := ". " + path
		s.enter(read, read, "echo a", read, "echo b", "echo c")
		got := slices.DeleteFunc(s.commands(), func(c string) bool { return c == read })
		want := []string{"echo a", "echo b", "echo c"}
		if name == "mksh" {
			want = want[:2]
		}
		if !slices.Equal(got, want) {
			t.Errorf("recorded %q, want %q", got, want)
		}
	})
}

func TestTheLastLineOfAShellIsRecorded(t *testing.T) {
	each(t, automatic, func(t *testing.T, name string) {
		t.Run("exit", func(t *testing.T) {
			s := start(t, name, config{})
			s.enter("echo a")
			s.send("exit 3\r")
			<-s.done
			s.want("echo a", "exit 3")
			if e := s.records()[1].Exit; name != "fish" && (e == nil || *e != 3) {
				t.Errorf("exit status %v, want 3", value(e))
			}
		})
		t.Run("end of input", func(t *testing.T) {
			s := start(t, name, config{})
			s.enter("echo a")
			s.send("\x04")
			<-s.done
			s.want("echo a")
		})
		t.Run("hangup", func(t *testing.T) {
			s := start(t, name, config{before: ignoreboth(name)})
			s.enter("echo a")
			s.send("sh -c 'echo running; exec sleep 20'\r")
			s.wait("the running command", func() bool { return strings.Contains(s.screen(), "running\r\n") })
			// The hangup reaches the command only once the shell has handed the terminal over.
			s.wait("the command in the foreground", func() bool { return s.foreground() != s.cmd.Process.Pid })
			if err := s.tty.Close(); err != nil { // as the window is closed
				t.Fatal(err)
			}
			_ = s.cmd.Wait() // ended by the hangup
			s.want("echo a", "sh -c 'echo running; exec sleep 20'")
			if e := s.records()[1].Exit; e != nil {
				t.Errorf("exit status %v of a command that did not end", *e)
			}
		})
	})
}

func TestExecIsRecordedOnce(t *testing.T) {
	each(t, automatic, func(t *testing.T, name string) {
		// bash needs the DEBUG trap to tell before it is gone.
		s := start(t, name, config{before: ignoreboth(name)})
		want := []string{"echo a", "exec 5>/dev/null", "echo b"}
		if name == "fish" { // has no exec for redirections alone
			want = []string{"echo a"}
		}
		s.enter(want...)
		s.send("exec sh -c 'echo replaced'\r")
		<-s.done
		if !strings.Contains(s.screen(), "replaced\r\n") {
			t.Errorf("screen %q", squeeze(s.screen()))
		}
		s.want(append(want, "exec sh -c 'echo replaced'")...)
	})
}

func TestAKilledShellLeavesOnlyWholeRecords(t *testing.T) {
	each(t, automatic, func(t *testing.T, name string) {
		for round := range 5 {
			s := start(t, name, config{before: ignoreboth(name)})
			s.enter("echo a", "echo b")
			for i := range round {
				s.send(fmt.Sprintf("echo %d\r", i))
			}
			if err := s.cmd.Process.Signal(syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			s.close()
			got := s.commands() // fails on a torn record
			if len(got) < 2 || !slices.Equal(got[:2], []string{"echo a", "echo b"}) {
				t.Errorf("recorded %q", got)
			}
		}
	})
}

// A shell that reads from a pipe has no line editor, which would take minutes for a line of this length.
func TestACommandOfOneMebibyteIsRecordedWhole(t *testing.T) {
	each(t, []string{"bash", "zsh"}, func(t *testing.T, name string) {
		dir := filepath.Join(t.TempDir(), "spool")
		if err := spool.Prepare(dir); err != nil {
			t.Fatal(err)
		}
		hook, err := Script(shellType(name), Options{SpoolDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		home := t.TempDir()
		if err := os.WriteFile(filepath.Join(home, ".zshrc"), []byte("HISTCONTROL=ignoreboth\n"+hook), 0o600); err != nil {
			t.Fatal(err)
		}
		args := map[string][]string{"bash": {"--noprofile", "--rcfile", filepath.Join(home, ".zshrc"), "--noediting", "-i"}, "zsh": {"-d", "-i"}}[name]
		huge := []string{
			": " + strings.Repeat("grüße ", 1<<20/8),
			": '" + strings.Repeat(strings.Repeat("x", 500)+"\n\t'\"'\"'", 1<<20/508) + "'",
			": \xff\xfe\x80" + strings.Repeat("\xc3", 1000),
		}
		for _, command := range huge {
			cmd := exec.Command(program(t, name), args...)
			cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "ZDOTDIR=" + home, "LC_ALL=C.UTF-8", "HISTFILE=" + filepath.Join(home, "h"), "TERM=dumb"}
			cmd.Stdin = strings.NewReader("true\n" + command + "\ntrue 2\nexit\n")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v: %.500s", err, out)
			}
		}
		var got []string
		for _, r := range recordsIn(t, dir) {
			if strings.HasPrefix(r.Command, ": ") {
				got = append(got, r.Command)
			}
		}
		slices.SortFunc(got, func(a, b string) int { return len(b) - len(a) })
		want := slices.SortedFunc(slices.Values(huge), func(a, b string) int { return len(b) - len(a) })
		if len(got) != len(want) {
			t.Fatalf("%d of %d commands were recorded", len(got), len(want))
		}
		for i := range want {
			if !bytes.Equal([]byte(got[i]), []byte(want[i])) {
				t.Errorf("%d bytes were recorded of a command of %d bytes, beginning %.60q and ending %q", len(got[i]), len(want[i]), got[i], got[i][max(0, len(got[i])-30):])
			}
		}
	})
}
