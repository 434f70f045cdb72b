package api_test

import (
	"bufio"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/caro-mesh/caro-node/api"
)

func listen(t *testing.T, socket, tcp string) (*api.Server, error) {
	t.Helper()
	s, err := api.Listen(t.Context(), api.Config{Socket: socket, Listen: tcp, Token: token})
	if err == nil {
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	return s, err
}

// holder starts another process that holds the socket.
func holder(t *testing.T, socket string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), holdSocket+"="+socket)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "listening\n" {
		t.Fatalf("the other process says %q, %v", line, err)
	}
	return cmd
}

func TestSocketIsForTheUserAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "caro")
	socket := filepath.Join(dir, "api.sock")
	if _, err := listen(t, socket, ""); err != nil {
		t.Fatal(err)
	}
	fi, err := os.Stat(socket)
	if err != nil {
		t.Fatal(err)
	}
	if fi.Mode() != os.ModeSocket|0o600 {
		t.Errorf("socket has mode %s", fi.Mode())
	}
	if fi, err = os.Stat(dir); err != nil || fi.Mode().Perm() != 0o700 {
		t.Errorf("folder has mode %s, %v", fi.Mode(), err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("besides socket and lock there is more: %v, %v", entries, err)
	}
}

func TestSocketOfAKilledDaemonIsReplaced(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "api.sock")
	cmd := holder(t, socket)
	if _, err := listen(t, socket, ""); !errors.Is(err, api.ErrAlreadyRunning) || !strings.Contains(err.Error(), socket) {
		t.Fatalf("beside a living daemon: %v", err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // "signal: killed"
	if _, err := os.Lstat(socket); err != nil {
		t.Fatalf("the killed process took its socket along: %v", err)
	}
	if _, err := listen(t, socket, ""); err != nil {
		t.Fatalf("after the daemon was killed: %v", err)
	}
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "unix", socket)
	if err != nil {
		t.Fatalf("the new socket does not answer: %v", err)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
}

func TestStaleSocketWithoutALockIsReplacedAndALivingOneIsNot(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "api.sock")
	old, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	old.SetUnlinkOnClose(false)
	if _, err := listen(t, socket, ""); !errors.Is(err, api.ErrAlreadyRunning) {
		t.Fatalf("beside a listener that knows no locks: %v", err)
	}
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := listen(t, socket, ""); err != nil {
		t.Fatal(err)
	}
}

func TestOfManyStartsAtOnceOneWins(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "api.sock")
	var won, lost int
	var mu sync.Mutex
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			_, err := listen(t, socket, "")
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				won++
			case errors.Is(err, api.ErrAlreadyRunning):
				lost++
			default:
				t.Error(err)
			}
		})
	}
	all.Wait()
	if won != 1 || lost != 19 {
		t.Errorf("%d won and %d were told that another runs", won, lost)
	}
}

func TestOtherFilesInTheWayOfTheSocketAreKept(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "api.sock")
	if err := os.WriteFile(socket, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := listen(t, socket, ""); err == nil || !strings.Contains(err.Error(), "move it away") {
		t.Errorf("error %v", err)
	}
	if b, err := os.ReadFile(socket); string(b) != "precious" {
		t.Errorf("the file now holds %q, %v", b, err)
	}
}

func TestClosedServerLeavesNoSocketAndFreesItsPort(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "api.sock")
	s, err := listen(t, socket, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := s.Endpoints().Listen
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Lstat(socket); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
	if _, err := listen(t, socket, addr); err != nil {
		t.Error(err)
	}
}

func TestPortInUseIsToldAndGivesTheSocketBack(t *testing.T) {
	first, err := listen(t, filepath.Join(t.TempDir(), "a"), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := first.Endpoints().Listen
	socket := filepath.Join(t.TempDir(), "b")
	if _, err = listen(t, socket, addr); err == nil || !strings.Contains(err.Error(), addr) || !strings.Contains(err.Error(), "api.listen") {
		t.Fatalf("error %v", err)
	}
	if _, err := listen(t, socket, ""); err != nil {
		t.Errorf("the socket was not given back: %v", err)
	}
}

func TestOnlyLoopbackIsServed(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", ":0", "[::]:0", "10.0.0.1:0", "192.168.1.2:9237", "example.com:9237", "127.0.0.1", "127.0.0.1:http", "localhost.evil.example:0",
		"[::ffff:127.0.0.1]:0", "[::ffff:10.0.0.1]:0", "[fe80::1%lo]:0", "128.0.0.1:0", "127.0.0.1:99999"} {
		if s, err := listen(t, filepath.Join(t.TempDir(), "s"), addr); err == nil || !strings.Contains(err.Error(), "api.listen") {
			t.Errorf("%s: %v, listening on %+v", addr, err, s)
		}
	}
	for _, addr := range []string{"127.0.0.1:0", "localhost:0", "127.0.0.2:0"} {
		if _, err := listen(t, filepath.Join(t.TempDir(), "s"), addr); err != nil {
			t.Errorf("%s: %v", addr, err)
		}
	}
}

func TestTooLongSocketPathIsTold(t *testing.T) {
	for _, path := range []string{"", "/tmp/" + strings.Repeat("x", 100)} {
		if _, err := listen(t, path, ""); err == nil || !strings.Contains(err.Error(), "CARO_HOME") {
			t.Errorf("path %q: %v", path, err)
		}
	}
}

func TestSocketElsewhereIsFoundByItsNameAndLockedThere(t *testing.T) {
	data, run, other := t.TempDir(), t.TempDir(), t.TempDir()
	name := filepath.Join(data, strings.Repeat("x", 80), "api.sock") // too long for a socket
	c := api.Config{Socket: name, SocketDir: run}
	s, err := api.Listen(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if target, err := os.Readlink(name); err != nil || target != filepath.Join(run, "api.sock") || s.Endpoints().Socket != target {
		t.Errorf("%s leads to %q (%v), the server names %s", name, target, err, s.Endpoints().Socket)
	}
	c.SocketDir = other
	if _, err := api.Listen(t.Context(), c); !errors.Is(err, api.ErrAlreadyRunning) {
		t.Errorf("a second one with its socket elsewhere gets %v", err)
	}
	if _, err := api.Reserve(t.Context(), name); !errors.Is(err, api.ErrAlreadyRunning) {
		t.Errorf("somebody who wants to write the data gets %v", err)
	}
	c = api.Config{Socket: filepath.Join(t.TempDir(), "api.sock"), SocketDir: run}
	if _, err := api.Listen(t.Context(), c); !errors.Is(err, api.ErrAlreadyRunning) {
		t.Errorf("one for other data at the same place gets %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{name, filepath.Join(run, "api.sock")} {
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s was left behind (%v)", path, err)
		}
	}
	// A killed daemon leaves the link, and perhaps not the socket: runtime folders are emptied.
	if err := os.Symlink(filepath.Join(run, "api.sock"), name); err != nil {
		t.Fatal(err)
	}
	c = api.Config{Socket: name, SocketDir: other}
	if s, err = api.Listen(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
