package scope

import (
	"errors"
	"net/netip"
	"testing"

	ma "github.com/multiformats/go-multiaddr"
	"pgregory.net/rapid"
)

func TestOnlyNumberedLocalTCPAddressesAreDialled(t *testing.T) {
	for s, want := range map[string]error{
		"/ip4/127.0.0.1/tcp/1":                         nil,
		"/ip4/127.255.255.255/tcp/1":                   nil,
		"/ip4/10.0.0.1/tcp/1":                          nil,
		"/ip4/172.16.0.1/tcp/1":                        nil,
		"/ip4/172.31.255.255/tcp/1":                    nil,
		"/ip4/192.168.0.1/tcp/1":                       nil,
		"/ip4/169.254.1.1/tcp/1":                       nil,
		"/ip6/::1/tcp/1":                               nil,
		"/ip6/fe80::1/tcp/1":                           nil,
		"/ip6zone/eth0/ip6/fe80::1/tcp/1":              nil,
		"/ip6/fd00::1/tcp/1":                           nil,
		"/ip6/::ffff:10.0.0.1/tcp/1":                   nil,
		"/ip4/8.8.8.8/tcp/1":                           ErrPublic,
		"/ip4/172.15.255.255/tcp/1":                    ErrPublic,
		"/ip4/172.32.0.0/tcp/1":                        ErrPublic,
		"/ip4/192.167.255.255/tcp/1":                   ErrPublic,
		"/ip4/100.64.0.1/tcp/1":                        ErrPublic,
		"/ip4/126.255.255.255/tcp/1":                   ErrPublic,
		"/ip4/128.0.0.0/tcp/1":                         ErrPublic,
		"/ip6/2001:db8::1/tcp/1":                       ErrPublic,
		"/ip6/::ffff:8.8.8.8/tcp/1":                    ErrPublic,
		"/ip6/64:ff9b::808:808/tcp/1":                  ErrPublic,
		"/ip6/2002:808:808::1/tcp/1":                   ErrPublic,
		"/ip4/255.255.255.255/tcp/1":                   ErrPublic,
		"/ip4/0.0.0.0/tcp/1":                           ErrForm,
		"/ip6/::/tcp/1":                                ErrForm,
		"/ip4/224.0.0.251/tcp/1":                       ErrForm,
		"/ip6/ff02::fb/tcp/1":                          ErrForm,
		"/dns/example.org/tcp/1":                       ErrName,
		"/dns4/localhost/tcp/1":                        ErrName,
		"/dns6/example.org/tcp/1":                      ErrName,
		"/dnsaddr/bootstrap.example.org":               ErrName,
		"/ip4/10.0.0.1":                                ErrForm,
		"/ip4/10.0.0.1/udp/1/quic-v1":                  ErrForm,
		"/ip4/10.0.0.1/tcp/1/ws":                       ErrForm,
		"/ip4/10.0.0.1/tcp/1/http":                     ErrForm,
		"/unix/tmp/sock":                               ErrForm,
		"/ip4/10.0.0.1/tcp/1/p2p-circuit":              ErrForm,
		"/ip4/10.0.0.1/tcp/1/ip4/8.8.8.8/tcp/1":        ErrForm,
		"/ip6zone/eth0/ip6zone/eth1/ip6/fe80::1/tcp/1": ErrForm,
	} {
		a, err := ma.NewMultiaddr(s)
		if err != nil {
			t.Errorf("%s: %v", s, err)
			continue
		}
		if err := Check(a, false); !errors.Is(err, want) || (err == nil) != (want == nil) {
			t.Errorf("%s: %v, want %v", s, err, want)
		}
		if err := Check(a, true); errors.Is(want, ErrPublic) && err != nil {
			t.Errorf("%s, with public addresses allowed: %v", s, err)
		} else if want != nil && !errors.Is(want, ErrPublic) && !errors.Is(err, want) {
			t.Errorf("%s, with public addresses allowed: %v, want %v", s, err, want)
		}
	}
}

func TestListeningIsPossibleEverywhereButInPublic(t *testing.T) {
	for s, ok := range map[string]bool{
		"/ip4/0.0.0.0/tcp/9238": true, "/ip6/::/tcp/9238": true, "/ip4/127.0.0.1/tcp/0": true, "/ip4/10.1.2.3/tcp/9238": true,
		"/ip4/8.8.8.8/tcp/9238": false, "/dns4/localhost/tcp/9238": false, "/ip4/0.0.0.0/udp/9238/quic-v1": false, "/ip4/0.0.0.0/tcp/9238/ws": false,
	} {
		if err := CheckListen(ma.StringCast(s), false); (err == nil) != ok {
			t.Errorf("%s: %v", s, err)
		}
	}
}

// The ranges are spelt out here a second time, so that a library that changes its mind is noticed.
func TestLocalMeansTheRangesOfTheRFCs(t *testing.T) {
	var local []netip.Prefix
	for _, s := range []string{"127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "::1/128", "fe80::/10", "fc00::/7"} {
		local = append(local, netip.MustParsePrefix(s))
	}
	rapid.Check(t, func(t *rapid.T) {
		var ip netip.Addr
		switch rapid.IntRange(0, 2).Draw(t, "kind") {
		case 0:
			ip = netip.AddrFrom4([4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "ip")))
		case 1:
			ip = netip.AddrFrom16([16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "ip")))
		default: // just inside or outside one of the ranges
			p := rapid.SampledFrom(local).Draw(t, "range")
			ip = rapid.SampledFrom([]netip.Addr{p.Addr(), p.Addr().Prev(), last(p), last(p).Next()}).Draw(t, "edge")
			if !ip.IsValid() {
				return
			}
		}
		want := false
		for _, p := range local {
			want = want || p.Contains(ip.Unmap())
		}
		if Local(ip) != want {
			t.Fatalf("Local(%s) is %v", ip, !want)
		}
	})
}

func last(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 1 << (7 - i%8)
	}
	ip, _ := netip.AddrFromSlice(b)
	return ip
}
