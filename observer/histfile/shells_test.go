package histfile

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/caro-mesh/caro-node/protocol"
)

// installed finds a shell, or says why the test is skipped.
func installed(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed, so its history file cannot be compared", name)
	}
	return path
}

// command prepares a shell in an isolated home.
func command(t *testing.T, home, path string, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = home
	cmd.Env = []string{"HOME=" + home, "XDG_DATA_HOME=" + home + "/data", "XDG_CONFIG_HOME=" + home + "/config", "XDG_RUNTIME_DIR=" + home,
		"PATH=" + os.Getenv("PATH"), "TERM=xterm", "LC_ALL=C.UTF-8"}
	return cmd
}

// typed are commands as people have them, and as nobody has them.
func typed() []string {
	cmds := []string{"ls -la", "  leading blanks", "trailing blanks  ", "echo 'single' \"double\" `tick` $(sub)", "# a comment", "#12", ":", ": 123:4;x", ": foo",
		"echo \"a\n\nb\"", "cat <<EOF\nx\nEOF", "for i in a b\ndo\n  echo $i\ndone", "docker run \\\n  -it \\\n  alpine", "echo back\\", "echo back\\\\", "echo back\\ ", "echo back\\  ",
		"echo äöü ñ こんにちは 漢字 €", "echo \x80\x81\x82\x83\x84\x9a\x9d\xa0\xa1\xff", "echo \\n \\\\n \\t", "- cmd: x", "  when: 5", "a;b", "!x", "echo \t tab", "%s %d %%", strings.Repeat("long ", 2000)}
	r := rand.New(rand.NewPCG(11, 12))
	pieces := []string{"a", "b c", " ", "\\", "\n", ":", "#", "'", "\"", "é", "こ", "\x83", "\xa0", "\xff", ";", "0", "$x", "!"}
	for range 300 {
		var b strings.Builder
		b.WriteString("x")
		for range r.IntN(12) {
			b.WriteString(pieces[r.IntN(len(pieces))])
		}
		b.WriteString("y")
		if r.IntN(4) == 0 {
			b.WriteString([]string{"\\", "\\\\", "\\ ", " "}[r.IntN(4)])
		}
		cmds = append(cmds, b.String())
	}
	return cmds
}

