package daemon

import (
	"bufio"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// releasePages lets go of the pages of the program's own file, of which a start or a burst touches nearly all and an idle
// node few. They stay in the system's cache, from where one that is used again comes back within microseconds, and the
// system may take them for others. Nothing that was written to is touched. It is a courtesy: where the kernel refuses,
// the pages stay.
func releasePages() {
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return
	}
	defer func() { _ = maps.Close() }() // only read
	for s := bufio.NewScanner(maps); s.Scan(); {
		if from, to, ok := ownPages(s.Text(), self); ok {
			_, _, _ = syscall.RawSyscall(syscall.SYS_MADVISE, from, to-from, syscall.MADV_DONTNEED)
		}
	}
}

// ownPages reads a line of /proc/self/maps (proc_pid_maps(5)), and reports whether it is a mapping of the file self that
// cannot be written to.
func ownPages(line, self string) (from, to uintptr, ok bool) {
	f := strings.SplitN(line, " ", 6) // addresses, permissions, offset, device, inode, name after blanks
	if len(f) < 6 || strings.Contains(f[1], "w") || strings.TrimSpace(f[5]) != self {
		return 0, 0, false
	}
	first, last, found := strings.Cut(f[0], "-")
	if !found {
		return 0, 0, false
	}
	from, fromErr := parseAddress(first)
	to, toErr := parseAddress(last)
	return from, to, fromErr == nil && toErr == nil && from < to
}

func parseAddress(s string) (uintptr, error) {
	n, err := strconv.ParseUint(s, 16, strconv.IntSize)
	return uintptr(n), err
}
