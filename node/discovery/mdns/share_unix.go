//go:build unix

package mdns

import (
	"errors"

	"golang.org/x/sys/unix"
)

// share lets other programs use the port, and this one use theirs.
func share(fd int) error {
	return errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1))
}
