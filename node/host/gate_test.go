package host

import (
	"testing"

	ma "github.com/multiformats/go-multiaddr"
)

type from string

func (f from) LocalMultiaddr() ma.Multiaddr  { return ma.StringCast("/ip4/127.0.0.1/tcp/9238") }
func (f from) RemoteMultiaddr() ma.Multiaddr { return ma.StringCast(string(f)) }

func TestConnectionsFromOutsideTheNetworkAreDropped(t *testing.T) {
	for addr, local := range map[string]bool{
		"/ip4/127.0.0.1/tcp/40000": true, "/ip4/192.168.1.9/tcp/40000": true, "/ip6/fe80::1/tcp/40000": true, "/memory/7": true,
		"/ip4/8.8.8.8/tcp/40000": false, "/ip6/2001:db8::1/tcp/40000": false, "/ip6/::ffff:8.8.8.8/tcp/40000": false,
	} {
		if got := (scoped{ConnectionGater: open{}}).InterceptAccept(from(addr)); got != local {
			t.Errorf("%s: accepted %v", addr, got)
		}
		if !(scoped{ConnectionGater: open{}, allowPublic: true}).InterceptAccept(from(addr)) {
			t.Errorf("%s: not accepted although public addresses are allowed", addr)
		}
	}
}
