package spool

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// HasWriter reports whether any process holds f open for writing; known is false where the file system cannot tell. A
// shell may have opened the file just before it was claimed and be stopped before its write: only then is the answer yes
// for longer than a moment.
func HasWriter(f *os.File) (writing, known bool) {
	// The kernel grants a read lease only on a file that nobody has open for writing.
	_, err := unix.FcntlInt(f.Fd(), unix.F_SETLEASE, unix.F_RDLCK)
	switch {
	case err == nil:
		_, err = unix.FcntlInt(f.Fd(), unix.F_SETLEASE, unix.F_UNLCK)
		return false, err == nil
	case errors.Is(err, unix.EAGAIN):
		return true, true
	}
	return false, false
}
