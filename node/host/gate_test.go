package host

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

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
		if got := (scoped{ConnectionGater: open{}, door: newDoorway()}).InterceptAccept(from(addr)); got != local {
			t.Errorf("%s: accepted %v", addr, got)
		}
		if !(scoped{ConnectionGater: open{}, allowPublic: true, door: newDoorway()}).InterceptAccept(from(addr)) {
			t.Errorf("%s: not accepted although public addresses are allowed", addr)
		}
	}
}

func TestAnAddressThatSaysNothingLeavesRoomForOthersAndGetsItsOwnBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoorway()
		loud, quiet := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
		for i := range 2 * handshakesPerAddress {
			if got, want := d.enter(loud), i < handshakesPerAddress; got != want {
				t.Fatalf("connection %d: let in %v", i, got)
			}
		}
		if !d.enter(quiet) {
			t.Error("another address was not let in")
		}
		d.leave(loud)
		if !d.enter(loud) || d.enter(loud) {
			t.Error("one that said who it is gave back something else than one place")
		}
		time.Sleep(handshakeTime) //nolint:forbidigo // the bubble's clock, which jumps
		if !d.enter(loud) {
			t.Error("places of connections that timed out were not given back")
		}
		if len(d.waiting) != 1 {
			t.Errorf("%d addresses are remembered", len(d.waiting))
		}
	})
}

func TestConnectionsThatSayWhoTheyAreTakeNoPlace(t *testing.T) {
	d := newDoorway()
	office := netip.MustParseAddr("10.0.0.1")
	for i := range 10 * handshakesPerAddress {
		if !d.enter(office) {
			t.Fatalf("connection %d was not let in", i)
		}
		d.leave(office)
	}
}
