package spool

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/google/uuid"
)

const (
	suffix     = ".spool"
	claimedDir = "claimed"
	tornDir    = "torn"
	linesDir   = "lines"
)

// Prepare makes the spool folder and its parts, readable by their owner alone. It is called before a hook is installed,
// since a hook can make no folder without starting a process.
func Prepare(dir string) error {
	for _, d := range []string{dir, filepath.Join(dir, claimedDir), filepath.Join(dir, tornDir), filepath.Join(dir, linesDir)} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return fmt.Errorf("make the spool folder: %w", err)
		}
	}
	return nil
}

// Write hands one record over in a file of its own, so that programs need not share one.
func Write(dir string, r Record) error {
	var random [6]byte
	_, _ = rand.Read(random[:]) // never fails (crypto/rand)
	name := fmt.Sprintf("%s-%d-%d-%s%s", r.Shell, os.Getpid(), time.Now().UnixMicro(), hex.EncodeToString(random[:]), suffix)
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open a spool file (does the folder exist? `caro-node init` makes it): %w", err)
	}
	_, err = f.Write(Encode(r))
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write the spool file: %w", err)
	}
	return nil
}

// Claimed is a spool file that belongs to the reader.
type Claimed struct {
	Name    string // unique for ever: <uuid>-<name of the shell's file>
	Session string // the shell's file without extension
}

// IsSpoolFile reports whether the file of that name is one that a shell hands over.
func IsSpoolFile(name string) bool { return strings.HasSuffix(name, suffix) }

// Pending lists the files that shells write and no reader has claimed yet, and their size in bytes.
func Pending(dir string) (names []string, size int64, err error) {
	return list(dir)
}

// Claim takes a pending file away from its shell. A file that is gone already gives [fs.ErrNotExist].
func Claim(dir, name string) (Claimed, error) {
	c := newClaimed(uuid.NewString() + "-" + name)
	return c, os.Rename(filepath.Join(dir, name), c.Path(dir))
}

// ListClaimed lists the claimed files, those of an earlier run included, and their size in bytes.
func ListClaimed(dir string) ([]Claimed, int64, error) {
	names, size, err := list(filepath.Join(dir, claimedDir))
	claimed := make([]Claimed, len(names))
	for i, n := range names {
		claimed[i] = newClaimed(n)
	}
	return claimed, size, err
}

func list(dir string) (names []string, size int64, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, 0, fmt.Errorf("list the spool folder: %w", err)
	}
	for _, e := range entries {
		if !IsSpoolFile(e.Name()) || !e.Type().IsRegular() {
			continue
		}
		names = append(names, e.Name())
		if fi, err := e.Info(); err == nil {
			size += fi.Size()
		}
	}
	return names, size, nil
}

func newClaimed(name string) Claimed {
	c := Claimed{Name: name, Session: strings.TrimSuffix(name, suffix)}
	const dash = 36 // a UUID's length
	if len(c.Session) > dash && c.Session[dash] == '-' {
		c.Session = c.Session[dash+1:]
	}
	return c
}

// Path of the claimed file.
func (c Claimed) Path(dir string) string { return filepath.Join(dir, claimedDir, c.Name) }

// Open opens the file for reading.
func (c Claimed) Open(dir string) (*os.File, error) {
	f, err := os.Open(c.Path(dir))
	if errors.Is(err, fs.ErrPermission) {
		// The shell's umask may have taken the owner's own right to read.
		if chmodErr := os.Chmod(c.Path(dir), 0o600); chmodErr != nil {
			return nil, fmt.Errorf("open a spool file: %w", err)
		}
		f, err = os.Open(c.Path(dir))
	}
	if err != nil {
		return nil, fmt.Errorf("open a spool file: %w", err)
	}
	return f, nil
}

// Remove deletes the file; that it is gone already is no error.
func (c Claimed) Remove(dir string) error {
	if err := os.Remove(c.Path(dir)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove a stored spool file: %w", err)
	}
	return nil
}

// KeepTorn saves bytes that are not a record in torn/, under a name made of the file's and the offset, so that saving them
// twice keeps them once. It returns the path.
func KeepTorn(dir string, c Claimed, t *TornError) (string, error) {
	path := filepath.Join(dir, tornDir, strings.TrimSuffix(c.Name, suffix)+"-"+strconv.FormatInt(t.Offset, 10)+".torn")
	if err := os.WriteFile(path, t.Bytes, 0o600); err != nil {
		return "", fmt.Errorf("keep a torn record: %w", err)
	}
	return path, nil
}

// CountTorn tells how many pieces torn/ holds.
func CountTorn(dir string) (int, error) {
	entries, err := os.ReadDir(filepath.Join(dir, tornDir))
	if err != nil {
		return 0, fmt.Errorf("list the torn records: %w", err)
	}
	return len(entries), nil
}

// Sweep removes the scratch files of shells that are gone: bash keeps one for the line that it reads back from its history,
// in the folder that XDG_RUNTIME_DIR names or, without one, in lines/; fish keeps one to tell the time, in lines/.
func Sweep(dir string) error {
	err := sweep(filepath.Join(dir, linesDir), "")
	if runtime := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(runtime) {
		err = errors.Join(err, sweep(runtime, "caro-"))
	}
	return err
}

// sweep removes the files named <prefix><shell>-<pid>-… of processes that do not exist.
func sweep(dir, prefix string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list the scratch files: %w", err)
	}
	for _, e := range entries {
		name, ours := strings.CutPrefix(e.Name(), prefix)
		parts := strings.Split(name, "-")
		if !ours || len(parts) != 4 || !e.Type().IsRegular() {
			continue
		}
		pid, err := strconv.Atoi(parts[1])
		if err != nil || pid <= 0 || alive(pid) {
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove a scratch file: %w", err)
		}
	}
	return nil
}

func alive(pid int) bool { return !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }
