package spool

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// ErrLocked reports that another process reads the same spool folder; the caller should stop that one, or use another
// data folder.
var ErrLocked = errors.New("another caro-node already reads this spool folder; stop it or use another data folder")

// Lock makes the caller the folder's only reader until it calls unlock or ends, however it ends.
func Lock(dir string) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(dir, ".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the spool folder: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close() // nothing was written
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, ErrLocked
		}
		return nil, fmt.Errorf("lock the spool folder: %w", err)
	}
	return func() { _ = f.Close() }, nil // closing unlocks
}
