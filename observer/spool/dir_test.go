package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caro-mesh/caro-node/protocol"
)

func prepared(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "a", "spool")
	if err := Prepare(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestTheFoldersAndFilesAreForTheirOwnerAlone(t *testing.T) {
	dir := prepared(t)
	if err := Write(dir, Record{Shell: protocol.ShellBash, Command: "ls"}); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		fi, err := e.Info()
		if err == nil && fi.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has the mode %v", path, fi.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAClaimedFileIsOneThatNoShellWritesAgain(t *testing.T) {
	dir := prepared(t)
	path := filepath.Join(dir, "bash-7-8-9.spool")
	write := func(s string) {
		f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err == nil {
			_, err = f.WriteString(s)
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	seen := map[string]bool{}
	for i := range 3 {
		write(fmt.Sprint(i))
		names, size, err := Pending(dir)
		if err != nil || len(names) != 1 || size != 1 {
			t.Fatal(names, size, err)
		}
		c, err := Claim(dir, names[0])
		if err != nil {
			t.Fatal(err)
		}
		if seen[c.Name] || c.Session != "bash-7-8-9" {
			t.Errorf("claimed as %+v", c)
		}
		seen[c.Name] = true
		if b, err := os.ReadFile(c.Path(dir)); err != nil || string(b) != fmt.Sprint(i) {
			t.Errorf("the claimed file holds %q (%v)", b, err)
		}
		if _, err := Claim(dir, names[0]); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("claimed twice: %v", err)
		}
	}
	claimed, size, err := ListClaimed(dir)
	if err != nil || len(claimed) != 3 || size != 3 {
		t.Fatal(claimed, size, err)
	}
	for _, c := range claimed {
		if !seen[c.Name] || c.Session != "bash-7-8-9" {
			t.Errorf("listed as %+v", c)
		}
		if err := errors.Join(c.Remove(dir), c.Remove(dir)); err != nil {
			t.Error(err)
		}
	}
}

func TestAWriterIsSeenWhileItHasTheFileOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	w, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	writing, known := HasWriter(r)
	if !known {
		t.Skip("this file system cannot tell who writes")
	}
	if !writing {
		t.Error("the open writer is not seen")
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if writing, known := HasWriter(r); writing || !known {
		t.Errorf("after the writer closed: writing %v, known %v", writing, known)
	}
}

func TestOnlyOneReaderAtATime(t *testing.T) {
	dir := prepared(t)
	unlock, err := Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Lock(dir); !errors.Is(err, ErrLocked) {
		t.Errorf("second lock: %v, want ErrLocked", err)
	}
	unlock()
	unlock, err = Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	unlock()
}

func TestSweepTakesTheScratchFilesOfEndedShellsAlone(t *testing.T) {
	dir := prepared(t)
	ended := exec.Command("true")
	if err := ended.Run(); err != nil {
		t.Skip("there is no program true to run: ", err)
	}
	runtime := t.TempDir()
	t.Setenv("XDG_RUNTIME_DIR", runtime)
	lines := filepath.Join(dir, "lines")
	gone := ended.ProcessState.Pid()
	files := map[string]bool{ // path: stays
		filepath.Join(lines, fmt.Sprintf("bash-%d-1-2", os.Getpid())):        true,
		filepath.Join(lines, fmt.Sprintf("bash-%d-1-2", gone)):               false,
		filepath.Join(lines, "bash-x-1-2"):                                   true,
		filepath.Join(lines, "other"):                                        true,
		filepath.Join(runtime, fmt.Sprintf("caro-bash-%d-1-2", os.Getpid())): true,
		filepath.Join(runtime, fmt.Sprintf("caro-bash-%d-1-2", gone)):        false,
		filepath.Join(runtime, fmt.Sprintf("bash-%d-1-2", gone)):             true, // not ours
		filepath.Join(runtime, fmt.Sprintf("caro-%d", gone)):                 true,
	}
	for path := range files {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := Sweep(dir); err != nil {
		t.Fatal(err)
	}
	for path, stays := range files {
		if _, err := os.Stat(path); (err == nil) != stays {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestTornBytesKeptTwiceAreKeptOnce(t *testing.T) {
	dir := prepared(t)
	c := newClaimed("0b9bbd5e-7a8e-4a44-8a51-77e9a1b6a4c5-bash-1-2-3.spool")
	for range 2 {
		path, err := KeepTorn(dir, c, &TornError{Offset: 12, Bytes: []byte("half")})
		if err != nil || !strings.HasSuffix(path, "-12.torn") {
			t.Fatal(path, err)
		}
		if b, err := os.ReadFile(path); err != nil || string(b) != "half" {
			t.Errorf("%q, %v", b, err)
		}
	}
	if n, err := CountTorn(dir); n != 1 || err != nil {
		t.Errorf("%d pieces, %v", n, err)
	}
}

func TestAFileThatItsShellMadeUnreadableIsReadAllTheSame(t *testing.T) {
	dir := prepared(t)
	if err := os.WriteFile(filepath.Join(dir, "bash-1-1-1.spool"), []byte("x"), 0o200); err != nil {
		t.Fatal(err)
	}
	c, err := Claim(dir, "bash-1-1-1.spool")
	if err != nil {
		t.Fatal(err)
	}
	f, err := c.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

func TestWritingIntoAMissingFolderSaysWhatToDo(t *testing.T) {
	err := Write(filepath.Join(t.TempDir(), "none"), Record{Command: "ls"})
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "caro-node") {
		t.Error(err)
	}
}