// put writes the commands, each ended by NUL, for a shell to read.
func put(t *testing.T, home string, cmds []string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(home, "commands"), []byte(strings.Join(cmds, "\x00")+"\x00"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// readFile reads a history file without problems and checks that its times are about now.
func readFile(t *testing.T, shell protocol.ShellType, path string, timed bool) []string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}()
	var out []string
	err = Read(f, shell, func(e Entry) error {
		if age := time.Since(e.Start); timed && (age < -time.Minute || age > time.Hour) {
			t.Errorf("entry %q is of %s", e.Command, e.Start)
		}
		if !timed && !e.Start.IsZero() {
			t.Errorf("entry %q has the time %s", e.Command, e.Start)
		}
		out = append(out, e.Command)
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	return out
}

func compare(t *testing.T, got, want []string) {
	t.Helper()
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Fatalf("entry %d was read as %q, typed was %q", i, got[i], want[i])
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%d entries were read, %d typed", len(got), len(want))
	}
}

func run(t *testing.T, cmd *exec.Cmd) []byte {
	t.Helper()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	return out
}

func TestBashRoundTrip(t *testing.T) {
	path := installed(t, "bash")
	for name, c := range map[string]struct {
		format string
		keep   func(string) bool
	}{
		"with times":    {"%s ", func(string) bool { return true }},
		"without times": {"", func(c string) bool { return !strings.Contains(c, "\n") && !strings.ContainsAny(c, "'\"`\\$!(<") }},
	} {
		t.Run(name, func(t *testing.T) {
			home := t.TempDir()
			var cmds []string
			for _, c2 := range typed() {
				if c.keep(c2) {
					cmds = append(cmds, c2)
				}
			}
			put(t, home, cmds)
			script := `set -o history; set +o histexpand; HISTSIZE=5000; HISTFILESIZE=5000; HISTCONTROL=
if [ -n "$1" ]; then HISTTIMEFORMAT=$1; else unset HISTTIMEFORMAT; fi
history -c
while IFS= read -r -d '' c; do history -s -- "$c"; done < commands
history -w hist`
			run(t, command(t, home, path, "--norc", "--noprofile", "-c", script, "bash", c.format))
			got := readFile(t, protocol.ShellBash, filepath.Join(home, "hist"), c.format != "")
			if n := len(got); n > 0 && got[n-1] == "history -w hist" { // bash notes the script's own last line
				got = got[:n-1]
			}
			compare(t, got, cmds)
		})
	}
}

func TestZshRoundTrip(t *testing.T) {
	path := installed(t, "zsh")
	for _, option := range []string{"extendedhistory", "noextendedhistory"} {
		t.Run(option, func(t *testing.T) {
			home := t.TempDir()
			cmds := typed()
			put(t, home, cmds)
			script := `setopt ` + option + `; unsetopt histreduceblanks histignorespace
fc -p $PWD/hist 5000 5000
while IFS= read -r -d '' c; do print -rs -- "$c"; done < commands
fc -W`
			run(t, command(t, home, path, "-f", "-i", "-c", script))
			compare(t, readFile(t, protocol.ShellZsh, filepath.Join(home, "hist"), option == "extendedhistory"), cmds)
		})
	}
}

// zsh reads its file as this package does, also what it did not write itself.
func TestZshReadsTheSame(t *testing.T) {
	path := installed(t, "zsh")
	home := t.TempDir()
	text := ": 1700000000:5;ls\nplain\n: 1700000001:0;a\\\nb\n\\: colon\necho \\ \n: 1700000002:0;echo \\\\ \necho \xe3\x81\x83\xb3\n"
	if err := os.WriteFile(filepath.Join(home, "hist"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	script := `fc -p; HISTSIZE=100; fc -R $PWD/hist; print -s end; for k in ${(kno)history}; do printf '%s\0' "$history[$k]"; done`
	out := run(t, command(t, home, path, "-f", "-i", "-c", script))
	want := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	entries, problems := read(t, protocol.ShellZsh, text)
	if problems != nil {
		t.Errorf("problems %v", problems)
	}
	compare(t, commands(entries), want)
}

// bash reads its file as this package does.
func TestBashReadsTheSame(t *testing.T) {
	path := installed(t, "bash")
	home := t.TempDir()
	text := "#1700000000\nls\n#1700000001\ncat <<E\nx\nE\n#1700000002\n# comment\n#1700000003\necho \"a\nb\"\nc\n"
	if err := os.WriteFile(filepath.Join(home, "hist"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	script := `set -o history; HISTTIMEFORMAT='%s '; HISTSIZE=100; history -c; history -r hist
HISTTIMEFORMAT=$'\x01%s\x02'; history`
	out := string(run(t, command(t, home, path, "--norc", "--noprofile", "-c", script)))
	var want []string
	for _, part := range strings.Split(out, "\x01")[1:] {
		_, cmd, _ := strings.Cut(part, "\x02")
		if k := strings.LastIndexByte(cmd, '\n'); k >= 0 { // the number of the next entry
			cmd = cmd[:k]
		}
		want = append(want, cmd)
	}
	entries, problems := read(t, protocol.ShellBash, text)
	if problems != nil || len(want) < len(entries) {
		t.Fatalf("problems %v, bash has %q", problems, want)
	}
	compare(t, commands(entries), want[:len(entries)])
}

func TestFishReadsTheSame(t *testing.T) {
	path := installed(t, "fish")
	home := t.TempDir()
	var cmds []string
	for _, c := range typed() {
		// fish keeps one of equal commands, and bytes that are no UTF-8 in a form of its own; it takes the prefix of its
		// own format off a command that begins with it.
		if !slices.Contains(cmds, c) && strings.ToValidUTF8(c, "") == c && !strings.HasPrefix(c, "- cmd:") {
			cmds = append(cmds, c)
		}
	}
	text := encodeFish(cmds)
	file := filepath.Join(home, "data", "fish", "fish_history")
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out := run(t, command(t, home, path, "-c", "history merge; history --null --reverse"))
	compare(t, readFileOld(t, file), strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00"))
}

// readFileOld reads a file whose times are not of now.
func readFileOld(t *testing.T, path string) []string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	entries, problems := read(t, protocol.ShellFish, string(b))
	if problems != nil {
		t.Errorf("problems %v", problems)
	}
	return commands(entries)
}

// fish writes its history only when it is used at a terminal.
func TestFishRoundTrip(t *testing.T) {
	path := installed(t, "fish")
	home := t.TempDir()
	cmd := command(t, home, path, "-i")
	term, err := pty.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	screen := make(chan string)
	go func() {
		defer close(screen)
		buf := make([]byte, 4096)
		for {
			n, err := term.Read(buf)
			if n > 0 {
				screen <- string(buf[:n])
			}
			if err != nil { // the terminal reports an error when fish has gone
				return
			}
		}
	}()
	// wait reads the screen until it shows text, and fails at the deadline.
	wait := func(text string) {
		t.Helper()
		deadline := time.NewTimer(20 * time.Second)
		defer deadline.Stop()
		seen := ""
		for !strings.Contains(seen, text) {
			select {
			case part, ok := <-screen:
				if !ok {
					t.Fatalf("fish has gone; waiting for %q, the screen was %q", text, seen)
				}
				seen += part
			case <-deadline.C:
				t.Fatalf("waiting for %q, the screen was %q", text, seen)
			}
		}
	}
	typeIn := func(text string) {
		t.Helper()
		if _, err := term.WriteString(text + "\r"); err != nil {
			t.Fatal(err)
		}
	}
	cmds := []string{"echo on'e'", "echo t\\wo", "echo \"thr\nee\"", "echo äöü 漢字 fou'r'", "echo '\\n' fi've'"}
	wait("# ")
	for i, c := range cmds {
		typeIn(c)
		wait([]string{"one\r\n", "two\r\n", "ee\r\n", "four\r\n", "five\r\n"}[i])
	}
	typeIn("exit")
	for range screen {
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if err := term.Close(); err != nil {
		t.Error(err)
	}
	got := readFile(t, protocol.ShellFish, filepath.Join(home, "data", "fish", "fish_history"), true)
	got = slices.DeleteFunc(got, func(c string) bool { return c == "exit" })
	compare(t, got, cmds)
}
