//go:build unix

package identity

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

func openNoFollow(path string) (*os.File, error) {
	// O_NONBLOCK keeps a named pipe in the file's place from blocking the start; for files it means nothing.
	return os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
}

// checkOwner refuses a file of somebody else: that user could read and replace it.
func checkOwner(path string, st fs.FileInfo) error {
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	return checkUID(path, sys.Uid, os.Geteuid())
}

func checkUID(path string, owner uint32, self int) error {
	if int64(owner) == int64(self) {
		return nil
	}
	return fmt.Errorf("%w: %s belongs to user %d, but caro-node runs as user %d; run it as the owner", ErrExposed, path, owner, self)
}
