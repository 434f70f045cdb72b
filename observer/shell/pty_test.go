package shell

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/caro-mesh/caro-node/observer/guard"
	"github.com/caro-mesh/caro-node/observer/spool"
	"github.com/caro-mesh/caro-node/protocol"
)

// TestMain makes the test binary the program that the guard asks, too.
func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == "check" && os.Args[2] == "--guard" {
		level, text := guard.Answer(os.Getenv(guard.LineVariable), os.Getenv(guard.AliasesVariable), protocol.ParseShell(os.Args[3]))
		_, _ = os.Stdout.WriteString(text) // a guard that reads nothing takes it for a failure
		os.Exit(int(level))
	}
	goleak.VerifyTestMain(m)
}

const patience = 30 * time.Second

// session is a real interactive shell on a pseudo-terminal.
type session struct {
	t     testing.TB
	name  string
	cmd   *exec.Cmd
	tty   *os.File
	spool string
	home  string

	mu     sync.Mutex
	out    bytes.Buffer
	closed bool
	done   chan struct{}
	more   chan struct{} // something was printed
	prompt int           // number of the last prompt seen
	// continued says that the guard asked at a secondary prompt.
	continued bool
}

// program returns the path of a shell, or skips the test.
func program(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed, so its hook is not tested here", name)
	}
	return path
}

// config of a session. Its zero value is the hooked shell with nothing of its own.
type config struct {
	before string   // the person's settings, before the hook
	after  string   // and after it
	bare   bool     // without the hook
	old    bool     // as if this bash had no PROMPT_COMMAND array
	env    []string // added to the environment
	spool  string   // default: a prepared folder
	guard  string   // the program that the guard asks; empty: no guard
}

// counted prompts let the tests know which one they see. The number is on the screen as <n>.
var prompts = map[string]string{
	"bash": "__n=0; PS1='<$((__n+=1))>$ '; PS2='> '\n",
	"zsh":  "setopt prompt_subst; unsetopt prompt_sp prompt_cr; integer __n=0; PS1='<$((++__n))>$ '; PS2='> '\n",
	"fish": "set -g __n 0; function count --on-event fish_prompt; set -g __n (math $__n + 1); end; function fish_prompt; echo -n \"<$__n>\\$ \"; end; function fish_title; end; set -g fish_greeting\n",
	"ksh":  "integer __n=0; PS1='<$((++__n))>$ '; PS2='> '\n",
	"mksh": "typeset -i __n=0; PS1='<$((++__n))>$ '; PS2='> '\n",
	"dash": "PS1='<$((__n=${__n:-0}+1))>$ '; PS2='> '\n",
}

func shellType(name string) protocol.ShellType {
	switch name {
	case "ksh", "mksh", "dash":
		return protocol.ShellSh
	}
	return protocol.ParseShell(name)
}

// start runs the shell and waits for its first prompt.
func start(t testing.TB, name string, c config) *session {
	t.Helper()
	s := prepare(t, name, c)
	tty, err := pty.StartWithSize(s.cmd, &pty.Winsize{Rows: 50, Cols: 500})
	if err != nil {
		t.Fatal(err)
	}
	s.tty = pollable(t, tty)
	go s.collect()
	t.Cleanup(s.close)
	s.waitPrompt()
	return s
}

// prepare makes the shell's home and the command that would start it.
func prepare(t testing.TB, name string, c config) *session {
	t.Helper()
	path := program(t, name)
	s := &session{t: t, name: name, home: t.TempDir(), spool: c.spool, done: make(chan struct{}), more: make(chan struct{}, 1)}
	if s.spool == "" {
		s.spool = filepath.Join(s.home, "data", "spool")
		if err := spool.Prepare(s.spool); err != nil {
			t.Fatal(err)
		}
	}
	rc := prompts[name] + c.before + "\n"
	if !c.bare {
		hook, err := Script(shellType(name), Options{SpoolDir: s.spool, Guard: c.guard})
		if err != nil {
			t.Fatal(err)
		}
		if c.old {
			hook = strings.Replace(hook, ">= 501", ">= 9901", 1)
		}
		rc += hook
	}
	rc += "\n" + c.after + "\n"
	rcFile := filepath.Join(s.home, ".zshrc") // the name that zsh wants serves all
	if err := os.WriteFile(rcFile, []byte(rc), 0o600); err != nil {
		t.Fatal(err)
	}
	var args []string
	switch name {
	case "bash":
		args = []string{"--noprofile", "--rcfile", rcFile, "-i"}
	case "zsh":
		args = []string{"-d", "-i"}
	case "fish":
		args = []string{"-i", "-C", "source " + rcFile}
		// Where this folder is missing, fish fills it in the background, for long after the test.
		if err := os.MkdirAll(filepath.Join(s.home, ".local", "share", "fish", "generated_completions"), 0o700); err != nil {
			t.Fatal(err)
		}
	default:
		args = []string{"-i"}
	}
	s.cmd = exec.Command(path, args...)
	s.cmd.Dir = s.home
	s.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.home, "ZDOTDIR=" + s.home, "ENV=" + rcFile, "TERM=dumb",
		"LC_ALL=C.UTF-8", "HISTFILE=" + filepath.Join(s.home, "history"), "INPUTRC=/dev/null", "TMPDIR=" + s.home}, c.env...)
	return s
}

// pollable returns the same terminal as a file whose Close ends a Read that waits: closing hangs up, as when a window is
// closed.
func pollable(t testing.TB, tty *os.File) *os.File {
	t.Helper()
	fd, err := syscall.Dup(int(tty.Fd()))
	if err == nil {
		err = errors.Join(syscall.SetNonblock(fd, true), tty.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	syscall.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), "pty")
}

// collect gathers what the shell prints until it ends.
func (s *session) collect() {
	defer close(s.done)
	buf := make([]byte, 1<<16)
	for {
		n, err := s.tty.Read(buf)
		s.mu.Lock()
		s.out.Write(buf[:n])
		s.mu.Unlock()
		select {
		case s.more <- struct{}{}:
		default:
		}
		if err != nil { // EIO when the last process has left the terminal
			return
		}
	}
}

func (s *session) close() {
	if s.closed {
		return
	}
	s.closed = true
	_ = s.tty.Close()        // ends what still runs in it; the test may have closed it before
	_ = s.cmd.Process.Kill() // it may have ended by itself
	_ = s.cmd.Wait()         // killed, or ended with any status
	<-s.done
}

// wait polls until ok, or fails the test with the screen's end.
func (s *session) wait(what string, ok func() bool) {
	s.t.Helper()
	if !poll(ok) {
		screen := s.screen()
		s.t.Fatalf("%s: not seen within %v; the screen ends with %q", what, patience, screen[max(0, len(screen)-1500):])
	}
}

func poll(ok func() bool) bool {
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			return false
		}
		<-tick.C
	}
	return true
}

func (s *session) screen() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.String()
}

var promptSeen = regexp.MustCompile(`<(\d+)>\$ `)

func (s *session) waitPrompt() {
	s.t.Helper()
	s.wait(fmt.Sprintf("prompt after number %d", s.prompt), s.prompted)
}

// prompted reports whether a new prompt is on the screen.
func (s *session) prompted() bool {
	all := promptSeen.FindAllStringSubmatch(s.screen(), -1)
	if len(all) == 0 {
		return false
	}
	n, err := strconv.Atoi(all[len(all)-1][1])
	if err != nil || n <= s.prompt {
		return false
	}
	s.prompt = n
	return true
}

// send types text as it is.
func (s *session) send(text string) {
	s.t.Helper()
	if _, err := io.WriteString(s.tty, text); err != nil {
		s.t.Fatal(err)
	}
}

// enter types lines, each followed by Return, and waits for the prompt after each. A line break inside a line is typed as
// Return, too.
func (s *session) enter(lines ...string) {
	s.t.Helper()
	for _, l := range lines {
		s.send(strings.ReplaceAll(l, "\n", "\r") + "\r")
		s.waitPrompt()
	}
}

// cancel types a line and discards it with Ctrl-C.
func (s *session) cancel(line string) {
	s.t.Helper()
	s.send(line)
	s.wait("the typed line", func() bool { return strings.Contains(s.screen(), line) })
	if s.name == "fish" { // shows the same prompt once more
		s.interrupt(func() bool { return strings.Contains(s.screen(), line+"^C") })
		return
	}
	s.interrupt(s.prompted)
}

// interrupt types Ctrl-C until ok: a shell loses it at the moment in which it hands the terminal over.
func (s *session) interrupt(ok func() bool) {
	s.t.Helper()
	last := time.Time{}
	s.wait("the effect of Ctrl-C", func() bool {
		if time.Since(last) > 200*time.Millisecond {
			s.send("\x03")
			last = time.Now()
		}
		return ok()
	})
}

// records returns everything that reached the spool folder, in order of the sessions' files.
func (s *session) records() []spool.Record {
	s.t.Helper()
	return recordsIn(s.t, s.spool)
}

func recordsIn(t testing.TB, dir string) []spool.Record {
	t.Helper()
	names, _, err := spool.Pending(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []spool.Record
	for _, n := range names {
		f, err := os.Open(filepath.Join(dir, n))
		if err != nil {
			t.Fatal(err)
		}
		d := spool.NewDecoder(f, 0)
		for {
			r, err := d.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", n, err)
			}
			all = append(all, r)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func (s *session) commands() []string {
	s.t.Helper()
	var c []string
	for _, r := range s.records() {
		if r.Command == "" { // tells only how many were kept out
			continue
		}
		c = append(c, strings.TrimRight(r.Command, "\n")) // bash keeps the line break behind a here-document
	}
	return c
}

// want fails unless exactly these commands were recorded, in this order.
func (s *session) want(commands ...string) {
	s.t.Helper()
	if got := s.commands(); !slices.Equal(got, commands) {
		s.t.Errorf("recorded\n %q, want\n %q\nscreen: %q", got, commands, squeeze(s.screen()))
	}
}

// squeeze shortens the runs of blanks with which fish marks its lines.
func squeeze(screen string) string {
	return regexp.MustCompile(` {20,}`).ReplaceAllString(screen, " … ")
}

// lockedBuffer is a buffer that a child process may write while a test reads it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// foreground returns the process group that the terminal belongs to now. It does not use Fd, which would make the file
// blocking.
func (s *session) foreground() int {
	s.t.Helper()
	conn, err := s.tty.SyscallConn()
	if err != nil {
		s.t.Fatal(err)
	}
	group := 0
	var failed error
	if err := conn.Control(func(fd uintptr) { group, failed = unix.IoctlGetInt(int(fd), unix.TIOCGPGRP) }); err != nil || failed != nil {
		s.t.Fatal(err, failed)
	}
	return group
}
