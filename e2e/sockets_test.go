package e2e

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// watchSockets samples the internet sockets of a process until the returned function is called, which returns the
// remote addresses outside loopback that it ever had.
func watchSockets(t *testing.T, pid int) (strangers func() []string) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Logf("sockets are not watched: /proc is needed")
		return func() []string { return nil }
	}
	if _, err := remotes(pid); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var once sync.Once
	var wg sync.WaitGroup
	found := make(map[string]bool)
	sampled := 0
	wg.Go(func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			addrs, err := remotes(pid)
			if err != nil {
				continue // it has ended, which the caller notices
			}
			sampled++
			for _, a := range addrs {
				if !a.IsLoopback() {
					found[a.String()] = true
				}
			}
		}
	})
	return func() []string {
		once.Do(func() { close(stop) })
		wg.Wait()
		if sampled == 0 {
			t.Error("the sockets were never seen")
		}
		var out []string
		for a := range found {
			out = append(out, a)
		}
		slices.Sort(out)
		return out
	}
}

// remotes returns the remote addresses of a process's TCP and UDP sockets.
func remotes(pid int) ([]netip.Addr, error) {
	inodes, err := socketInodes(pid)
	if err != nil {
		return nil, err
	}
	var out []netip.Addr
	for _, table := range []string{"tcp", "tcp6", "udp", "udp6"} {
		f, err := os.Open(fmt.Sprintf("/proc/%d/net/%s", pid, table))
		if errors.Is(err, fs.ErrNotExist) {
			continue // a kernel without IPv6
		}
		if err != nil {
			return nil, err
		}
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			fields := strings.Fields(lines.Text())
			if len(fields) < 10 || !inodes[fields[9]] {
				continue
			}
			if a, ok := kernelAddr(fields[2]); ok && !a.IsUnspecified() {
				out = append(out, a)
			}
		}
		if err := errors.Join(lines.Err(), f.Close()); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func socketInodes(pid int) (map[string]bool, error) {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	inodes := make(map[string]bool)
	for _, e := range entries {
		if link, err := os.Readlink(filepath.Join(dir, e.Name())); err == nil {
			if rest, ok := strings.CutPrefix(link, "socket:["); ok {
				inodes[strings.TrimSuffix(rest, "]")] = true
			}
		}
	}
	return inodes, nil
}

// kernelAddr reads an address of /proc/net: 32-bit words in the machine's byte order (little-endian here), then a port.
func kernelAddr(s string) (netip.Addr, bool) {
	text, _, ok := strings.Cut(s, ":")
	b, err := hex.DecodeString(text)
	if !ok || err != nil || len(b)%4 != 0 {
		return netip.Addr{}, false
	}
	for i := 0; i < len(b); i += 4 {
		b[i], b[i+1], b[i+2], b[i+3] = b[i+3], b[i+2], b[i+1], b[i]
	}
	a, ok := netip.AddrFromSlice(b)
	return a.Unmap(), ok
}
