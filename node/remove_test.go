package node

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	ma "github.com/multiformats/go-multiaddr"

	"github.com/caro-mesh/caro-node/internal/meshtest"
	"github.com/caro-mesh/caro-node/node/discovery/mdns"
	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/protocol"
)

// announces tells a that b says on the local network that it is there.
func announces(a, b *Node) {
	a.neighbours.Sighted(mdns.Sighting{ID: b.id(), Addrs: []ma.Multiaddr{ma.StringCast(b.c.Listen[0])}, From: netip.MustParseAddr("10.0.0.2"), For: time.Hour})
}

func TestRemovingANodeTellsWhatBringsItBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lan := meshtest.NewNetwork()
		a, b := afar(t, lan, 1), afar(t, lan, 2)
		remove := func(why string, want Leftover) {
			t.Helper()
			pass(time.Second)
			if got, err := a.RemovePeer(t.Context(), b.id()); err != nil || got != want {
				t.Errorf("%s: %+v, %v; want %+v", why, got, err, want)
			}
			synctest.Wait() // the end of the connection is told a moment later
		}
		calls(a, b)
		pass(time.Second)
		if v := peerOf(t, a, b); v.State != PeerConnected {
			t.Fatalf("b is %+v", v)
		}
		remove("trusted by default", Leftover{Trust: protocol.TrustPeer, Trusted: true})
		if v := peerOf(t, a, b); v.ID != "" {
			t.Errorf("it is still listed as %+v", v)
		}
		pass(2 * time.Minute)
		if n := lan.Dials(); n != 1 {
			t.Errorf("a node that was forgotten was dialled %d times", n-1)
		}

		announces(a, b)
		pass(time.Second)
		if v := peerOf(t, a, b); v.State != PeerConnected {
			t.Errorf("it announced itself, and is %+v", v)
		}
		remove("trusted and announced", Leftover{Trust: protocol.TrustPeer, Trusted: true, Announced: true})
		announces(a, b)
		pass(time.Minute)
		if v := peerOf(t, a, b); v.State != PeerConnected {
			t.Errorf("it announced itself again, and is %+v, which is not what was told", v)
		}

		if err := a.SetTrust(t.Context(), policy.Grant{Node: b.id(), Deny: true}); err != nil {
			t.Fatal(err)
		}
		remove("denied", Leftover{Announced: true})
		announces(a, b)
		pass(2 * time.Minute)
		if v := peerOf(t, a, b); v.State == PeerConnected {
			t.Errorf("it is denied, and is %+v", v)
		}
	})
}
