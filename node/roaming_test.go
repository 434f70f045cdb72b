package node

import (
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"testing"
)

func TestConnectionsOfALostAddressAreEndedAndNoOthers(t *testing.T) {
	var have []net.Addr
	var failure error
	machineHas := func(addrs ...string) {
		have = nil
		for _, a := range addrs {
			ip, ipNet, err := net.ParseCIDR(a)
			if err != nil {
				t.Fatal(err)
			}
			have = append(have, &net.IPNet{IP: ip, Mask: ipNet.Mask})
		}
	}
	connected := []string{"127.0.0.1", "10.0.0.1", "10.0.0.2", "fd00::1", "192.168.7.7"} // the last is none of the machine's own
	ended := map[string]int{}
	r := &roaming{logger: slog.New(slog.DiscardHandler), addresses: func() ([]net.Addr, error) { return have, failure },
		end: func(lost func(netip.Addr) bool) (n int) {
			for _, a := range connected {
				if lost(netip.MustParseAddr(a)) {
					ended[a]++
					n++
				}
			}
			return n
		}}
	expect := func(what string, want map[string]int) {
		t.Helper()
		r.look()
		if len(ended) != len(want) {
			t.Errorf("%s: ended %v, want %v", what, ended, want)
		}
		for a, n := range want {
			if ended[a] != n {
				t.Errorf("%s: ended %v, want %v", what, ended, want)
			}
		}
	}
	machineHas("127.0.0.1/8", "10.0.0.1/24", "fd00::1/64")
	expect("at the start", nil)
	machineHas("127.0.0.1/8", "10.0.0.1/24", "10.0.0.2/24", "fd00::1/64")
	expect("an address more", nil)
	failure = errors.New("the kernel does not tell")
	expect("nothing is known", nil)
	failure = nil
	machineHas("127.0.0.1/8", "10.0.0.2/24", "fd00::1/64")
	expect("one is lost", map[string]int{"10.0.0.1": 1})
	expect("nothing has changed since", map[string]int{"10.0.0.1": 1})
	machineHas("127.0.0.1/8")
	expect("all others are lost", map[string]int{"10.0.0.1": 1, "10.0.0.2": 1, "fd00::1": 1})
}
