package discovery

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	ma "github.com/multiformats/go-multiaddr"

	"github.com/caro-mesh/caro-node/internal/meshtest"
	"github.com/caro-mesh/caro-node/node/discovery/mdns"
	"github.com/caro-mesh/caro-node/node/identity"
	"github.com/caro-mesh/caro-node/protocol"
)

const announcedFor = 10 * time.Minute

// These tests run on real hosts over pipes, on a clock that jumps.

// among starts a keeper with its list of neighbours.
func (n *node) among(t *testing.T) *Neighbours {
	t.Helper()
	n.keep(t)
	n.usualTimes()
	nb := NewNeighbours(NeighboursConfig{Self: n.id(), Policy: n.policy, Keeper: n.keeper, Now: time.Now})
	ctx, ended := t.Context(), make(chan struct{})
	go func() {
		defer close(ended)
		_ = nb.Run(ctx)
	}()
	t.Cleanup(func() { <-ended })
	return nb
}

func sighting(id protocol.NodeID, from, addr string) mdns.Sighting {
	return mdns.Sighting{ID: id, Addrs: []ma.Multiaddr{ma.StringCast(addr)}, From: netip.MustParseAddr(from), For: announcedFor}
}

// status returns how things stand with a node, and the number of targets.
func (n *node) status(id protocol.NodeID) (State, int) {
	states := n.keeper.States()
	for _, s := range states {
		if s.ID == id {
			return s, len(states)
		}
	}
	return State{}, len(states)
}

func memory(listen string, net *meshtest.Network) meshtest.Options {
	return meshtest.Options{Network: net, Listen: listen}
}

func TestATrustedNeighbourIsConnectedAndAnUnknownOneWaitsForADecision(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lan := meshtest.NewNetwork()
		b, c := newNode(t, trusting(), memory("/memory/2", lan)), newNode(t, trusting(), memory("/memory/3", lan))
		a := newNode(t, trusting(b.id()), memory("/memory/1", lan))
		b.policy.set(a.id(), true)
		c.policy.set(a.id(), true)
		nb := a.among(t)
		nb.Sighted(sighting(a.id(), "10.0.0.1", "/memory/1")) // itself
		nb.Sighted(sighting(b.id(), "10.0.0.2", "/memory/2"))
		nb.Sighted(sighting(c.id(), "10.0.0.3", "/memory/3"))
		pass(time.Second)
		if s, n := a.status(b.id()); s.Status != StatusConnected || n != 1 || len(s.Addrs) != 0 || s.Found[0] != "/memory/2" {
			t.Errorf("b: %+v of %d", s, n)
		}
		pending := nb.Pending()
		if len(pending) != 1 || pending[0].ID != c.id() || pending[0].Addrs[0] != "/memory/3" || pending[0].LastSeen.IsZero() {
			t.Errorf("pending %+v", pending)
		}
		if lan.Dials() != 1 {
			t.Errorf("%d dials", lan.Dials())
		}
		a.policy.set(c.id(), true)
		nb.Reconsider()
		pass(time.Second)
		if s, _ := a.status(c.id()); s.Status != StatusConnected || len(nb.Pending()) != 0 {
			t.Errorf("c after the grant: %+v", s)
		}
	})
}

func TestANeighbourWhoseTrustIsTakenBackIsNoTargetAnyMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lan := meshtest.NewNetwork()
		b := newNode(t, trusting(), memory("/memory/2", lan))
		a := newNode(t, trusting(b.id()), memory("/memory/1", lan))
		nb := a.among(t)
		nb.Sighted(sighting(b.id(), "10.0.0.2", "/memory/2"))
		pass(time.Second)
		a.policy.set(b.id(), false)
		nb.Reconsider()
		nb.Sighted(sighting(b.id(), "10.0.0.2", "/memory/2"))
		pass(time.Minute)
		if _, n := a.status(b.id()); n != 0 || len(nb.Pending()) != 0 {
			t.Errorf("%d targets, pending %+v", n, nb.Pending())
		}
	})
}

func TestANeighbourThatLeavesOrFallsSilentIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lan := meshtest.NewNetwork()
		leaves, silent, stranger := pair(t), pair(t), pair(t)
		a := newNode(t, trusting(leaves, silent), memory("/memory/1", lan))
		nb := a.among(t)
		nb.Sighted(sighting(leaves, "10.0.0.2", "/memory/2"))
		nb.Sighted(sighting(silent, "10.0.0.3", "/memory/3"))
		nb.Sighted(sighting(stranger, "10.0.0.4", "/memory/4"))
		pass(time.Minute)
		bye := sighting(leaves, "10.0.0.2", "/memory/2")
		bye.For = 0
		nb.Sighted(bye)
		pass(time.Minute)
		if s, _ := a.status(leaves); s.ID != "" && len(s.Found) > 0 {
			t.Errorf("the one that left: %+v", s)
		}
		if _, ok := nb.Find(silent); !ok {
			t.Error("the silent one was forgotten too early")
		}
		pass(announcedFor)
		if _, n := a.status(silent); n != 0 || len(nb.Pending()) != 0 || len(nb.seen) != 0 {
			t.Errorf("%d targets, %d pending, %d seen", n, len(nb.Pending()), len(nb.seen))
		}
	})
}

func TestAConnectedNeighbourStaysATargetWhenAnnouncementsStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lan := meshtest.NewNetwork()
		b := newNode(t, trusting(), memory("/memory/2", lan))
		a := newNode(t, trusting(b.id()), memory("/memory/1", lan))
		b.policy.set(a.id(), true)
		nb := a.among(t)
		nb.Sighted(sighting(b.id(), "10.0.0.2", "/memory/2"))
		pass(3 * time.Hour)
		if err := b.Host.Network().ClosePeer(a.Host.ID()); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		if s, _ := a.status(b.id()); s.Status != StatusConnected {
			t.Errorf("state %+v", s)
		}
	})
}

