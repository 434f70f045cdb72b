package export

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/caro-mesh/caro-node/policy/audit"
)

// state is how far an export has come.
type state struct {
	SchemaVersion int        `json:"schema_version"`
	Format        string     `json:"format"`
	Target        string     `json:"target"`
	Sequence      uint64     `json:"sequence"` // of the last record that was delivered; 0: none
	Hash          audit.Hash `json:"hash"`     // of that record
	Offset        int64      `json:"offset"`   // bytes of the file that hold delivered records
}

const stateVersion = 1

// Errors of a state file. Each says what to do.
var (
	// ErrState means that the state file belongs to something else, or cannot be read.
	ErrState = errors.New("the state file does not fit")
	// ErrRunning means that another process does the same export.
	ErrRunning = errors.New("another export uses the same state file; stop it, or name another file with --state")
)

// load reads the state of an export to target, or the state of one that begins.
func load(path, format, target string) (state, error) {
	fresh := state{SchemaVersion: stateVersion, Format: format, Target: target}
	if path == "" {
		return fresh, nil
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fresh, nil
	}
	if err != nil {
		return state{}, fmt.Errorf("read the state of the export: %w", err)
	}
	var s state
	switch err := json.Unmarshal(b, &s); {
	case err != nil || s.SchemaVersion != stateVersion || s.Offset < 0:
		return state{}, fmt.Errorf("%w: %s is not the state of an export; name another file with --state", ErrState, path)
	case s.Format != format:
		return state{}, fmt.Errorf("%w: %s belongs to an export as %s, not as %s; name another file with --state", ErrState, path, s.Format, format)
	case s.Target != target:
		return state{}, fmt.Errorf("%w: %s belongs to an export to %s, not to %s; name another file with --state", ErrState, path, s.Target, target)
	}
	return s, nil
}

// save replaces the state as a whole: after a crash, even of the machine, the file holds the old state or the new one.
func (s state) save(path string) error {
	if path == "" {
		return nil
	}
	b, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("write the state of the export: %w", err)
	}
	temporary := path + ".new"
	if err := errors.Join(writeSynced(temporary, append(b, '\n')), os.Rename(temporary, path), syncFolder(filepath.Dir(path))); err != nil {
		return fmt.Errorf("write the state of the export: %w", err)
	}
	return nil
}

func writeSynced(path string, b []byte) (err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Sync(), f.Close())
}

func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// lock keeps a second process from the same export until unlock, or until this one ends.
func lock(path string) (unlock func(), err error) {
	if path == "" {
		return func() {}, nil
	}
	f, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the state of the export: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close() // nothing was written
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, ErrRunning
		}
		return nil, fmt.Errorf("lock the state of the export: %w", err)
	}
	return func() { _ = f.Close() }, nil // closing unlocks
}
