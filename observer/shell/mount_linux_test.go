package shell

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"
)

// onlyRead runs its arguments where the first of them, a folder, is mounted read-only. The mount is seen by them alone.
const onlyRead = `mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"`

func TestAHomeThatIsMountedReadOnlyDisturbsNobody(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root may mount, so a read-only home cannot be imitated")
	}
	each(t, hooked, func(t *testing.T, name string) {
		s := prepare(t, name, config{})
		wrapped := exec.Command("sh", append([]string{"-c", onlyRead, s.home}, s.cmd.Args...)...)
		wrapped.Args[4] = s.cmd.Path
		wrapped.Env, wrapped.Dir = s.cmd.Env, s.cmd.Dir
		wrapped.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
		s.cmd = wrapped
		tty, err := pty.StartWithSize(s.cmd, &pty.Winsize{Rows: 50, Cols: 500})
		if err != nil {
			t.Fatal(err)
		}
		s.tty = pollable(t, tty)
		go s.collect()
		t.Cleanup(s.close)
		s.waitPrompt()
		status := "echo status $?"
		if name == "fish" {
			status = "echo status $status"
		}
		s.enter("true", "touch ~/x", "echo o'u't", "false", status, "true")
		_, screen, _ := strings.Cut(s.screen(), "<1>$ ") // fish tells at its start that it cannot write there
		if n := strings.Count(screen, "ead-only file system"); n != 1 {
			t.Errorf("%d complaints, want that of touch alone: %q", n, squeeze(screen))
		}
		if strings.Contains(screen, "caro") || !strings.Contains(screen, "out\r\n") || !strings.Contains(screen, "status 1\r\n") {
			t.Errorf("screen %q", squeeze(screen))
		}
	})
}