func TestASquatterKeepsNobodyFromReachingTheTrueNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lan := meshtest.NewNetwork()
		b, squatter := newNode(t, trusting(), memory("/memory/2", lan)), newNode(t, trusting(), memory("/memory/66", lan))
		a := newNode(t, trusting(b.id()), memory("/memory/1", lan))
		b.policy.set(a.id(), true)
		nb := a.among(t)
		for range 30 { // a minute of it, before the true one is there
			nb.Sighted(sighting(b.id(), "10.0.0.66", "/memory/66"))
			pass(2 * time.Second)
		}
		if s, _ := a.status(b.id()); s.Status != StatusOffline || len(s.Found) != 0 {
			t.Errorf("state %+v", s)
		}
		if n := lan.Dials(); n > 5 {
			t.Errorf("the squatter was dialled %d times in a minute", n)
		}
		nb.Sighted(sighting(b.id(), "10.0.0.2", "/memory/2"))
		pass(time.Minute)
		if s, _ := a.status(b.id()); s.Status != StatusConnected || len(s.Found) != 1 || s.Found[0] != "/memory/2" {
			t.Errorf("state %+v", s)
		}
		if a.Registry.Admitted(t.Context(), squatter.id()) {
			t.Error("the squatter was let in")
		}
	})
}

func TestManySquattersDoNotPushAProvenAddressOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lan := meshtest.NewNetwork()
		key, err := identity.New(time.Now())
		if err != nil {
			t.Fatal(err)
		}
		a := newNode(t, trusting(key.NodeID()), memory("/memory/1", lan))
		b := newNode(t, trusting(a.id()), meshtest.Options{Network: lan, Listen: "/memory/2", Key: key})
		nb := a.among(t)
		nb.Sighted(sighting(b.id(), "10.0.0.2", "/memory/2"))
		pass(time.Second)
		lies := func(n int) {
			for i := range n {
				nb.Sighted(sighting(b.id(), fmt.Sprintf("10.0.1.%d", i%250), fmt.Sprintf("/memory/%d", 1000+i%250)))
				pass(100 * time.Millisecond)
			}
		}
		lies(500)
		b.Close()
		lies(100)
		newNode(t, trusting(a.id()), meshtest.Options{Network: lan, Listen: "/memory/2", Key: key})
		lies(300)
		pass(longestWait)
		if s, _ := a.status(key.NodeID()); s.Status != StatusConnected || len(s.Found) > maxCandidates {
			t.Errorf("state %+v", s)
		}
	})
}

func TestConfiguredAddressesComeFirstAndStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lan := meshtest.NewNetwork()
		b := newNode(t, trusting(), memory("/memory/2", lan))
		a := newNode(t, trusting(b.id()), memory("/memory/1", lan))
		b.policy.set(a.id(), true)
		nb := a.among(t)
		nb.Sighted(sighting(b.id(), "10.0.0.66", "/memory/66"))
		a.keeper.Add(b.target())
		pass(time.Minute)
		if s, _ := a.status(b.id()); s.Status != StatusConnected || s.Addrs[0] != "/memory/2" {
			t.Errorf("state %+v", s)
		}
		a.keeper.Lost(b.id())
		if s, _ := a.status(b.id()); s.Status != StatusConnected || len(s.Addrs) != 1 || len(s.Found) != 0 {
			t.Errorf("state %+v", s)
		}
	})
}

func TestACandidateThatDoesNotAnswerIsDroppedAndTriedAgainAfterAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lan := meshtest.NewNetwork()
		b := pair(t)
		a := newNode(t, trusting(b), memory("/memory/1", lan))
		nb := a.among(t)
		for range 60 * 4 { // an hour
			nb.Sighted(sighting(b, "10.0.0.2", "/memory/2"))
			pass(15 * time.Second)
		}
		// Three tries, and then five minutes of rest.
		if n := lan.Dials(); n < 3*8 || n > 3*13 {
			t.Errorf("%d dials in an hour", n)
		}
		if s, _ := a.status(b); !strings.Contains(s.Reason, foundNowhere) && !strings.Contains(s.Reason, "nobody listens there") {
			t.Errorf("reason %q", s.Reason)
		}
	})
}

func TestAThousandAnnouncedNodesTakeBoundedRoomAndHideNoTrustedOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lan := meshtest.NewNetwork()
		b := newNode(t, trusting(), memory("/memory/2", lan))
		a := newNode(t, trusting(b.id()), memory("/memory/1", lan))
		b.policy.set(a.id(), true)
		nb := a.among(t)
		for range 1000 { // one machine
			nb.Sighted(sighting(pair(t), "10.0.0.66", "/memory/66"))
		}
		if n := len(nb.Pending()); n != perAddress {
			t.Errorf("%d pending from one address", n)
		}
		for i := range 5000 { // one that sends from addresses that it does not have
			nb.Sighted(sighting(pair(t), fmt.Sprintf("10.0.%d.%d", i%250, i/250), "/memory/66"))
		}
		if n := len(nb.Pending()); n != maxNeighbours {
			t.Errorf("%d pending", n)
		}
		nb.Sighted(sighting(b.id(), "10.0.0.66", "/memory/2"))
		pass(time.Second)
		if s, n := a.status(b.id()); s.Status != StatusConnected || n != 1 {
			t.Errorf("state %+v of %d", s, n)
		}
	})
}

// pair is a node ID that nobody needs to have the key of.
func pair(t *testing.T) protocol.NodeID {
	t.Helper()
	id, err := protocol.NodeIDFromPeerID(anyPeer(t))
	if err != nil {
		t.Fatal(err)
	}
	return id
}
