package e2e

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// watchSockets samples the internet sockets of a process until the returned function is called, which returns whom it
// ever had a connection to, or sent datagrams to, besides those allowed. Loopback is not special: a resolver that would
// carry names out of the machine is usually at 127.0.0.53.
func watchSockets(t *testing.T, pid int, allowed ...netip.AddrPort) (strangers func() []string) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Logf("sockets are not watched: /proc is needed")
		return func() []string { return nil }
	}
	if _, err := sockets(pid); err != nil {
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
			open, err := sockets(pid)
			if err != nil {
				continue // it has ended, which the caller notices
			}
			sampled++
			for _, s := range strange(open, allowed) {
				found[s] = true
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

// socket is an internet socket of a process.
type socket struct {
	table         string // tcp, tcp6, udp or udp6
	local, remote netip.AddrPort
}

// strange returns the sockets that are neither connected to one of allowed nor listening there.
func strange(open []socket, allowed []netip.AddrPort) []string {
	var out []string
	for _, s := range open {
		tcp := strings.HasPrefix(s.table, "tcp")
		switch {
		case tcp && s.remote.Port() == 0 && slices.Contains(allowed, s.local): // it listens
		case tcp && slices.Contains(allowed, s.remote):
		default:
			out = append(out, fmt.Sprintf("%s %s to %s", s.table, s.local, s.remote))
		}
	}
	return out
}

// sockets returns a process's TCP and UDP sockets.
func sockets(pid int) ([]socket, error) {
	inodes, err := socketInodes(pid)
	if err != nil {
		return nil, err
	}
	var out []socket
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
			local, ok := kernelAddr(fields[1])
			remote, ok2 := kernelAddr(fields[2])
			if !ok || !ok2 {
				return nil, errors.Join(fmt.Errorf("%s: cannot read %q", f.Name(), lines.Text()), f.Close())
			}
			out = append(out, socket{table, local, remote})
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
func kernelAddr(s string) (netip.AddrPort, bool) {
	text, port, ok := strings.Cut(s, ":")
	b, err := hex.DecodeString(text)
	n, err2 := strconv.ParseUint(port, 16, 16)
	if !ok || err != nil || err2 != nil || len(b)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(b); i += 4 {
		b[i], b[i+1], b[i+2], b[i+3] = b[i+3], b[i+2], b[i+1], b[i]
	}
	a, ok := netip.AddrFromSlice(b)
	return netip.AddrPortFrom(a.Unmap(), uint16(n)), ok
}

// The watch must see what it is for: a question to a resolver on loopback, and a connection to anybody but the tap.
func TestTheWatchSeesEveryConversationThatIsNotAllowed(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("/proc is needed")
	}
	var listen net.ListenConfig
	friend, err := listen.Listen(t.Context(), "tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer friend.Close()
	stranger, err := listen.Listen(t.Context(), "tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	watch := func(network, address string) []string {
		t.Helper()
		var d net.Dialer
		c, err := d.DialContext(t.Context(), network, address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		open, err := sockets(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		allowed := netip.MustParseAddrPort(friend.Addr().String())
		// Other sockets of this process are another matter.
		return slices.DeleteFunc(strange(open, []netip.AddrPort{allowed}), func(s string) bool { return !strings.HasSuffix(s, "to "+address) })
	}
	if got := watch("tcp4", friend.Addr().String()); len(got) > 0 {
		t.Errorf("the tap counts as a stranger: %v", got)
	}
	for network, address := range map[string]string{"udp4": "127.0.0.53:53", "tcp4": stranger.Addr().String()} {
		if got := watch(network, address); len(got) == 0 {
			t.Errorf("nobody saw the conversation with %s over %s", address, network)
		}
	}
}
